r"""Solvers: one step from :math:`t` to :math:`s < t`, with memory or without.

A solver is a frozen value. It asks the denoiser at :math:`t`, never at a time where
:math:`\sigma = 0`; takes its noise from the denoiser's process; and leaves no noise in a step to
:math:`\sigma = 0`. Two class attributes say how it likes to be used: ``calls``, how often it asks
in a step (None if that depends), and ``spacing``, the recommended spacing of the times.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias, final, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from inftydiff._components import declare
from inftydiff._typing import floating, instance
from inftydiff._typing.shown import kind_of
from inftydiff.operators.function import Function
from inftydiff.processes._checks import a_function, one_a_sample, states
from inftydiff.processes.denoiser import Denoiser, check_denoiser
from inftydiff.processes.diffusion import DiffusionProcess, check_process
from inftydiff.processes.spectra import scale_modes
from inftydiff.processes.times import Spacing

__all__ = [
    "Memory",
    "MultistepSolver",
    "Past",
    "Separable",
    "Solver",
    "check_memory",
    "check_step",
    "fresh_noise",
    "linear_combination",
    "separable",
    "where",
]


@runtime_checkable
class Solver(Protocol):
    """The interface that the loop asks of a solver."""

    def step(
        self,
        denoiser: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        *,
        generator: torch.Generator,
    ) -> Function:
        """The state at ``s`` from the state at ``t``."""


declare("solver", Solver)


@runtime_checkable
class Separable(Protocol):
    """A solver that says whether a sample of a batch is what it would be alone."""

    @property
    def separable(self) -> bool:
        """Say whether a step draws no noise, and its size does not depend on other samples."""


def separable(solver: Solver) -> bool:
    """Return whether each sample of a batch is what it would be alone; False if nothing says so.

    Args:
        solver: the solver.
    """
    return isinstance(solver, Separable) and solver.separable


@final
@dataclass(frozen=True, eq=False)
class Past:
    r"""The part of a multistep solver's memory that belongs to one time.

    Args:
        t: the time, of shape ``(batch,)``.
        x: the state that the step from this time began with.
        source: the estimate of what the process's amplitudes multiply, :math:`S x_0`, or
            :math:`x_0` if the signal operator changes with time.
        noise: the estimate of :math:`N\xi`.
    """

    t: Float[Tensor, "batch"]
    x: Function
    source: Function
    noise: Function

    def __post_init__(self) -> None:
        floating(self.t, "The times of a memory")
        for f in (self.x, self.source, self.noise):
            a_function(f, "What a memory holds")


Memory: TypeAlias = tuple[Past, ...]
"""The times before the present one, latest first; empty at the first step."""


class MultistepSolver(ABC):
    """A solver that also uses what the denoiser said in the steps before.

    The memory is passed in and handed back, so a solver is a frozen value like the others and one
    solver serves many trajectories at once. A solver shortens the memory to what it needs.
    """

    calls: ClassVar[int | None] = 1
    spacing: ClassVar[Spacing] = "log_snr"

    @abstractmethod
    def advance(
        self,
        denoiser: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        memory: Memory,
        *,
        generator: torch.Generator,
    ) -> tuple[Function, Memory]:
        """The state at ``s`` from the state at ``t``, and the memory for the next step.

        Args:
            denoiser: the denoiser, whose process is stepped back.
            x_t: the states, values of shape ``(batch, points, channels)``.
            t: their times, of shape ``(batch,)``.
            s: the times to go to, of shape ``(batch,)``.
            memory: what the step before handed back; ``()`` at first.
            generator: the source of randomness.
        """

    @final
    def step(
        self,
        denoiser: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        *,
        generator: torch.Generator,
    ) -> Function:
        """The state at ``s`` from the state at ``t``, as a first step: without memory."""
        return self.advance(denoiser, x_t, t, s, (), generator=generator)[0]


def check_step(denoiser: Denoiser, x: Function, t: Tensor, s: Tensor) -> None:
    """Refuse what is no step of states between two times, one of each a sample.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the states have no batch, or there is not one time a sample.
    """
    check_denoiser(denoiser)
    states(x, "The states")
    one_a_sample(t, x, "The times, t,")
    one_a_sample(s, x, "The times, s,")


def check_memory(memory: Memory) -> Memory:
    """Return ``memory``, refusing what is no tuple of what was at earlier times.

    Raises:
        TypeError: if it is another thing.
    """
    for past in instance(memory, tuple, "A memory", "Pass () at the first step."):
        instance(past, Past, "What a memory holds", "Pass on what the step before gave.")
    return memory


def linear_combination(*terms: tuple[Function, Tensor]) -> Function:
    """Return the sum of functions, each times its factors, one a sample or also one a mode.

    Args:
        terms: pairs of a function and its factors, as :func:`~inftydiff.processes.scale_modes`
            takes them; at least one pair.

    Raises:
        TypeError: if a term is no pair, or no function and factors.
        ValueError: if there is no term, or the factors are not those of the samples or the modes.
    """
    if not terms:
        raise ValueError("There must be a term to combine; got none. Pass (function, factors).")
    for term in terms:
        if not isinstance(term, tuple) or len(term) != 2:
            raise TypeError(f"A term must be a pair (function, factors); got {kind_of(term)}.")
    total, *others = (scale_modes(f, factors) for f, factors in terms)
    for other in others:
        total = total + other
    return total


def where(which: Bool[Tensor, "batch"], f: Function, g: Function) -> Function:
    """Of two functions, the first for the samples that are chosen and the second for the others."""
    return Function(f.on, torch.where(which.to(f.values.device)[:, None, None], f.values, g.values))


def fresh_noise(process: DiffusionProcess, like: Function, generator: torch.Generator) -> Function:
    """A draw of the process's noise, of the shape, dtype and place of a state."""
    check_process(process)
    states(like, "What noise is shaped like")
    return process.draw_noise(
        like.on,
        batch=like.batch[0],
        channels=like.channels,
        generator=generator,
        dtype=like.values.dtype,
        device=like.values.device,
    )
