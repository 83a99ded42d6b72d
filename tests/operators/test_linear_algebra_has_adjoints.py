"""⟨A f, g⟩ = ⟨f, A* g⟩ and A** = A for every expression of operators."""

import pytest
from functions import function, grid, scattered, subset, values
from torch.testing import assert_close

from inftydiff.operators import Identity, Interpolation, KernelSmoother, gaussian_mollifier

GRID, COARSE = grid(4, 5), grid(3, 2)
SUBSET, POINTS = subset(GRID, 9, seed=0), scattered(GRID.domain, 8, seed=1)
T = gaussian_mollifier(0.2)
UP = Interpolation(COARSE, GRID)
READ = Interpolation(GRID, POINTS)
POOL = KernelSmoother(SUBSET, COARSE, 0.2)
SCALES = values(3, 2)

EXPRESSIONS = {
    "identity": (Identity(), GRID, GRID),
    "sum": (T + Identity(), GRID, GRID),
    "difference": (T - 3.0 * Identity(), GRID, GRID),
    "multiple": (-2.5 * T, GRID, GRID),
    "one number a sample": (SCALES * UP, COARSE, GRID),
    "composition": (READ @ T, GRID, POINTS),
    "long composition": (READ @ T @ UP @ POOL, SUBSET, POINTS),
    "all": (SCALES * (READ @ (T - 2.0 * Identity()) @ UP + 0.5 * READ @ UP), COARSE, POINTS),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expression(name: str):
    operator, source, target = EXPRESSIONS[name]
    f, g = function(source, 0, 2), function(target, 1, 2)
    assert_close(operator(f).inner(g), f.inner(operator.adjoint(g)), rtol=0, atol=1e-12)
    assert_close(operator.adjoint.adjoint(f).values, operator(f).values, rtol=0, atol=1e-12)
