r"""What leaving out T⁻¹ does: eq. (46) has the minimum of eq. (45) over all f, and over no others.

For Gaussian data the expected losses of :math:`f = A x_t` are quadratic in the matrix
:math:`A`, with the joint covariances of :math:`x_t` and :math:`T\xi`. The minimum over all matrices
is the conditional mean in either; that over multiples of the identity, or over matrices of a given
rank, is not the same. (46) weights the modes by the square of the mollifier's factors.
"""

import pytest
import torch
from paper import NOISE, close
from torch import Tensor

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    gaussian_mollifier,
)
from inftydiff.testing import GaussianDenoiser, matrix_of

GRID = Grid((6,))
T = gaussian_mollifier(0.15)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T, noise=NOISE)
DATA = GaussianMeasure(None, gaussian_mollifier(0.2), NOISE)
TIME = torch.tensor([0.4], dtype=torch.float64)
INVERSE = torch.linalg.inv(matrix_of(T, GRID)[0])
UNIT = torch.eye(GRID.size, dtype=torch.float64)


def covariances() -> tuple[Tensor, Tensor]:
    """Of x_t, and of Tξ with x_t."""
    alpha, sigma = PROCESS.schedule.alpha(TIME), PROCESS.schedule.sigma(TIME)
    signal = GaussianMeasure(None, T @ DATA.factor, DATA.noise).covariance(GRID)
    noise = GaussianMeasure(None, T, NOISE).covariance(GRID)
    return alpha**2 * signal + sigma**2 * noise, sigma * noise


def losses(A: Tensor) -> tuple[Tensor, Tensor]:
    """The averages of ‖A x_t − Tξ‖² and of ‖T⁻¹(A x_t − Tξ)‖², less what A has no part in."""
    state, cross = covariances()
    error = A @ state @ A.mT - A @ cross.mT - cross @ A.mT
    return error.trace(), (INVERSE @ error @ INVERSE.mT).trace()


def gradients(A: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.functional.jacobian(losses, A)


def test_equation_46_has_the_same_minimum_over_all_functions():
    units = Function(GRID, UNIT.unsqueeze(-1))
    best = GaussianDenoiser(PROCESS, DATA)(units, TIME.expand(GRID.size)).noise.values[..., 0].mT
    for at_best, at_zero in zip(gradients(best), gradients(0.0 * best), strict=True):
        assert at_best.norm() < 1e-8 * at_zero.norm()


def best_multiple(weight: Tensor) -> Tensor:
    """The minimum of ‖W(A x_t − Tξ)‖² on average, over the multiples A of the identity."""
    state, cross = (weight @ covariance @ weight.mT for covariance in covariances())
    return cross.trace() / state.trace() * UNIT


def best_of_rank_one(weight: Tensor) -> Tensor:
    """The same over the matrices A of rank one: Eckart and Young, with x_t whitened."""
    state, cross = covariances()
    root = torch.linalg.cholesky(state)
    over_root = {"upper": False, "left": False}
    target = weight @ torch.linalg.solve_triangular(root, cross.mT, upper=False).mT
    u, sizes, v = torch.linalg.svd(target)
    nearest = sizes[0] * u[:, :1] @ v[:1]
    return torch.linalg.solve(weight, torch.linalg.solve_triangular(root, nearest, **over_root))


@pytest.mark.parametrize("best", [best_multiple, best_of_rank_one])
def test_equation_46_has_another_minimum_over_fewer_functions(best):
    unweighted, weighted = best(UNIT), best(INVERSE)
    assert losses(unweighted)[0] < 0.99 * losses(weighted)[0]
    assert losses(weighted)[1] < 0.99 * losses(unweighted)[1]


def test_equation_46_weights_a_mode_by_the_square_of_its_factor():
    basis = torch.linalg.eigh(matrix_of(T, GRID)[0])
    for mode, factor in zip(basis.eigenvectors.mT, basis.eigenvalues, strict=True):
        A = mode.outer(mode)
        error = A @ covariances()[0] @ A
        close(error.trace(), factor**2 * (INVERSE @ error @ INVERSE.mT).trace())
