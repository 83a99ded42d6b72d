"""Everything that we ship keeps the laws of its kind, on any domain, size and seed.

``HYPOTHESIS_PROFILE=thorough pytest tests/testing/test_laws_hold_for_what_we_ship.py`` tries each
law on 1000 drawn objects and probes. With ``JAXTYPING_DISABLE=1`` before it, which leaves out the
checks of tensor types and more than halves the time, that took 12 minutes of one processor (73 by
the clock, which it shared). Two kinds of objects are slow and have a tenth of the examples of some
laws: measures, of the Monte Carlo law (noises and fields have 1000 each), and the solver that
    chooses
its own steps. A false alarm of a Monte Carlo law has a probability of 10⁻¹² an example.
"""

from collections.abc import Collection

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import network
from shipped import KINDS

from inftydiff import (
    DDIM,
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    NoisePrediction,
    Scattered,
    Subset,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
    wiener_inverse,
)
from inftydiff.operators.local import LocalOperator
from inftydiff.operators.transfer import Interpolation, KernelSmoother, NearestNeighbours
from inftydiff.processes import Blurring
from inftydiff.testing import GaussianDenoiser, laws_for
from inftydiff.testing.laws._solvers import STEP_LAWS
from inftydiff.testing.laws.law import Check
from inftydiff.testing.strategies import KnotSchedule

REFINEMENT = {"denoiser": "fine denoiser", "model": "fine model"}
"""Of these kinds, those whose grids are fine enough to converge."""

SLOW = ("measure", "smooth measure")
"""The kinds whose Monte Carlo law is tried on fewer examples."""

ALL_LAWS = [kind for kind in KINDS if kind not in (*REFINEMENT.values(), "adaptive solver")]
"""The kinds of which each example tries all laws."""

