r"""Laws of models, callables ``(x, t)`` that answer with a function.

They answer where they are asked, in the same dtype; nothing but the answer changes; samples do not
see each other; the order in which points are listed does not matter; and read at fixed points the
answer to a smooth function converges as the grid is refined. What refuses subsets of a grid, by a
``ValueError`` or a ``TypeError``, is not asked about the order of points.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from inftydiff.operators import Function, Subset
from inftydiff.testing.laws._callables import Asked
from inftydiff.testing.laws._purity import arguments_untouched, random_state_untouched
from inftydiff.testing.laws.law import Check, Claim, at_most, equal, true
from inftydiff.testing.probe import Probe, refined

__all__ = ["NETWORK_LAWS", "answers_where_asked", "discretisation_convergence", "same_place"]

PERMUTED = 1e-4
"""The change of an answer that is allowed when sums and equations are done in another order."""

CONTRACTION = 0.5
"""By how much the error must fall, at least, when a grid becomes thrice as fine."""


def answers_where_asked(model: Asked, probe: Probe) -> Iterator[Claim]:
    """The answer is a function that lives where x lives, with x's batch, dtype and device."""
    t = probe.times()
    x = model.state(probe, t)
    answer = model(x, t)
    good = isinstance(answer, Function)
    yield true("the answer is a Function", good, type(answer).__name__, "Function")
    yield from same_place(answer, x)


def reproducible(model: Asked, probe: Probe) -> Iterator[Claim]:
    """The same question has the same answer."""
    t = probe.times()
    x = model.state(probe, t)
    for f, g in zip(model.functions(x, t), model.functions(x, t), strict=True):
        yield equal("f(x, t) = f(x, t), asked again", f.values, g.values)


def no_mutation(model: Asked, probe: Probe) -> Iterator[Claim]:
    """Neither functions nor times change."""
    t = probe.times()
    x = model.state(probe, t)
    yield from arguments_untouched(lambda: model(x, t), [x, t])


def no_global_randomness(model: Asked, probe: Probe) -> Iterator[Claim]:
    """An answer takes nothing from the global random state."""
    t = probe.times()
    x = model.state(probe, t)
    yield from random_state_untouched(lambda: model(x, t))


def batch_independence(model: Asked, probe: Probe) -> Iterator[Claim]:
    """The answer for a sample depends neither on the other samples nor on their times."""
    t, mixed_t = probe.times(0), probe.times(1)
    x, other = model.state(probe, t, 0), model.state(probe, mixed_t, 1)
    mixed = 3.0 * other.values + 1.0
    mixed[-1], mixed_t[-1] = x.values[-1], t[-1]
    among_others = model.functions(Function(x.on, mixed), mixed_t)
    for f, g in zip(model.functions(x, t), among_others, strict=True):
        yield equal(
            "the answer for the last sample = the same with other samples before it",
            f.values[-1],
            g.values[-1],
            tolerance=probe.tolerance,
        )


def point_permutation(model: Asked, probe: Probe) -> Iterator[Claim]:
    """Listed in another order, the points have the same answers."""
    size = (3 * probe.grid.size + 3) // 4
    index = torch.randperm(probe.grid.size, generator=probe.generator())[:size]
    order = torch.randperm(size, generator=probe.generator(1))
    t = probe.times()
    x = model.state(probe, t, on=Subset(probe.grid, index))
    permuted = Function(Subset(probe.grid, index[order]), x.values[:, order])
    try:
        answers = model.functions(x, t)
    except (ValueError, TypeError):
        return
    for f, g in zip(answers, model.functions(permuted, t), strict=True):
        yield equal(
            "f of the permuted points = the permuted f of the points",
            g.values,
            f.values[:, order],
            tolerance=max(PERMUTED, 10.0 * probe.tolerance),
            scale=max(h.values.abs().max().item() for h in (f, g, x)),
        )


def discretisation_convergence(model: Asked, probe: Probe) -> Iterator[Claim]:
    """At fixed points, the answer to a smooth function settles on grids 3 and 9 times as fine."""
    t = probe.times()
    answers: list[list[Tensor]] = []
    for factor in (1, 3, 9):
        grid, shared = refined(probe.grid, factor)
        functions = model.functions(probe.smooth(grid), t)
        answers.append([f.values[:, shared] for f in functions])
    asked = _size(probe.smooth(probe.grid).values)
    for coarse, middle, fine in zip(*answers, strict=True):
        rounding = 10.0 * probe.tolerance * torch.maximum(_size(fine), asked)
        yield at_most(
            f"error on a grid thrice as fine ≤ {CONTRACTION:g} × error on the grid",
            _size(middle - fine),
            CONTRACTION * _size(coarse - fine) + rounding,
        )


def _size(values: Tensor) -> Tensor:
    """The root mean square."""
    return values.square().mean().sqrt()


def same_place(f: Function, x: Function) -> Iterator[Claim]:
    """A function lives where another does, has its batch, dtype and device, and is finite."""
    yield true("the answer lives where x lives", f.on == x.on, type(f.on).__name__, "x.on")
    yield true("the answer has the batch of x", f.batch == x.batch, f.batch, x.batch)
    for name, found, expected in (
        ("dtype", f.values.dtype, x.values.dtype),
        ("device", f.values.device, x.values.device),
    ):
        yield true(f"the answer has the {name} of x", found == expected, found, expected)
    finite = bool(f.values.isfinite().all())
    yield true("the answer is finite", finite, "NaN or infinite values", "none")


NETWORK_LAWS: tuple[Check, ...] = (
    answers_where_asked,
    reproducible,
    no_mutation,
    no_global_randomness,
    batch_independence,
    point_permutation,
    discretisation_convergence,
)
