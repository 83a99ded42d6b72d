"""The mean square error of deconvolved samples is the budget's, in all and by wave number."""

from inftydiff.operators import Function, Grid, Identity, gaussian_mollifier, wiener_inverse
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import GaussianMeasure, WhiteNoise
from inftydiff.processes.budget import error_budget
from inftydiff.processes.deconvolution import optimal_wiener
from inftydiff.processes.empirical import rings

SAMPLES = 4000
ON, FINEST = Grid((8, 8)), Grid((24, 24))
T = gaussian_mollifier(1 / 8)
DATA = GaussianMeasure(None, gaussian_mollifier(1 / 16) + 0.1 * Identity(), WhiteNoise())
ERROR = GaussianMeasure(None, Identity(), WhiteNoise(0.1))


def squared_errors(inverse, generator):
    """The squared coefficients of the estimate's error, of shape ``(samples, *modes)``."""
    x0, e = (
        law.sample(on, batch=SAMPLES, channels=1, generator=generator).values.double()
        for law, on in ((DATA, FINEST), (ERROR, ON))
    )
    mollified = T(Function(FINEST, x0)).to_image()[..., 1::3, 1::3]
    y = Function(ON, mollified.flatten(2).mT + e)
    basis = eigenbasis(ON.domain)
    wrong = -basis.analysis(Function(FINEST, x0).to_image()) * FINEST.cell_volume**0.5
    wrong[..., :8, :8] += basis.analysis(inverse(y).to_image()) * ON.cell_volume**0.5
    return wrong.squeeze(1).square()


def test_in_all_and_by_wave_number(generator):
    for inverse in (wiener_inverse(T), optimal_wiener(T, data=DATA, error=ERROR)):
        squares = squared_errors(inverse, generator)
        budget = error_budget(T, inverse, data=DATA, on=ON, error=ERROR, finest=FINEST)
        ring = rings(budget.wave.flatten(), None)
        _, index = ring.unique(return_inverse=True)
        bands = budget.bands()
        found = squares.new_zeros(SAMPLES, len(bands.wave)).index_add(1, index, squares.flatten(1))
        sigma = found.std(0) / SAMPLES**0.5
        assert ((found.mean(0) - bands.risk).abs() < 5 * sigma).all()
        total = found.sum(1)
        assert (total.mean() - budget.total().risk).abs() < 5 * total.std() / SAMPLES**0.5
        for part in (bands.bias[1:8], bands.aliased[1:8], bands.amplified[1:8], bands.lost[-5:]):
            assert (part > 0).all()
