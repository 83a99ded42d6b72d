r"""Fields from sensors: functions of which values at some points are known.

The points are anywhere in the domain, the values have errors,
:math:`y_j = x_0(p_j) + \tau\varepsilon_j`, and what is not known is sampled on any grid. Values
between the points of the states' grid are interpolated linearly.
"""

import torch

from inftydiff._typing import Real
from inftydiff.operators import Function, Grid, point_values
from inftydiff.operators.discretisation import described
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks._grids import filled, require_channels
from inftydiff.pipelines.tasks.given import GUIDE, NOISE, observation, sample_given
from inftydiff.pipelines.tasks.result import TaskResult, check_task
from inftydiff.pipelines.tasks.sampling import PLAIN, Guidance, Sampling, like
from inftydiff.processes._checks import a_grid

__all__ = ["from_sensors"]


def from_sensors(
    model: InftyDiff,
    readings: Function,
    *,
    on: Grid,
    generator: torch.Generator,
    samples: int = 4,
    noise_std: Real = NOISE,
    guide: Guidance = GUIDE,
    how: Sampling = PLAIN,
) -> TaskResult:
    """Sample functions of which values at some points are known.

    Args:
        model: the model.
        readings: the values at one set of points of the model's domain for all functions, of shape
            ``(functions, points, channels)``.
        on: the grid of the answer.
        generator: the source of randomness.
        samples: how many samples a function has.
        noise_std: the deviation of the errors.
        guide: how samples are guided.
        how: the solver, the times and where latents come from.

    Raises:
        ValueError: if there are no points or one set a function, they lie in another domain, or as
            :func:`sample_given`.
    """
    readings = like(model, readings)
    require_channels(model, readings)
    samples = check_task(generator, samples, how, on=a_grid(on), guide=guide)
    if readings.on.domain != model.config.domain:
        raise ValueError(
            f"This model's functions live on {model.config.domain}; got "
            f"{described(readings.on)}. Pass the domain with the points, as in Scattered(points, "
            "domain=model.config.domain)."
        )
    grid = model.sampling_grid(on)
    seen = observation(
        model, point_values(readings.on, on=grid), readings.values, noise_std=noise_std
    )
    return sample_given(
        model,
        seen,
        known=readings,
        on=on,
        grid=grid,
        generator=generator,
        samples=samples,
        guide=guide,
        how=how,
        encoded=filled(readings, grid),
        everywhere=False,
    )
