r"""Conjugate gradients for the mean of a Gaussian, as functions see them.

What guides solve is :math:`(\tau^2 + K) z = r` with :math:`K = B V B^*` symmetric and positive,
known by its products, to move an estimate by :math:`\delta = V B^* z`. In the inner product
:math:`⟨a, K b⟩` the matrix is symmetric too, and conjugate gradients there are, step by step, those
for the function,

.. math:: (I + V^{1/2} B^* B V^{1/2} / \tau^2)\, u = V^{1/2} B^* r / \tau^2, \qquad
          \delta = V^{1/2} u:

the identity and a compact operator, the same on every grid. The errors of the observation are seen
through :math:`K` alone, though their Euclidean norm grows with the number of values. Of all vectors
in the Krylov space the iterate has the least error of :math:`\delta` in the norm of the precision
:math:`P = V^{-1} + B^* B/\tau^2` that is left given state and values,

.. math:: \|\delta - \delta_k\|_P^2 = ⟨\rho_k, K (\tau^2 + K)^{-1} \rho_k⟩ / \tau^2 \le
          \Bigl(\tau^4 \sum_{j \le k} ⟨\rho_j, K \rho_j⟩^{-1}\Bigr)^{-1},
          \qquad \rho_k = r - (\tau^2 + K) z_k,

since it does no worse than the iterate of least residual in that space, whose squared residual is
the sum's inverse, and no eigenvalue is below :math:`\tau^2`. The norm counts standard deviations:
:math:`|⟨f, \delta - \delta_k⟩| \le \|\delta - \delta_k\|_P\,(⟨f, P^{-1} f⟩)^{1/2}`, at a point as
of any other functional.

A sample stops when the bound is small, or where the matrix turns out not to be positive, as that of
a network may; it keeps what it had.

References:
    M. Hestenes and E. Stiefel, "Methods of conjugate gradients for solving linear systems", 1952;
    G. Meurant and P. Tichý, "Approximating the extreme Ritz values and upper bounds for the A-norm
    of the error in CG", Numerical Algorithms 82, 2019 (the bound).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["conjugate_gradients"]


def conjugate_gradients(
    covariance: Callable[[Tensor], Tensor],
    right: Float[Tensor, "batch m channels"],
    *,
    variance: float,
    iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    r"""Solve one system a sample, from zero.

    Args:
        covariance: the products of all samples' :math:`K` with vectors of the shape of ``right``.
        right: the right-hand sides :math:`r`.
        variance: that of the errors, :math:`\tau^2`.
        iterations: at most so many products.
        tolerance: where to stop: a bound of :math:`\|\delta - \delta_k\|_P`, a number of standard
            deviations.

    Returns:
        The solutions z and their products K z, shaped like ``right``.

    Example:
        >>> right = torch.ones(1, 2, 1)
        >>> z, image = conjugate_gradients(
        ...     lambda z: 3 * z, right, variance=1.0, iterations=3, tolerance=0.1
        ... )
        >>> z.flatten(), image.flatten()
        (tensor([0.2500, 0.2500]), tensor([0.7500, 0.7500]))
    """

    def inner(a: Tensor, b: Tensor) -> Tensor:
        return (a * b).sum((-2, -1), keepdim=True)  # (batch, 1, 1)

    solution, change, residual = torch.zeros_like(right), torch.zeros_like(right), right
    direction, image = torch.zeros_like(right), torch.zeros_like(right)
    energy = torch.ones_like(inner(right, right))
    inverses = torch.zeros_like(energy)
    running = torch.ones_like(energy, dtype=torch.bool)
    for k in range(iterations):
        along = covariance(residual)  # (batch, m, channels)
        new = inner(residual, along)
        running = running & (new > 0.0)
        inverses = inverses + torch.where(running, variance**2 / new, 0.0)
        running = running & (inverses * tolerance**2 < 1.0)
        if not bool(running.any()):
            break
        keep = torch.where(running, new / energy, 0.0) if k else torch.zeros_like(new)
        direction, image, energy = residual + keep * direction, along + keep * image, new
        curvature = inner(image, variance * direction + image)
        running = running & (curvature > 0.0)
        step = torch.where(running, new / curvature, 0.0)
        solution, change = solution + step * direction, change + step * image
        residual = residual - step * (variance * direction + image)
    return solution, change
