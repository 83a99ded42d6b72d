"""The laws for an object: what a test of one's own class runs.

The kind is told by what the object is or, where this library takes any class, by what it can do.
A callable is a denoiser if it has a process; else it is a model.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, final

import torch

from inftydiff._typing import instance, whole
from inftydiff.operators import Discretisation, Function, Grid, LinearOperator
from inftydiff.operators.domain import Domain, Point, unit_box
from inftydiff.processes import (
    Denoiser,
    GaussianMeasure,
    Parameterisation,
    RandomField,
    Schedule,
    Solver,
)
from inftydiff.processes._checks import a_place
from inftydiff.processes.conditioning import ConditionedMeasure
from inftydiff.processes.denoiser import check_denoiser
from inftydiff.processes.noise import Noise
from inftydiff.testing._sizes import beginnings, smaller
from inftydiff.testing.laws._callables import Asked, answers_with_a_prediction
from inftydiff.testing.laws._denoisers import DENOISER_LAWS
from inftydiff.testing.laws._networks import NETWORK_LAWS, discretisation_convergence
from inftydiff.testing.laws._noise import NOISE_LAWS
from inftydiff.testing.laws._operators import OPERATOR_LAWS
from inftydiff.testing.laws._parameterisations import PARAMETERISATION_LAWS
from inftydiff.testing.laws._schedules import NUMBER_OF_TIMES, SCHEDULE_LAWS
from inftydiff.testing.laws._solvers import STEP_LAWS
from inftydiff.testing.laws.law import Check, Law
from inftydiff.testing.laws.measures import (
    FIELD_LAWS,
    MEASURE_LAWS,
    POINT_LAWS,
    Measure,
    draws_of_field,
    draws_of_measure,
)
from inftydiff.testing.laws.processes import PROCESS_LAWS, Process
from inftydiff.testing.probe import Probe

__all__ = ["laws_for"]

SEEDS = 2
"""The number of seeds that the size asked for is tried with."""

LARGE = (6, 5)
"""The cells of the grid that most objects are tried on."""

DENSE = (4, 3)
"""The cells where matrices of points by points are inverted, or estimated from draws."""

NETWORK = (16, 16)
"""The cells of the coarsest grid that a model or denoiser is tried on."""

NEVER_COARSER = (discretisation_convergence,)
"""Laws that say something of grids that are fine enough alone."""

KINDS = (
    "a LinearOperator, a WhiteNoise, a RandomField, a GaussianMeasure, a Schedule, a "
    "DiffusionProcess, a Parameterisation, a Solver, or a model or denoiser called with (x, t)"
)


@final
@dataclass(frozen=True, eq=False)
class Kind:
    """The laws of an object, and what they are tried with.

    Args:
        laws: its laws.
        tried: what they are tried on: the object, or what stands for it.
        on: where, if nothing else is asked for.
        batch: for how many samples, if nothing else is asked for.
        channels: for how many channels, if nothing else is asked for.
        dtype: in which dtype, if nothing else is asked for.
        small: whether fewer points and channels than asked for must do as well, or be refused.
    """

    laws: tuple[Check, ...]
    tried: object
    on: Discretisation
    batch: int = 2
    channels: int = 3
    dtype: torch.dtype = torch.float64
    small: bool = True


def laws_for(
    subject: object,
    *,
    on: Discretisation | None = None,
    batch: int | None = None,
    channels: int | None = None,
    dtype: torch.dtype | None = None,
    seed: int = 0,
    probes: Sequence[Probe] | None = None,
) -> list[Law]:
    """The laws that an object should keep, one callable each, for ``pytest.mark.parametrize``.

    Each law is tried on a few small sizes, which the object may refuse by a ``ValueError`` or a
    ``TypeError``, and on the size asked for with two seeds; a model or denoiser with one sample and
    on the size asked for. If it does not hold, all smaller sizes are tried from the smallest up,
    and the first at which it does not hold is reported.

    Args:
        subject: a linear operator, white noise, random field, Gaussian measure, schedule, diffusion
            process, parameterisation, solver, model or denoiser; an object, not its class. Of
            what is called with ``(x, t)``, a denoiser is what has a process; the rest are models.
            Noises, measures, schedules, processes and solvers may be of any class with the
            methods of ours. Put a network in evaluation mode first.
        on: where the functions live that it is tried on; by default a small grid on the unit
            square, on the domain of a field, or where the mean of a measure lives. An operator
            between two discretisations needs its source here, a model or denoiser the coarsest
            grid that it is meant for. Only operators are tried on what is not a grid. Whatever
            the object raises on less than this is taken for a refusal.
        batch: the number of samples; by default 2, or that of ``on``, of a field or of a mean.
        channels: the number of channels; by default 3, or that of a field or of a mean.
        dtype: the dtype of the functions; by default float64, and for a model or denoiser torch's
            default dtype.
        seed: what the functions are made from, a whole number of at least zero.
        probes: what to try in the place of all this, in this order, without looking for anything
            smaller: for property tests, whose library shrinks what it draws.

    Returns:
        Callables without arguments, whose ``__name__`` is the law's; each raises
        :class:`~inftydiff.testing.LawViolation` if its law does not hold.

    Raises:
        TypeError: if the object is of no kind that has laws, or answers as a denoiser does and has
            no process.
        ValueError: if the seed is below zero.

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
    seed = whole(seed, "A seed", least=0)
    if on is not None:
        a_place(on, "The points, on, unless None,")
    if probes is not None:
        for probe in instance(probes, Sequence, "Probes, unless None,"):
            instance(probe, Probe, "A probe")
    kind = _kind(subject, on)
    place = kind.on if on is None else on
    own_batch = place.shape_of_points[:-1]
    asked = Probe(
        place,
        own_batch[0] if own_batch else (kind.batch if batch is None else batch),
        kind.channels if channels is None else channels,
        kind.dtype if dtype is None else dtype,
        seed,
    )
    if kind.laws is NETWORK_LAWS:
        kind = _model_or_denoiser(kind, (asked, *(probes or ()))[-1])
    refusals = (ValueError, TypeError) if on is None else (Exception,)
    return [
        _bound(check, kind, type(subject).__name__, asked, refusals, probes) for check in kind.laws
    ]


