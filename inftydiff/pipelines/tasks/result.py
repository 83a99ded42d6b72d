r"""What a task answers: samples, and what they say of each point.

Of :math:`k` samples :math:`f_1, …, f_k` of one posterior, point by point and channel by channel,

.. math:: \bar f = \frac1k\sum_j f_j, \qquad
          s^2 = \frac1{k - 1}\sum_j (f_j - \bar f)^2.

The mean's own Monte Carlo error is :math:`s/\sqrt k`. Here, too, are the checks of what all tasks
take: a generator, a number of samples, a guide, and how to sample.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating, generator_for, instance
from inftydiff.operators import Function, Grid
from inftydiff.pipelines.tasks.sampling import Guidance, Sampling
from inftydiff.processes._checks import a_function, a_grid, conforming, samples
from inftydiff.processes.guidance import Guide, Projection

__all__ = ["TaskResult", "check_task"]


def check_task(
    generator: torch.Generator,
    count: int,
    how: Sampling,
    *,
    on: Grid | None = None,
    guide: Guidance | None = None,
) -> int:
    """Return the number of samples as an integer, refusing arguments of other kinds.

    Args:
        generator: the source of randomness.
        count: the number of samples of each picture.
        how: how it is sampled.
        on: the grid of the answer, or None.
        guide: what moves samples towards what was observed, or None.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the number of samples is not whole, or below one.
    """
    generator_for(generator, "A task")
    instance(how, Sampling, "how", "Pass Sampling(…).")
    if on is not None:
        a_grid(on)
    if guide is not None and not isinstance(guide, Projection):
        conforming(guide, Guide, "A guide", "Pass Projection() or MomentMatching(), say.")
    return samples(count, "The number of samples")


@final
@dataclass(frozen=True, eq=False)
class TaskResult:
    """Samples of unknown functions, with what was observed of them.

    Args:
        samples: on the grid that was asked for, values of shape ``(pictures, samples, points,
            channels)``.
        observed: what was known, where it was known, values of shape ``(pictures, m, channels)``.
        misfit: the root mean square of observed values less what was read of each sample before
            any values were put back, of shape ``(pictures, samples)``; None if nothing was read.

    Example:
        >>> import torch
        >>> grid = Grid((2,))
        >>> drawn = Function(grid, torch.tensor([[[[0.0], [1.0]], [[2.0], [1.0]]]]))
        >>> result = TaskResult(drawn, Function(grid, drawn.values[:, 0]))
        >>> result.mean.values.flatten().tolist(), result.std.values.flatten().tolist()
        ([1.0, 1.0], [1.414..., 0.0])
    """

    samples: Function
    observed: Function
    misfit: Float[Tensor, "pictures samples"] | None = None

    def __post_init__(self) -> None:
        a_function(self.samples, "The samples of a result")
        a_function(self.observed, "What a result is made from")
        if self.misfit is not None:
            floating(self.misfit, "The misfit of a result, unless None,")

    @property
    def on(self) -> Grid:
        """The grid of the samples."""
        assert isinstance(self.samples.on, Grid)
        return self.samples.on

    @property
    def mean(self) -> Function:
        """The pointwise mean over samples, values of shape ``(pictures, points, channels)``."""
        return Function(self.samples.on, self.samples.values.mean(1))

    @property
    def std(self) -> Function:
        """The pointwise standard deviation over samples, in units of the values.

        Raises:
            ValueError: if there is one sample only.
        """
        count = self.samples.values.shape[1]
        if count < 2:
            raise ValueError(
                "One sample has no spread. Draw more, as in samples=8, to see how sure the model "
                "is at each point."
            )
        return Function(self.samples.on, self.samples.values.std(1))
