"""Mistakes that papers and libraries have made are caught, each by the law that it breaks."""

import pytest
from mutants import assert_caught
from test_laws_catch_mutants import (
    Changed,
    Operator,
    clipped,
    denoiser,
    model,
    with_amplitudes_swapped,
    with_nodes_for_centres,
    with_sums,
)
from test_laws_catch_wrong_noise import (
    Measure,
    at_the_nodes,
    blurred_cells,
    changed,
    in_pixels,
    unit_cells,
    weighted,
)
from test_laws_catch_wrong_processes import (
    COSINE,
    MOLLIFIED,
    Forgetful,
    Multi,
    Process,
    Rule,
    Schedule,
    asking_twice,
    posterior_with_beta,
    stopping_short,
    with_a_signal_at_the_wrong_time,
    with_noise_left,
    with_one_draw_for_all,
    with_white_noise,
)

from inftydiff import DiffusionProcess

MISTAKES = {
    "unit noise in each cell, whatever its size": (
        "draws_have_the_covariance",
        changed(unit_cells),
    ),
    "a kernel measured in pixels": ("covariance_refines", Measure(matrix=in_pixels)),
    "coarse noise blurred, not a fine field read": (
        "one_draw_is_one_function",
        Measure(draws=blurred_cells),
    ),
    "the weights of a subset taken for cell volumes": (
        "covariance_restricts",
        Measure(matrix=weighted),
    ),
    "nodes from 0 to 1 for cell centres": ("points_decide", Operator(with_nodes_for_centres)),
    "a field read at nodes from 0 to 1": ("one_draw_is_one_function", Measure(draws=at_the_nodes)),
    "T forgotten on the noise of a step": ("one_step_on_every_grid", Rule(with_white_noise)),
    "T forgotten on the signal": (
        "marginal_is_signal_and_noise",
        Process(marginal=DiffusionProcess.noise_only(COSINE, MOLLIFIED.signal).marginal),
    ),
    "β for β̃ in the posterior": (
        "posterior_is_the_conditional",
        Process(posterior=posterior_with_beta),
    ),
    "noise added in the last step": ("ends_at_the_signal", Rule(with_noise_left)),
    "the last step ends at the smallest σ, not at 0 (diffusers #5689)": (
        "ends_at_the_signal",
        Rule(stopping_short),
    ),
    "the denoiser called twice (deepinv #896)": ("calls_as_it_says", Rule(asking_twice)),
    "the blur of time t left in the state at s": (
        "ends_at_the_signal",
        Rule(with_a_signal_at_the_wrong_time),
    ),
    "samples that depend on the size of their batch": ("batch_prefix", Rule(with_one_draw_for_all)),
    "a solver that keeps its history in itself": ("reproducible", Multi(Forgetful())),
    "1 − ᾱ and ᾱ swapped in a schedule": (
        "starts_at_the_data",
        Schedule(a=COSINE.sigma, s=COSINE.alpha),
    ),
    "1 − ᾱ and ᾱ swapped in what a network says": ("target_reads_back", Changed(swap=True)),
    "1 − ᾱ and ᾱ swapped in a denoiser": ("explains_the_state", denoiser(with_amplitudes_swapped)),
    "a signal clipped, and its noise not derived again": ("explains_the_state", denoiser(clipped)),
    "a sum over points for an integral": ("discretisation_convergence", model(with_sums)),
}


@pytest.mark.parametrize(("law", "mistake"), MISTAKES.values(), ids=MISTAKES.keys())
def test_the_mistake_is_caught(law: str, mistake: object):
    assert_caught(law, mistake)
