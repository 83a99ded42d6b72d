"""Conjugate gradients for the function are best in the posterior's norm, and end where they say.

The references are dense: the solution, the best vector of each Krylov space, and the norm of the
precision that is left given the values.
"""

import torch
from functions import seeds
from hypothesis import given
from hypothesis import strategies as st
from posteriors import problem
from torch import Tensor

from inftydiff.processes.guidance._conjugate_gradients import conjugate_gradients
from inftydiff.testing.posterior import functionals_matrix

TAU = 0.3


def system(seed: int, m: int, n: int, batch: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Maps B, factors of V whose scales fall off, and right-hand sides."""
    generator = torch.Generator().manual_seed(seed)

    def normals(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    factor = normals(batch, n, n) * torch.logspace(1, -3, n, dtype=torch.float64)
    return normals(batch, m, n), factor, normals(batch, m, 1)


def solved(B: Tensor, factor: Tensor, r: Tensor, iterations: int, tolerance: float):
    """What is found of z and of K z, and the matrices K."""
    K = B @ factor @ factor.mT @ B.mT
    found = conjugate_gradients(
        lambda z: K @ z, r, variance=TAU**2, iterations=iterations, tolerance=tolerance
    )
    return *found, K


def distance(K: Tensor, r: Tensor, z: Tensor) -> Tensor:
    """The norm of the shift's error in standard deviations, from u = Fᵀ B* z of V = F Fᵀ."""
    error = torch.linalg.solve(K + TAU**2 * torch.eye(K.shape[-1]).to(K), r) - z
    image = K @ error
    # |u|² + |B F u|²/τ² for u = Fᵀ Bᵀ error
    square = (error * image).sum((-2, -1)) + image.square().sum((-2, -1)) / TAU**2
    return square.clamp(min=0.0).sqrt()


@given(seed=seeds, m=st.integers(1, 12), n=st.integers(1, 15), tolerance=st.floats(1e-4, 0.5))
def test_the_error_is_within_the_tolerance(seed, m, n, tolerance):
    B, factor, r = system(seed, m, n, batch=2)
    z, image, K = solved(B, factor, r, iterations=200, tolerance=tolerance)
    assert (distance(K, r, z) <= tolerance * (1 + 1e-6)).all()
    torch.testing.assert_close(image, K @ z, rtol=1e-6, atol=1e-6)


@given(seed=seeds, k=st.integers(1, 4))
def test_no_vector_of_the_krylov_space_is_better(seed, k):
    B, factor, r = system(seed, 8, 8)
    z, _, K = solved(B, factor, r, iterations=k, tolerance=1e-12)
    powers = [r[0]]
    for _ in range(k - 1):
        step = K[0] @ powers[-1]
        powers.append(step / step.norm())
    basis = torch.linalg.qr(torch.cat(powers, -1)).Q
    # the error's square is zᵀ K M z - 2 zᵀ K r and a constant, over τ²
    M = K[0] + TAU**2 * torch.eye(8, dtype=torch.float64)
    best = basis @ torch.linalg.solve(basis.mT @ K[0] @ M @ basis, basis.mT @ K[0] @ r[0])
    expected = distance(K, r, best.unsqueeze(0))
    torch.testing.assert_close(distance(K, r, z), expected, rtol=1e-5, atol=1e-7)


@given(seed=seeds, batch=st.integers(2, 4))
def test_a_sample_does_not_depend_on_the_others(seed, batch):
    B, factor, r = system(seed, 6, 6, batch)
    r = r * torch.logspace(-3, 1, batch, dtype=torch.float64).reshape(-1, 1, 1)
    together, _, _ = solved(B, factor, r, iterations=5, tolerance=0.05)
    for i in range(batch):
        alone, _, _ = solved(
            B[i : i + 1], factor[i : i + 1], r[i : i + 1], iterations=5, tolerance=0.05
        )
        torch.testing.assert_close(together[i], alone[0])


def test_what_is_not_positive_ends_it_and_keeps_what_was_found():
    K = torch.diag(torch.tensor([4.0, -1.0], dtype=torch.float64))
    for right, expected in (([1.0, 0.0], 1.0 / 5.0), ([0.0, 1.0], 0.0)):
        r = torch.tensor(right, dtype=torch.float64).reshape(1, 2, 1)
        z, image = conjugate_gradients(
            lambda z: K @ z, r, variance=1.0, iterations=10, tolerance=1e-9
        )
        torch.testing.assert_close(z, expected * r)
        torch.testing.assert_close(image, K @ z)


def test_nothing_to_explain_is_nothing_to_do():
    r = torch.zeros(2, 3, 1)
    z, image = conjugate_gradients(lambda z: z, r, variance=1.0, iterations=5, tolerance=0.1)
    assert (z == 0.0).all()
    assert (image == 0.0).all()


def test_their_number_does_not_depend_on_the_grid():
    """Nor on the number of values: with white errors all grids see the same function."""
    counts = []
    for side in (16, 32):
        grid, seen = problem("mask", side)
        reads = functionals_matrix(seen.reads)
        inside = (grid.points[:, None] - grid.points[None]).square().sum(-1)
        K = reads @ (-inside / 0.08).exp() @ reads.mT
        products = 0

        def covariance(z: Tensor, K: Tensor = K) -> Tensor:
            nonlocal products
            products += 1
            return K @ z

        conjugate_gradients(
            covariance,
            seen.values.unsqueeze(0),
            variance=float(seen.noise_std) ** 2,
            iterations=100,
            tolerance=1e-3,
        )
        counts.append(products)
    assert abs(counts[1] - counts[0]) <= 3
    assert max(counts) < 100