FEWER = settings(max_examples=max(1, settings().max_examples // 10))

MONTE_CARLO = {"draws_have_the_covariance"}
CONVERGENCE = {"discretisation_convergence"}


def try_laws(
    data: st.DataObject, kind: str, *, only: Collection[str] = (), but: Collection[str] = ()
) -> None:
    """Draw an object of a kind and a probe, and try its laws, some of them or all but some."""
    drawn = KINDS[kind](data.draw)
    laws = {law.__name__: law for law in laws_for(drawn.subject, probes=[drawn.probe])}
    assert set(only) <= set(laws)
    for name, law in laws.items():
        if name not in but and (not only or name in only):
            law()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ALL_LAWS)
@given(data=st.data())
def test_the_laws_hold(data: st.DataObject, kind: str):
    left_out = MONTE_CARLO if kind in SLOW else CONVERGENCE if kind in REFINEMENT else ()
    try_laws(data, kind, but=left_out)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", REFINEMENT.values())
@given(data=st.data())
def test_answers_converge(data: st.DataObject, kind: str):
    try_laws(data, kind, only=CONVERGENCE)


@pytest.mark.parametrize("kind", SLOW)
@FEWER
@given(data=st.data())
def test_draws_of_measures_have_the_covariance(data: st.DataObject, kind: str):
    try_laws(data, kind, only=MONTE_CARLO)


@pytest.mark.thorough
@FEWER
@given(data=st.data(), law=st.sampled_from(STEP_LAWS))
def test_a_rule_that_chooses_its_steps_keeps_the_laws(data: st.DataObject, law: Check):
    try_laws(data, "adaptive solver", only={law.__name__})


T = gaussian_mollifier(0.1)
NOISE = WhiteNoise(0.3)
OBLONG = Box((1.0, 1.5))
MIXED = Box((1.0, 1.5), ("periodic", "absorbing"))
GRID = Grid((6, 5), OBLONG)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


SUBSET = Subset(GRID, normal(GRID.size).argsort()[:17])
SUBSETS = Subset(GRID, normal(3, GRID.size).argsort(-1)[:, :17])
SCATTERED = Scattered(torch.rand(11, 2, generator=torch.Generator().manual_seed(0)), domain=OBLONG)
COSINE = CosineSchedule()
MOLLIFIED = DiffusionProcess.mollified(COSINE, T, noise=NOISE)
FIELD = NOISE.draw(OBLONG, batch=2, channels=2, generator=torch.Generator().manual_seed(0))
KERNEL = normal(3, 3, 3)
MEASURE = GaussianMeasure(None, T, NOISE)
SEEN = Function(SCATTERED, normal(11, 2))
SUBJECTS = {
    "identity": (Identity(), {}),
    "mollifier in one dimension": (T, {"on": Grid((9,), Box((2.0,)))}),
    "mollifier in three dimensions": (T, {"on": Grid((3, 2, 4)), "channels": 1}),
    "mollifier on other boundaries": (T, {"on": Grid((4, 5), MIXED)}),
    "composition": (wiener_inverse(T) @ T - 2.0 * Identity(), {}),
    "one factor a sample": (T * torch.tensor([0.5, -2.0], dtype=torch.float64), {}),
    "interpolation": (Interpolation(GRID, Grid((4, 7), OBLONG)), {"on": GRID}),
    "interpolation at points": (Interpolation(GRID, SCATTERED), {"on": GRID}),
    "average": (KernelSmoother(SUBSET, Grid((3, 3), OBLONG), width=0.3), {"on": SUBSET}),
    "average of each sample": (
        KernelSmoother(SUBSETS, Grid((3, 3), OBLONG), width=0.3),
        {"on": SUBSETS},
    ),
    "nearest neighbours": (NearestNeighbours(SUBSET, Grid((3, 3), OBLONG)), {"on": SUBSET}),
    "local operator": (LocalOperator(KERNEL, 0.2), {"on": GRID}),
    "local operator on subsets": (LocalOperator(KERNEL, 0.2), {"on": SUBSETS}),
    "local operator on scattered points": (LocalOperator(KERNEL, 0.2), {"on": SCATTERED}),
    "white noise": (NOISE, {"on": Grid((3, 4), OBLONG)}),
    "mollified field": (T(FIELD), {}),
    "field with a factor a sample": (T(FIELD) * torch.tensor([0.5, -2.0]), {}),
    "prior": (MOLLIFIED.prior, {}),
    "white measure": (GaussianMeasure(None, Identity(), NOISE), {}),
    "marginal": (
        MOLLIFIED.marginal(Function(Grid((4, 3)), normal(2, 12, 2)), torch.tensor([0.3, 0.9])),
        {},
    ),
    "conditioned measure": (MEASURE.condition(SEEN, noise_std=0.1), {}),
    "cosine schedule": (COSINE, {}),
    "schedule of knots": (KnotSchedule((1.0, 0.5, 0.1)), {}),
    "mollified diffusion": (MOLLIFIED, {"on": Grid((3, 4), OBLONG)}),
    "diffusion that is not variance preserving": (
        DiffusionProcess(
            KnotSchedule((1.0, 0.7, 0.2), (0.0, 0.4, 3.0)),
            signal=gaussian_mollifier(0.2),
            noise_factor=T + 0.5 * Identity(),
            noise=NOISE,
        ),
        {},
    ),
    "blurring diffusion": (DiffusionProcess.blurring(COSINE, Blurring(0.2)), {}),
    "noise prediction": (NoisePrediction(), {}),
    "DDIM with noise": (DDIM(0.5), {}),
    "exact denoiser": (
        GaussianDenoiser(MOLLIFIED, GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise())),
        {"dtype": torch.float64},
    ),
    "multiscale network": (network(), {"dtype": torch.float64}),
    "multiscale network in float32": (network().float(), {}),
    "a network's denoiser": (
        as_denoiser(MOLLIFIED, network(), predict=VelocityPrediction(), clip=(-1.0, 1.0)),
        {"dtype": torch.float64},
    ),
}
LAWS = {
    f"{name}: {law.__name__}": law
    for name, (subject, options) in SUBJECTS.items()
    for law in laws_for(subject, **options)
}


@pytest.mark.thorough
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS.keys())
def test_the_law_holds_where_laws_for_tries_it(law):
    law()
