r"""Diffusion processes as components: what each kind of process is built from.

A configuration is a value that a file can hold; :class:`~inftydiff.processes.DiffusionProcess` is
what it builds, by the constructor of the same name.

===============  ===========================================================================
``mollified``    :math:`S = N = T`, the paper's process
``white``        :math:`S = N = I`
``noise_only``   :math:`S = I, N = T`
``trace_class``  :math:`S = I` and a factor :math:`N` of a trace-class operator
``blurring``     a signal operator that changes with time, and :math:`N = I`
``general``      any :math:`S` and :math:`N`
===============  ===========================================================================
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

from inftydiff._components import component, declare
from inftydiff._typing import instance
from inftydiff.operators import Domain, Identity, LinearOperator, gaussian_mollifier
from inftydiff.operators.multiplier import check_dimension
from inftydiff.operators.spectral import spectral_multiplier
from inftydiff.processes._checks import a_domain, an_operator, conforming
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.noise import Noise, WhiteNoise
from inftydiff.processes.schedule import Schedule, check_schedule
from inftydiff.processes.schedules import CosineSchedule
from inftydiff.processes.time_dependent_signal import Blurring, TimeDependentSignal

__all__ = [
    "BlurringProcess",
    "GeneralProcess",
    "MollifiedProcess",
    "NoiseOnlyProcess",
    "ProcessConfig",
    "TraceClassProcess",
    "WhiteProcess",
]

CELL = 1 / 64
"""The side of a cell of a grid of 64², in which noise has one unit unless said otherwise."""

OPERATORS = {
    "mollifier": "mollifier",
    "factor": "noise factor",
    "signal": "signal operator",
    "noise_factor": "noise factor",
}
"""The fields that hold operators, and what they are called in errors."""


@runtime_checkable
class ProcessConfig(Protocol):
    """The configuration of a process: a frozen dataclass with a kind."""

    @property
    def schedule(self) -> Schedule:
        """The amplitudes of signal and noise."""

    def build(self, domain: Domain) -> DiffusionProcess:
        """Build the process of functions on a domain."""


declare("process", ProcessConfig)


def _cosine() -> Schedule:
    return CosineSchedule()


def _noise() -> Noise:
    return WhiteNoise(CELL)


def _mollifier() -> LinearOperator:
    return gaussian_mollifier(CELL)


class _Configuration(ABC):
    """The part that all configurations share: their checks, and that of the domain."""

    schedule: Schedule
    noise: Noise

    def __post_init__(self) -> None:
        check_schedule(self.schedule)
        conforming(self.noise, Noise, "The noise of a process", "Pass WhiteNoise(intensity).")
        for name, operator in self._operators().items():
            an_operator(operator, f"The {OPERATORS[name]} of a process")

    @final
    def build(self, domain: Domain) -> DiffusionProcess:
        """Build the process of functions on a domain.

        Raises:
            ValueError: if an operator was normalised for another dimension, or the covariance is
                not of trace class where it must be.
        """
        a_domain(domain)
        for operator in self._operators().values():
            multiplier = spectral_multiplier(operator)
            if multiplier is not None:
                check_dimension(multiplier, domain.dim)
        return self._built(domain)

    @abstractmethod
    def _built(self, domain: Domain) -> DiffusionProcess:
        """Build the process of operators that fit the domain."""

    def _operators(self) -> dict[str, LinearOperator]:
        return {name: value for name, value in vars(self).items() if name in OPERATORS}


@component("process", "mollified")
@final
@dataclass(frozen=True)
class MollifiedProcess(_Configuration):
    """Mollified diffusion, S = N = T: the paper's process.

    Args:
        mollifier: the operator T, in units of the domain.
        schedule: the amplitudes of signal and noise.
        noise: the white noise that T smooths; of intensity 1/64 it has one unit a cell of a 64²
            grid.

    Raises:
        TypeError: if an argument is of another kind.

    Example:
        >>> from inftydiff import Box
        >>> process = MollifiedProcess(gaussian_mollifier(0.1)).build(Box((1.0, 1.0)))
        >>> process.signal is process.noise_factor
        True
    """

    mollifier: LinearOperator = field(default_factory=_mollifier)
    schedule: Schedule = field(default_factory=_cosine)
    noise: Noise = field(default_factory=_noise)

    def _built(self, domain: Domain) -> DiffusionProcess:
        return DiffusionProcess.mollified(self.schedule, self.mollifier, noise=self.noise)


@component("process", "white")
@final
@dataclass(frozen=True)
class WhiteProcess(_Configuration):
    """White-noise diffusion, S = N = I: DDPM, cell by cell.

    Args:
        schedule: the amplitudes of signal and noise.
        noise: the white noise.

    Raises:
        TypeError: if an argument is of another kind.
    """

    schedule: Schedule = field(default_factory=_cosine)
    noise: Noise = field(default_factory=_noise)

    def _built(self, domain: Domain) -> DiffusionProcess:
        return DiffusionProcess.white(self.schedule, noise=self.noise)


@component("process", "noise_only")
@final
@dataclass(frozen=True)
class NoiseOnlyProcess(_Configuration):
    """Diffusion with mollified noise on data as they are, S = I and N = T.

    Args:
        mollifier: the operator T, in units of the domain.
        schedule: the amplitudes of signal and noise.
        noise: the white noise that T smooths.

    Raises:
        TypeError: if an argument is of another kind.
    """

    mollifier: LinearOperator = field(default_factory=_mollifier)
    schedule: Schedule = field(default_factory=_cosine)
    noise: Noise = field(default_factory=_noise)

    def _built(self, domain: Domain) -> DiffusionProcess:
        return DiffusionProcess.noise_only(self.schedule, self.mollifier, noise=self.noise)


@component("process", "trace_class")
@final
@dataclass(frozen=True)
class TraceClassProcess(_Configuration):
    """Diffusion with noise that is a function, S = I and N a factor of a trace-class operator.

    Args:
        factor: the operator N, such as ``matern(smoothness, length_scale, dim=2)``.
        schedule: the amplitudes of signal and noise.
        noise: the white noise that N makes a function of.

    Raises:
        TypeError: if an argument is of another kind.
    """

    factor: LinearOperator = field(default_factory=_mollifier)
    schedule: Schedule = field(default_factory=_cosine)
    noise: Noise = field(default_factory=_noise)

    def _built(self, domain: Domain) -> DiffusionProcess:
        return DiffusionProcess.trace_class(
            self.schedule, self.factor, domain=domain, noise=self.noise
        )


@component("process", "blurring")
@final
@dataclass(frozen=True)
class BlurringProcess(_Configuration):
    """Blurring diffusion: a signal operator that changes with time, and white noise.

    Args:
        blur: the signal operators.
        schedule: the amplitudes of signal and noise.
        noise: the white noise.

    Raises:
        TypeError: if an argument is of another kind.
    """

    blur: TimeDependentSignal = field(default_factory=lambda: Blurring(width=0.2))
    schedule: Schedule = field(default_factory=_cosine)
    noise: Noise = field(default_factory=_noise)

    def __post_init__(self) -> None:
        super().__post_init__()
        instance(self.blur, TimeDependentSignal, "The blur of a process", "Pass Blurring(width).")

    def _built(self, domain: Domain) -> DiffusionProcess:
        return DiffusionProcess.blurring(self.schedule, self.blur, noise=self.noise)


@component("process", "general")
@final
@dataclass(frozen=True)
class GeneralProcess(_Configuration):
    """Diffusion with any two operators.

    Args:
        signal: the operator S of the signal.
        noise_factor: the operator N of the noise.
        schedule: the amplitudes of signal and noise.
        noise: the white noise.

    Raises:
        TypeError: if an argument is of another kind.
    """

    signal: LinearOperator = field(default_factory=Identity)
    noise_factor: LinearOperator = field(default_factory=_mollifier)
    schedule: Schedule = field(default_factory=_cosine)
    noise: Noise = field(default_factory=_noise)

    def _built(self, domain: Domain) -> DiffusionProcess:
        return DiffusionProcess(
            self.schedule,
            signal=self.signal,
            noise_factor=self.noise_factor,
            noise=self.noise,
        )
