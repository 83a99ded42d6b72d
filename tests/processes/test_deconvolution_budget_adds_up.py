"""The parts of the error budget sum to the risk that dense matrices give, mode by mode."""

import pytest
import torch
from functions import boundaries, grid
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from inftydiff.operators import Grid, Identity, gaussian_mollifier, wiener_inverse
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import Point
from inftydiff.processes import GaussianMeasure, WhiteNoise
from inftydiff.processes.budget import ErrorBudget, error_budget
from inftydiff.processes.deconvolution import optimal_wiener, variance_spectrum
from inftydiff.testing.dense import matrix_of

T = gaussian_mollifier(0.1)
DATA = GaussianMeasure(None, gaussian_mollifier(0.08) + 0.1 * Identity(), WhiteNoise(2.0))
ROUGH = GaussianMeasure(None, Identity(), WhiteNoise(0.3))
SMOOTH = GaussianMeasure(None, gaussian_mollifier(0.4), WhiteNoise(0.5))
FILTERS = {
    "constant": wiener_inverse(T, noise_to_signal=0.2),
    "optimal": optimal_wiener(T, data=DATA, error=ROUGH),
    "none": Identity(),
}

cells = st.lists(st.integers(3, 6), min_size=1, max_size=2)


class Dense:
    """The estimate as a matrix from the modes of the finest grid to those of the grid."""

    def __init__(self, on: Grid, finest: Grid, inverse) -> None:
        basis = eigenbasis(on.domain)
        self.on, self.finest = on, finest
        eigenvalues = basis.eigenvalues(finest.shape).flatten()
        self.signal = variance_spectrum(DATA)(eigenvalues)
        self.observed = basis.modes(on.points, finest.shape) * T.multiplier(eigenvalues)
        modes = basis.modes(on.points, on.shape)
        self.vectors = modes / modes.norm(dim=0)
        self.estimate = torch.linalg.solve(modes, matrix_of(inverse, on)[0])
        low = tuple(slice(n) for n in on.shape)
        self.low = torch.arange(finest.size).reshape(finest.shape)[low].flatten()

    def risk(self, gain: Tensor, noise: Tensor) -> Tensor:
        """Mode by mode, for an output of ``gain`` times the values of T x0 and this noise."""
        wrong = -torch.eye(self.finest.size, dtype=torch.float64)
        wrong[self.low] += self.estimate @ gain @ self.observed
        risk = (wrong**2 * self.signal).sum(1)
        risk[self.low] += (self.estimate @ noise @ self.estimate.T).diagonal()
        return risk.reshape(self.finest.shape)


@pytest.mark.thorough
@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("error", [None, ROUGH, SMOOTH])
@given(boundary=boundaries, cells=cells, refinement=st.integers(1, 4))
def test_for_an_error_uncorrelated_with_the_data(name, error, boundary, cells, refinement):
    on = grid(*cells, boundary=boundary)
    finest = Grid(tuple(refinement * n for n in on.shape), on.domain)
    budget = error_budget(T, FILTERS[name], data=DATA, on=on, error=error, finest=finest)
    dense = Dense(on, finest, FILTERS[name])
    one = torch.eye(on.size, dtype=torch.float64)
    noise = torch.zeros_like(one) if error is None else error.covariance(on)
    assert_close(budget.risk, dense.risk(one, noise), rtol=1e-9, atol=1e-11)
    assert not budget.interaction.any()
    if error is not None:
        law = variance_spectrum(error)
        same = error_budget(T, FILTERS[name], data=DATA, on=on, error=law, finest=finest)
        assert_close(same.error, budget.error, rtol=1e-9, atol=1e-15)


