r"""What a task answers: samples, and what they say of each point.

Of :math:`k` samples :math:`f_1, …, f_k` of one posterior, point by point and channel by channel,

.. math:: \bar f = \frac1k\sum_j f_j, \qquad
          s^2 = \frac1{k - 1}\sum_j (f_j - \bar f)^2.

The mean's own Monte Carlo error is :math:`s/\sqrt k`.
"""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating
from inftydiff.operators import Function, Grid
from inftydiff.processes.checks import a_function

__all__ = ["TaskResult"]


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
