r"""Conjugate residuals for a batch of systems of equations, each with its own steps.

:math:`M z = r` with :math:`M` symmetric and positive, known by its products. This is the conjugate
gradient method whose iterates minimise the norm :math:`\|r - M z\|` over the Krylov space instead
of the energy: as fast, at one product an iteration, and no worse at every iteration than at the one
before, so that it may be stopped after few. A sample stops when its residual is small, or where the
matrix turns out not to be positive, as that of a network may; it keeps what it had.

References:
    E. Stiefel, "Relaxationsmethoden bester Strategie zur Lösung linearer Gleichungssysteme", 1955;
    Y. Saad, "Iterative methods for sparse linear systems", SIAM, 2003, section 6.8.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["conjugate_residuals"]


def conjugate_residuals(
    product: Callable[[Tensor], Tensor],
    right: Float[Tensor, "batch m channels"],
    *,
    iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Solve one system a sample, from zero.

    Args:
        product: the products of all samples' matrices with vectors of the shape of ``right``.
        right: the right-hand sides.
        iterations: at most so many products.
        tolerance: where to stop, as a part of the norm of a right-hand side.

    Returns:
        The solutions z and their products M z, shaped like ``right``.

    Example:
        >>> right = torch.ones(1, 2, 1)
        >>> z, image = conjugate_residuals(lambda z: 4 * z, right, iterations=3, tolerance=0.1)
        >>> z.flatten(), image.flatten()
        (tensor([0.2500, 0.2500]), tensor([1., 1.]))
    """

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum((-2, -1), keepdim=True)  # (batch, 1, 1)

    solution, residual = torch.zeros_like(right), right
    enough = tolerance**2 * inner(right, right)
    running = inner(right, right) > enough
    direction, image = torch.zeros_like(right), torch.zeros_like(right)
    energy = torch.ones_like(enough)
    for k in range(iterations):
        if not bool(running.any()):
            break
        along = product(residual)  # (batch, m, channels)
        new = inner(residual, along)
        running = running & (new > 0.0)
        keep = torch.where(running, new / energy, 0.0) if k else torch.zeros_like(new)
        direction, image, energy = residual + keep * direction, along + keep * image, new
        step = torch.where(running, new / inner(image, image), 0.0)
        solution, residual = solution + step * direction, residual - step * image
        running = running & (inner(residual, residual) > enough)
    return solution, right - residual
