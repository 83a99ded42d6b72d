"""The laws for an object: what a test of one's own class runs.

The kind is told by what the object is or, where this library takes any class, by what it can do.
"""

from collections.abc import Callable

import torch

from inftydiff.operators import Discretisation, Grid, LinearOperator
from inftydiff.operators.domain import unit_box
from inftydiff.processes import Parameterisation, RandomField, Schedule, StepRule
from inftydiff.testing.laws.law import Check, Law
from inftydiff.testing.laws.measures import (
    POINT_LAWS,
    RANDOM_LAWS,
    Draws,
    Measure,
    draws_of_field,
    draws_of_measure,
)
from inftydiff.testing.laws.networks import NETWORK_LAWS
from inftydiff.testing.laws.noise import NOISE_LAWS, Noise
from inftydiff.testing.laws.operators import OPERATOR_LAWS
from inftydiff.testing.laws.parameterisations import PARAMETERISATION_LAWS
from inftydiff.testing.laws.processes import PROCESS_LAWS, Process
from inftydiff.testing.laws.schedules import SCHEDULE_LAWS
from inftydiff.testing.laws.step_rules import STEP_LAWS
from inftydiff.testing.probe import Probe

__all__ = ["laws_for"]

SEEDS = (0, 1)
"""What the probes' values are made from."""

OPERATOR_SHAPE = (6, 5)
"""The cells of the grid that most objects are tried on."""

DENSE_SHAPE = (4, 3)
"""The cells where matrices of points by points are inverted, or estimated from draws."""

NETWORK_SHAPE = (16, 16)
"""The cells of the coarsest grid that a network is tried on."""

KINDS = (
    "a LinearOperator, a WhiteNoise, a RandomField, a GaussianMeasure, a Schedule, a "
    "DiffusionProcess, a Parameterisation, a StepRule, or a model or denoiser called with (x, t)"
)


def laws_for(
    subject: object,
    *,
    on: Discretisation | None = None,
    batch: int = 2,
    channels: int = 3,
    dtype: torch.dtype | None = None,
) -> list[Law]:
    """The laws that an object should keep, one callable each, for ``pytest.mark.parametrize``.

    Args:
        subject: a linear operator, white noise, random field, Gaussian measure, schedule, diffusion
            process, parameterisation, step rule, model or denoiser; an object, not its class.
            Noises, measures, schedules, processes and step rules may be of any class with the
            methods of ours. Put a network in evaluation mode first.
        on: where the functions live that it is tried on; by default a small grid on the unit
            square, on the domain of a field, or where the mean of a measure lives. An operator
            between two discretisations needs its source here, a model the coarsest grid that it is
            meant for. Only operators are tried on what is not a grid.
        batch: the number of samples; that of ``on``, if it has one set of points a sample.
        channels: the number of channels.
        dtype: the dtype of the functions; by default float64, and for a model or denoiser torch's
            default dtype.

    Returns:
        Callables without arguments, whose ``__name__`` is the law's; each raises
        :class:`~inftydiff.testing.LawViolation` if its law does not hold.

    Raises:
        TypeError: if the object is of no kind that has laws.

    Example:
        >>> from inftydiff import CosineSchedule
        >>> laws = laws_for(CosineSchedule())
        >>> [law.__name__ for law in laws][:2]
        ['starts_at_the_data', 'signal_to_noise_falls']
        >>> for law in laws:
        ...     law()
    """
    if isinstance(subject, type):
        raise TypeError(
            f"laws_for takes an object; got the class {subject.__name__}. Make one: "
            f"laws_for({subject.__name__}(...))."
        )
    checks, tried = _kind(subject, on, channels)
    if dtype is None:
        dtype = torch.get_default_dtype() if checks is NETWORK_LAWS else torch.float64
    on = _place(subject, checks) if on is None else on
    if on.shape_of_points[:-1]:
        batch = on.shape_of_points[0]
    probes = [Probe(on, batch, channels, dtype, seed) for seed in SEEDS]
    return [Law(check, tried, type(subject).__name__, probes) for check in checks]


def _kind(
    subject: object, on: Discretisation | None, channels: int
) -> tuple[tuple[Check, ...], object]:
    """The laws of an object's kind, and what they are tried on: the object, or its draws."""
    match subject:
        case LinearOperator():
            return OPERATOR_LAWS, subject
        case RandomField():
            return _random(draws_of_field(subject))
        case Parameterisation():
            return PARAMETERISATION_LAWS, subject
        case Process():
            return PROCESS_LAWS, subject
        case Measure():
            domain = unit_box(2) if on is None else on.domain
            return _random(draws_of_measure(subject, domain, channels))
        case Noise():
            return NOISE_LAWS, subject
        case Schedule():
            return SCHEDULE_LAWS, subject
        case StepRule():
            return STEP_LAWS, subject
        case Callable():
            return NETWORK_LAWS, subject
    raise TypeError(f"laws_for knows the laws of {KINDS}; got {type(subject).__name__}.")


def _random(draws: Draws) -> tuple[tuple[Check, ...], Draws]:
    return RANDOM_LAWS + POINT_LAWS if draws.everywhere else RANDOM_LAWS, draws


def _place(subject: object, checks: tuple[Check, ...]) -> Discretisation:
    if isinstance(subject, Measure) and subject.mean is not None:
        return subject.mean.on
    domain = subject.domain if isinstance(subject, RandomField) else unit_box(2)
    if checks is NETWORK_LAWS:
        shape = NETWORK_SHAPE
    elif checks in (PROCESS_LAWS, NOISE_LAWS, RANDOM_LAWS, RANDOM_LAWS + POINT_LAWS):
        shape = DENSE_SHAPE
    else:
        shape = OPERATOR_SHAPE
    return Grid(tuple(shape[axis % len(shape)] for axis in range(domain.dim)), domain)