def _bound(
    check: Check,
    kind: Kind,
    name: str,
    asked: Probe,
    refusals: tuple[type[Exception], ...],
    probes: Sequence[Probe] | None,
) -> Law:
    if probes is not None:
        return Law(check, kind.tried, name, probes)
    seeds = range(asked.seed, asked.seed + SEEDS)
    coarser = check not in NEVER_COARSER
    search: Callable[[Probe], Iterable[Probe]] = partial(
        smaller, asked=asked, seeds=seeds, coarser=coarser
    )
    return Law(
        check,
        kind.tried,
        name,
        [replace(asked, seed=number) for number in seeds],
        beginnings(asked, coarser=kind.small) if coarser else (),
        refusals,
        search,
    )


def _kind(subject: object, on: Discretisation | None) -> Kind:
    """Return the entry of an object's kind."""
    match subject:
        case LinearOperator():
            return Kind(OPERATOR_LAWS, subject, _cells(LARGE))
        case RandomField():
            draws = draws_of_field(subject)
            laws = FIELD_LAWS + POINT_LAWS if draws.everywhere else FIELD_LAWS
            place = _cells(DENSE, subject.domain)
            return Kind(laws, draws, place, batch=subject.batch, channels=subject.channels)
        case Parameterisation():
            return Kind(PARAMETERISATION_LAWS, subject, _cells(LARGE))
        case Process():
            return Kind(PROCESS_LAWS, subject, _cells(DENSE), channels=1)
        case Measure():
            return _measure(subject, on)
        case Noise():
            return Kind(NOISE_LAWS, subject, _cells(DENSE))
        case Schedule():
            place = Grid((), Point())
            return Kind(SCHEDULE_LAWS, subject, place, batch=NUMBER_OF_TIMES, channels=1)
        case Solver():
            return Kind(STEP_LAWS, subject, _cells(LARGE))
        case Callable():
            dtype = torch.get_default_dtype()
            return Kind(NETWORK_LAWS, subject, _cells(NETWORK), dtype=dtype, small=False)
    raise TypeError(f"laws_for knows the laws of {KINDS}; got {type(subject).__name__}.")


def _measure(measure: Measure, on: Discretisation | None) -> Kind:
    """A measure, where its mean or its observations live, and in as many samples and channels."""
    home: Function | None = None
    match measure:
        case GaussianMeasure():
            home = measure.mean
            place = None if home is None else home.on
        case ConditionedMeasure():
            home = measure.observed
            place = _cells(DENSE, home.on.domain)
    if on is None:
        on = _cells(DENSE) if home is None or place is None else place
    draws = draws_of_measure(measure, on.domain)
    laws = MEASURE_LAWS + POINT_LAWS if draws.everywhere else MEASURE_LAWS
    if home is None:
        return Kind(laws, draws, on)
    return Kind(laws, draws, on, batch=(*home.batch, 2)[0], channels=home.channels)


def _model_or_denoiser(kind: Kind, probe: Probe) -> Kind:
    """A callable's kind: a denoiser if it has a process, and else a model."""
    subject: Any = kind.tried
    if isinstance(subject, Denoiser) and isinstance(subject.process, Process):
        return replace(kind, laws=DENOISER_LAWS, tried=Asked(subject, subject.process))
    if answers_with_a_prediction(subject, probe):
        check_denoiser(subject)
    return replace(kind, tried=Asked(subject))


def _cells(cells: tuple[int, ...], domain: Domain | None = None) -> Grid:
    domain = unit_box(len(cells)) if domain is None else domain
    return Grid(tuple(cells[axis % len(cells)] for axis in range(domain.dim)), domain)
