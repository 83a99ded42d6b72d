r"""Conjugate gradients for a batch of systems of equations, each with its own steps.

:math:`M z = r` with :math:`M` symmetric and positive, known by its products. The iterate
minimises :math:`\tfrac12 ⟨z, M z⟩ - ⟨z, r⟩` over the Krylov space. A sample stops when its residual
is small, or where the matrix turns out not to be positive, as that of a network may; it keeps what
it had.

References:
    M. Hestenes and E. Stiefel, "Methods of conjugate gradients for solving linear systems", 1952.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["conjugate_gradients"]


def conjugate_gradients(
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
        >>> z, image = conjugate_gradients(lambda z: 4 * z, right, iterations=3, tolerance=0.1)
        >>> z.flatten(), image.flatten()
        (tensor([0.2500, 0.2500]), tensor([1., 1.]))
    """

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum((-2, -1), keepdim=True)

    solution, residual = torch.zeros_like(right), right
    direction, square = right, inner(right, right)
    enough = tolerance**2 * square
    running = square > enough
    for _ in range(iterations):
        if not bool(running.any()):
            break
        image = product(direction)
        curvature = inner(direction, image)
        running = running & (curvature > 0.0)
        step = torch.where(running, square / curvature, 0.0)
        solution = solution + step * direction
        residual = residual - step * image
        new = inner(residual, residual)
        direction = residual + torch.where(running, new / square, 0.0) * direction
        square = new
        running = running & (square > enough)
    return solution, right - residual
