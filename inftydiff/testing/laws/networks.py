r"""Laws of models and denoisers: callables ``(x, t)`` that answer with functions.

They answer where they are asked, in the same dtype; nothing but the answer changes; samples do not
see each other; the order in which points are listed does not matter; and read at fixed points the
answer to a smooth function converges as the grid is refined. What refuses subsets of a grid, by a
``ValueError`` or a ``TypeError``, is not asked about the order of points.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from torch import Tensor

from inftydiff.operators import Function, Subset
from inftydiff.processes import Prediction
from inftydiff.testing.laws.law import Check, Claim, at_most, equal, true
from inftydiff.testing.laws.purity import arguments_untouched, random_state_untouched
from inftydiff.testing.probe import Probe, refined

__all__ = ["NETWORK_LAWS", "Network"]

Network: TypeAlias = Callable[[Function, Tensor], Function | Prediction]
"""A neural operator, or a denoiser."""

CONTRACTION = 0.5
"""By how much the error must fall, at least, when a grid becomes thrice as fine."""


def answers_where_asked(network: Network, probe: Probe) -> Iterator[Claim]:
    """The answer lives where x lives, with x's batch, dtype and device."""
    x = probe.function()
    answer = network(x, probe.times())
    functions = isinstance(answer, Function | Prediction)
    yield true(
        "the answer is a Function or a Prediction", functions, type(answer).__name__, "one of them"
    )
    for f in _functions(answer):
        yield true("the answer lives where x lives", f.on == x.on, type(f.on).__name__, "x.on")
        yield true("the answer has the batch of x", f.batch == x.batch, f.batch, x.batch)
        for name, found, expected in (
            ("dtype", f.values.dtype, x.values.dtype),
            ("device", f.values.device, x.values.device),
        ):
            yield true(f"the answer has the {name} of x", found == expected, found, expected)
        finite = bool(f.values.isfinite().all())
        yield true("the answer is finite", finite, "NaN or infinite values", "none")


def reproducible(network: Network, probe: Probe) -> Iterator[Claim]:
    """The same question has the same answer."""
    x, t = probe.function(), probe.times()
    for f, g in zip(_ask(network, x, t), _ask(network, x, t), strict=True):
        yield equal("f(x, t) = f(x, t), asked again", f, g)


def no_mutation(network: Network, probe: Probe) -> Iterator[Claim]:
    """Neither functions nor times change."""
    x, t = probe.function(), probe.times()
    yield from arguments_untouched(lambda: network(x, t), [x, t])


def no_global_randomness(network: Network, probe: Probe) -> Iterator[Claim]:
    """An answer takes nothing from the global random state."""
    x, t = probe.function(), probe.times()
    yield from random_state_untouched(lambda: network(x, t))


def batch_independence(network: Network, probe: Probe) -> Iterator[Claim]:
    """The answer for a sample depends neither on the other samples nor on their times."""
    x, other = probe.function(0), probe.function(1)
    t, mixed_t = probe.times(0), probe.times(1)
    mixed = 3.0 * other.values + 1.0
    mixed[-1], mixed_t[-1] = x.values[-1], t[-1]
    alone = _ask(network, x, t)
    among_others = _ask(network, Function(x.on, mixed), mixed_t)
    for f, g in zip(alone, among_others, strict=True):
        yield equal(
            "the answer for the last sample = the same with other samples before it",
            f[-1],
            g[-1],
            tolerance=probe.tolerance,
        )


def point_permutation(network: Network, probe: Probe) -> Iterator[Claim]:
    """Listed in another order, the points have the same answers."""
    size = max(2, 3 * probe.grid.size // 4)
    index = torch.randperm(probe.grid.size, generator=probe.generator())[:size]
    order = torch.randperm(size, generator=probe.generator(1))
    x = probe.function(on=Subset(probe.grid, index))
    permuted = Function(Subset(probe.grid, index[order]), x.values[:, order])
    t = probe.times()
    try:
        answers = _ask(network, x, t)
    except (ValueError, TypeError):
        return
    for f, g in zip(answers, _ask(network, permuted, t), strict=True):
        yield equal(
            "f of the permuted points = the permuted f of the points",
            g,
            f[:, order],
            tolerance=10.0 * probe.tolerance,
        )


def discretisation_convergence(network: Network, probe: Probe) -> Iterator[Claim]:
    """At fixed points, the answer to a smooth function settles on grids 3 and 9 times as fine."""
    t = probe.times()
    answers = []
    for factor in (1, 3, 9):
        grid, shared = refined(probe.grid, factor)
        answers.append([f[:, shared] for f in _ask(network, probe.smooth(grid), t)])
    for coarse, middle, fine in zip(*answers, strict=True):
        size = fine.square().mean().sqrt()
        first, second = ((f - fine).square().mean().sqrt() for f in (coarse, middle))
        yield at_most(
            f"error on a grid thrice as fine ≤ {CONTRACTION:g} × error on the grid",
            second,
            CONTRACTION * first + 10.0 * probe.tolerance * size,
        )


def _functions(answer: Function | Prediction) -> tuple[Function, ...]:
    if isinstance(answer, Function):
        return (answer,)
    clean = () if answer.clean is None else (answer.clean,)
    return (answer.signal, answer.noise, *clean)


@torch.no_grad()
def _ask(network: Network, x: Function, t: Tensor) -> list[Tensor]:
    return [f.values for f in _functions(network(x, t))]


NETWORK_LAWS: tuple[Check, ...] = (
    answers_where_asked,
    reproducible,
    no_mutation,
    no_global_randomness,
    batch_independence,
    point_permutation,
    discretisation_convergence,
)