@pytest.mark.thorough
@given(boundary=boundaries, cells=cells, refinement=st.integers(1, 3))
def test_an_error_has_modes_of_its_own(boundary, cells, refinement):
    """All of them fold, whatever the finest grid of the data, and here most are above it."""
    on = grid(*cells, boundary=boundary)
    finest = Grid(tuple(refinement * n for n in on.shape), on.domain)
    error = GaussianMeasure(None, gaussian_mollifier(0.05), WhiteNoise(0.1))
    W = FILTERS["constant"]
    for law in (error, variance_spectrum(error)):
        budget = error_budget(T, W, data=DATA, on=on, error=law, finest=finest)
        expected = Dense(on, finest, W).risk(torch.eye(on.size).double(), error.covariance(on))
        assert_close(budget.risk, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.thorough
@pytest.mark.parametrize("name", FILTERS)
@given(boundary=boundaries, cells=cells, refinement=st.integers(1, 3), seed=st.integers(0, 2**31))
def test_for_the_law_of_the_output(name, boundary, cells, refinement, seed):
    on = grid(*cells, boundary=boundary)
    finest = Grid(tuple(refinement * n for n in on.shape), on.domain)
    dense = Dense(on, finest, FILTERS[name])
    exact = (dense.observed * dense.signal) @ dense.observed.T
    expected = (dense.vectors.T @ exact @ dense.vectors).diagonal()
    generator = torch.Generator().manual_seed(seed)
    change = 2.0 * torch.rand(on.size, generator=generator, dtype=torch.float64)
    output = (expected * change**2 * on.cell_volume).reshape(on.shape)
    budget = error_budget(T, FILTERS[name], data=DATA, on=on, output=output, finest=finest)
    gain = (dense.vectors * change) @ dense.vectors.T
    assert_close(budget.risk, dense.risk(gain, torch.zeros_like(gain)), rtol=1e-9, atol=1e-11)


@given(cells=st.lists(st.integers(1, 6), min_size=1, max_size=2), seed=st.integers(0, 2**31))
def test_without_modes_above_the_grid_it_is_a_wasserstein_distance(cells, seed):
    on = Grid(tuple(cells))
    generator = torch.Generator().manual_seed(seed)
    output = torch.rand(on.shape, generator=generator, dtype=torch.float64)
    W = FILTERS["constant"]
    budget = error_budget(T, W, data=DATA, on=on, output=output, finest=on).total()
    modes = eigenbasis(on.domain).modes(on.points, on.shape)
    law = (modes * output.flatten()) @ modes.T
    A, K, V = matrix_of(T, on)[0], DATA.covariance(on), matrix_of(W, on)[0]
    h = on.cell_volume
    assert_close(budget.error, h * _wasserstein(law, A @ K @ A.T), rtol=1e-7, atol=1e-9)
    assert_close(budget.risk, h * _wasserstein(V @ law @ V.T, K), rtol=1e-7, atol=1e-9)


@given(
    boundary=boundaries,
    cells=cells,
    width=st.one_of(st.none(), st.floats(0.5, 50.0)),
    filtered=st.booleans(),
)
def test_bands_and_totals_are_sums(boundary, cells, width, filtered):
    on = grid(*cells, boundary=boundary)
    inverse = FILTERS["optimal" if filtered else "none"]
    budget = error_budget(T, inverse, data=DATA, on=on, error=ROUGH)
    bands, total = budget.bands(width), budget.total()
    assert (bands.wave.diff() > 0).all()
    for part in ("signal", "hidden", "error", "risk"):
        sums = [getattr(of, part).sum() for of in (budget, bands, total)]
        assert_close(sums[0], sums[1], rtol=1e-12, atol=0)
        assert_close(sums[0], sums[2], rtol=1e-12, atol=0)
    parts = total.bias + total.aliased + total.amplified + total.interaction + total.lost
    assert parts == total.risk
    counted = sum((ring.risk for ring in _rings(bands)), torch.zeros(()).double())
    assert_close(counted, total.risk, rtol=1e-12, atol=0)


def test_the_table_has_the_sums_and_their_shares():
    on = Grid((12,))
    budget = error_budget(T, FILTERS["constant"], data=DATA, on=on, error=ROUGH)
    total = budget.total()
    rows = [line.split() for line in budget.table().splitlines()]
    assert [name for name, _, _ in rows][-2:] == ["lost", "risk"]
    for name, energy, share in rows:
        found = getattr(total, name).item()
        assert float(energy) == pytest.approx(found, rel=1e-3)
        assert float(share.rstrip("%")) == pytest.approx(
            100 * found / total.signal.item(), abs=0.01
        )


def test_what_is_hidden_is_the_error_of_the_mollified_function():
    on = Grid((5, 4))
    perfect = error_budget(T, Identity(), data=DATA, on=on, finest=on)
    assert_close(perfect.hidden, perfect.risk)
    assert perfect.total().hidden > 0.1


def test_a_vector_has_one_mode_and_nothing_above():
    on = Grid((), Point())
    white = GaussianMeasure(None, Identity(), WhiteNoise(2.0))
    best = optimal_wiener(T, data=white, error=ROUGH)
    budget = error_budget(T, best, data=white, on=on, error=ROUGH)
    assert budget.risk.shape == ()
    assert_close(budget.risk.item(), 4.0 * 0.09 / 4.09)
    assert_close(budget.bands().risk.item(), budget.risk.item())


def _rings(bands: ErrorBudget) -> list[ErrorBudget]:
    names = bands.__dataclass_fields__
    return [
        ErrorBudget(**{name: getattr(bands, name)[i] for name in names})
        for i in range(len(bands.wave))
    ]


def _wasserstein(A: Tensor, B: Tensor) -> Tensor:
    root = _root(A)
    return A.trace() + B.trace() - 2.0 * _root(root @ B @ root).trace()


def _root(A: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(0.5 * (A + A.T))
    return (vectors * values.clamp(min=0.0).sqrt()) @ vectors.T
