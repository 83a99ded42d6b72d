r"""Laws of linear operators.

Additivity, homogeneity, :math:`⟨Ax, y⟩ = ⟨x, A^*y⟩` in the weighted inner products,
:math:`A^{**} = A`, agreement with a dense matrix; a call that has no effects; samples that do not
see each other; dtype and place of the argument. The points decide, and not how or in which order
they are listed; points of weight zero are not there. An operator acts on a random field as on the
function that is read from it. What is not for an operator (fields, scattered points, subsets) it
refuses by a ``TypeError`` or a ``ValueError``, and is not asked further.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch

from inftydiff.operators import (
    Function,
    Grid,
    LinearOperator,
    Scattered,
    Subset,
    gaussian_mollifier,
)
from inftydiff.operators.linear import Field
from inftydiff.processes import WhiteNoise
from inftydiff.testing.dense import matrix_of
from inftydiff.testing.laws._purity import arguments_untouched, random_state_untouched
from inftydiff.testing.laws.law import Check, Claim, equal, same, true
from inftydiff.testing.probe import Probe, longest_side

__all__ = ["OPERATOR_LAWS"]

FIELD_CELLS = 16
FIELD_WIDTH = 0.2
"""A field mollified by this part of the longest side has no modes above those of so many cells."""


def additivity(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """A(x + y) = A x + A y."""
    x, y = probe.function(0), probe.function(1)
    yield same("A(x + y) = A x + A y", A(x + y), A(x) + A(y), tolerance=probe.tolerance)


def homogeneity(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """A(c x) = c A x, for c = 0 and below 0 too."""
    x = probe.function()
    for c in (-1.75, 0.0, 1e3):
        yield same(f"A({c:g} x) = {c:g} A x", A(x * c), A(x) * c, tolerance=probe.tolerance)


def adjoint(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """⟨A x, y⟩ = ⟨x, A* y⟩ in the weighted inner products of where A x and x live."""
    x = probe.function()
    image = A(x)
    y = probe.like(image, 1)
    back = A.adjoint(y)
    yield true(
        "A* y lives where x lives", back.on == x.on, type(back.on).__name__, type(x.on).__name__
    )
    scale = (image.norm() * y.norm() + x.norm() * back.norm()).max().item()
    yield equal(
        "⟨A x, y⟩ = ⟨x, A* y⟩",
        image.inner(y),
        x.inner(back),
        tolerance=probe.tolerance,
        scale=scale,
    )


def adjoint_of_the_adjoint(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """A** = A, in action."""
    x = probe.function()
    yield same("A** x = A x", A.adjoint.adjoint(x), A(x), tolerance=probe.tolerance)


def agrees_with_its_matrix(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """A x is the dense matrix of A, column by column its action on unit vectors, times x."""
    x = probe.function()
    matrix = matrix_of(A, probe.on, batch=probe.batch, channels=probe.channels, dtype=probe.dtype)
    product = (matrix @ x.values.cpu().flatten(1).unsqueeze(-1)).squeeze(-1)
    yield equal("A x = (matrix of A) x", A(x).values.flatten(1), product, tolerance=probe.tolerance)


def no_mutation(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """Neither A nor A* changes its argument."""
    x = probe.function()
    y = probe.like(A(probe.function()), 1)
    yield from arguments_untouched(lambda: A(x), [x])
    yield from arguments_untouched(lambda: A.adjoint(y), [y])


def no_global_randomness(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """A leaves the global random state alone, and gives the same answer twice."""
    x = probe.function()
    yield from random_state_untouched(lambda: A(x))
    yield same("A x = A x, asked again", A(x), A(x))


def batch_independence(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """The image of a sample does not depend on the others in its batch."""
    x, other = probe.function(0), probe.function(1)
    mixed = other.values.clone()
    mixed[-1] = x.values[-1]
    yield equal(
        "(A x) of the last sample = the same with other samples before it",
        A(x).values[-1],
        A(Function(x.on, mixed)).values[-1],
        tolerance=probe.tolerance,
    )


def dtype_and_device(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """The image has the argument's dtype and place, and does not depend on them but by rounding."""
    exact = A(replace(probe, dtype=torch.float64).function())
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        for dtype in (torch.float32, torch.float64):
            there = replace(probe, dtype=dtype, device=device)
            image = A(there.function())
            yield true(
                "A x has the dtype of x", image.values.dtype == dtype, image.values.dtype, dtype
            )
            kind = image.values.device.type
            yield true("A x is on the device of x", kind == device, kind, device)
            yield equal(
                f"A x in {dtype} on {device} = A x in float64",
                image.values,
                exact.values,
                tolerance=10.0 * there.tolerance,
            )


def points_decide(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """The image at a point of a grid is that of the same points in another order, as a subset."""
    if not isinstance(probe.on, Grid):
        return
    x = probe.function()
    order = torch.randperm(probe.on.size, generator=probe.generator(1))
    subset = Subset(probe.on, order)
    try:
        there = A(Function(subset, x.values[:, order]))
    except (ValueError, TypeError):
        return
    image = A(x)
    if there.on != subset or image.on != x.on:
        return
    yield equal(
        "A of the points in another order = A x in this order",
        there.values,
        image.values[:, order],
        tolerance=10.0 * probe.tolerance,
    )


def zero_weights_are_absent(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """Scattered points of weight zero, whatever the values there, change nothing elsewhere."""
    if probe.on.points.ndim > 2:
        return
    points, weights, size = probe.on.points, probe.on.weights, probe.on.size
    more = points[torch.randperm(size, generator=probe.generator(2))[: size // 2 + 1]]
    both = Scattered(
        torch.cat([points, 0.5 * (points[:1] + more)]),
        torch.cat([weights, torch.zeros(len(more)).to(weights)]),
        probe.domain,
    )
    x = probe.function(on=both)
    there = Scattered(points, weights, probe.domain)
    try:
        image = A(Function(there, x.values[:, :size]))
        padded = A(x)
    except (ValueError, TypeError):
        return
    if padded.on != both or image.on != there:
        return
    yield equal(
        "A x beside points of weight zero = A x",
        padded.values[:, :size],
        image.values,
        tolerance=10.0 * probe.tolerance,
    )


def random_fields(A: LinearOperator, probe: Probe) -> Iterator[Claim]:
    """A acts on a field as on the function read from it, or refuses it by a TypeError."""
    domain = probe.domain
    generator = probe.generator()
    white = WhiteNoise().draw(
        domain, batch=probe.batch, channels=probe.channels, generator=generator
    )
    field = gaussian_mollifier(FIELD_WIDTH * longest_side(domain))(white)
    try:
        image = A(field)
    except TypeError:
        return
    yield true(
        "A of a random field is a random field, or raises TypeError",
        isinstance(image, Field),
        type(image).__name__,
        "a field, or TypeError",
    )
    grid = Grid((FIELD_CELLS,) * domain.dim, domain)
    yield same(
        "(A field) read on a grid = A (field read on the grid)",
        image(grid, dtype=torch.float64),
        A(field(grid, dtype=torch.float64)),
        tolerance=1e-7,
    )


OPERATOR_LAWS: tuple[Check, ...] = (
    additivity,
    homogeneity,
    adjoint,
    adjoint_of_the_adjoint,
    agrees_with_its_matrix,
    no_mutation,
    no_global_randomness,
    batch_independence,
    dtype_and_device,
    points_decide,
    zero_weights_are_absent,
    random_fields,
)
