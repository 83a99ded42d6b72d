"""A model can be made of any process, schedule and network, and is trained, saved and sampled.

No process refuses a schedule. What a network or an operator cannot do is refused in words when the
model is built, and is in the table ``REFUSED``.
"""

import dataclasses

import pytest
import torch
from every_schedule import EVERY
from own_networks import FourierConfig, PlainConfig

from inftydiff import Box, Function, Point, Subset, gaussian_mollifier, matern, timesteps
from inftydiff._components import kind_of, kinds
from inftydiff.models import NetworkConfig, tiny
from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.processes import (
    Blurring,
    BlurringProcess,
    CleanPrediction,
    GeneralProcess,
    MollifiedProcess,
    NoiseOnlyProcess,
    NoisePrediction,
    Parameterisation,
    ProcessConfig,
    Schedule,
    SignalPrediction,
    TraceClassProcess,
    VelocityPrediction,
    WhiteProcess,
)

MOLLIFIER = gaussian_mollifier(1 / 16)

PROCESSES = {
    "mollified": lambda schedule: MollifiedProcess(MOLLIFIER, schedule),
    "white": lambda schedule: WhiteProcess(schedule),
    "noise_only": lambda schedule: NoiseOnlyProcess(MOLLIFIER, schedule),
    "trace_class": lambda schedule: TraceClassProcess(matern(1.5, 0.2, dim=2), schedule),
    "blurring": lambda schedule: BlurringProcess(Blurring(0.1), schedule),
    "general": lambda schedule: GeneralProcess(MOLLIFIER, MOLLIFIER @ MOLLIFIER, schedule),
}

SCHEDULES: dict[str, Schedule] = {}
for example in EVERY.values():
    SCHEDULES.setdefault(str(kind_of(example)), example)

NETWORKS: dict[str, NetworkConfig] = {"multiscale": tiny(), "test_fourier": FourierConfig()}
EVERY_NETWORK = NETWORKS | {"test_plain": PlainConfig()}


def config_of(
    process: ProcessConfig,
    network: NetworkConfig,
    predict: Parameterisation,
) -> InftyDiffConfig:
    return InftyDiffConfig(network=network, process=process, predict=predict, steps=2)


def model_of(config: InftyDiffConfig) -> InftyDiff:
    """A model with no parameter at zero, so that all of it acts."""
    generator = torch.Generator().manual_seed(0)
    model = InftyDiff(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 4
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.copy_(noise / fan_in**0.5)
    return model


def functions(model: InftyDiff) -> Function:
    on, generator = model.grid(8), torch.Generator().manual_seed(5)
    return Function(on, torch.rand(2, on.size, 3, generator=generator) - 0.5)


def trains(model: InftyDiff, at: Subset | None = None) -> None:
    """The loss and its gradients are finite, and one of the latter is not zero."""
    generator = torch.Generator().manual_seed(0)
    loss = model.loss(functions(model), torch.tensor([0.3, 0.8]), at=at, generator=generator)
    assert loss.shape == (2,)
    assert bool(loss.isfinite().all())
    loss.mean().backward()
    gradients = [p.grad for p in model.network.parameters() if p.grad is not None]
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)
    assert any(bool((gradient != 0.0).any()) for gradient in gradients)


def sampled(model: InftyDiff) -> torch.Tensor:
    return model.sample(on=model.grid(8), seeds=[1, 2], times=timesteps(2), oversample=1).values


def goes_round(model: InftyDiff, folder) -> None:
    """A saved model draws the same samples."""
    before = sampled(model)
    loaded = InftyDiff.from_pretrained(model.save_pretrained(folder))
    assert loaded.config == model.config
    state, other = model.state_dict(), loaded.state_dict()
    assert state.keys() == other.keys()
    assert all(torch.equal(state[name], other[name]) for name in state)
    assert all(state[name].dtype == other[name].dtype for name in state)
    assert torch.equal(sampled(loaded), before)


def test_the_matrix_has_every_kind():
    assert set(PROCESSES) == set(kinds("process"))
    assert set(SCHEDULES) == set(kinds("schedule"))


@pytest.mark.thorough
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_with_every_schedule(process, schedule, network, tmp_path):
    made = PROCESSES[process](SCHEDULES[schedule])
    model = model_of(config_of(made, NETWORKS[network], VelocityPrediction()))
    trains(model)
    goes_round(model, tmp_path)


@pytest.mark.thorough
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "predict", [NoisePrediction(), SignalPrediction(), CleanPrediction()], ids=kind_of
)
@pytest.mark.parametrize("process", PROCESSES)
def test_every_process_with_every_parameterisation(process, predict, network, tmp_path):
    made = PROCESSES[process](SCHEDULES["cosine"])
    model = model_of(config_of(made, NETWORKS[network], predict))
    trains(model)
    goes_round(model, tmp_path)


@pytest.mark.parametrize("process", PROCESSES)
def test_a_network_of_points_trains_on_some_of_them(process):
    model = InftyDiff(
        config_of(PROCESSES[process](SCHEDULES["cosine"]), tiny(), VelocityPrediction())
    )
    trains(model, at=Subset(model.grid(8), torch.arange(0, 64, 3)))


@pytest.mark.parametrize("process", PROCESSES)
def test_a_network_of_grids_is_trained_on_grids(process):
    made = PROCESSES[process](SCHEDULES["cosine"])
    model = InftyDiff(config_of(made, FourierConfig(), VelocityPrediction()))
    with pytest.raises(ValueError, match="FourierNetwork reads whole grids, and is trained on"):
        trains(model, at=Subset(model.grid(8), torch.arange(9)))


def test_mixed_precision_is_for_networks_that_take_it():
    process = PROCESSES["white"](SCHEDULES["cosine"])
    for network, differs in ((FourierConfig(), False), (tiny(), True)):
        model = model_of(config_of(process, network, VelocityPrediction()))
        x, t = functions(model), torch.tensor([0.3, 0.8])
        with torch.no_grad():
            full = model(x, t).values
            model.compute_dtype = torch.bfloat16
            mixed = model(x, t).values
        assert torch.equal(full, mixed) is not differs


LINE, TORUS = Box((1.0,)), Box((1.0, 1.0), boundary="periodic")
PLANE, SPACE = Box((1.0, 1.0)), Box((1.0, 1.0, 1.0))

TAKEN = {
    ("test_fourier", TORUS): "mollified",
    ("test_fourier", PLANE): "mollified",
    ("test_plain", LINE): "white",
    ("test_plain", TORUS): "trace_class",
    ("test_plain", SPACE): "blurring",
    ("test_plain", Point()): "white",
}
"""Networks that read functions on other domains than the unit square with reflecting sides."""

REFUSED = {
    ("multiscale", LINE, "white"): "reads functions on domains of 2 axes; got one of 1",
    ("multiscale", SPACE, "white"): "reads functions on domains of 2 axes; got one of 3",
    ("multiscale", Point(), "white"): "reads functions on domains of 2 axes; got one of 0",
    ("multiscale", TORUS, "white"): "with reflecting sides; got periodic ones",
    ("test_fourier", LINE, "white"): "'test_fourier' reads functions on domains of 2 axes",
    ("test_fourier", SPACE, "white"): "'test_fourier' reads functions on domains of 2 axes",
    ("test_plain", LINE, "trace_class"): "normalised for dim=2; got a domain of dimension 1",
    ("test_plain", SPACE, "trace_class"): "normalised for dim=2; got a domain of dimension 3",
}
"""Networks, domains and processes that do not go together, and the sentence that says so."""


@pytest.mark.parametrize("cell", TAKEN, ids=str)
def test_networks_read_functions_on_the_domains_that_they_claim(cell, tmp_path):
    network, domain = cell
    made = PROCESSES[TAKEN[cell]](SCHEDULES["cosine"])
    config = config_of(made, EVERY_NETWORK[network], VelocityPrediction())
    model = model_of(dataclasses.replace(config, domain=domain))
    trains(model)
    goes_round(model, tmp_path)


@pytest.mark.parametrize("cell", REFUSED, ids=str)
def test_what_does_not_go_together_is_refused_when_the_model_is_built(cell):
    network, domain, process = cell
    made = PROCESSES[process](SCHEDULES["cosine"])
    config = config_of(made, EVERY_NETWORK[network], VelocityPrediction())
    with pytest.raises(ValueError, match=REFUSED[cell]):
        InftyDiff(dataclasses.replace(config, domain=domain))


@pytest.mark.parametrize("process", [MollifiedProcess, NoiseOnlyProcess, TraceClassProcess])
def test_an_operator_of_another_dimension_is_refused_when_the_model_is_built(process):
    operator = 2.0 * gaussian_mollifier(0.1) @ matern(1.5, 0.2, dim=2)
    config = config_of(process(operator), PlainConfig(), VelocityPrediction())
    assert InftyDiff(config)
    with pytest.raises(ValueError, match="normalised for dim=2; got a domain of dimension 1"):
        InftyDiff(dataclasses.replace(config, domain=LINE))
    general = GeneralProcess(gaussian_mollifier(0.1), operator)
    with pytest.raises(ValueError, match="normalised for dim=2; got a domain of dimension 1"):
        InftyDiff(dataclasses.replace(config, domain=LINE, process=general))


def test_a_model_on_the_point_samples_as_its_configuration_says():
    config = config_of(WhiteProcess(), PlainConfig(), VelocityPrediction())
    for training_resolution in (None, 64):
        changed = dataclasses.replace(
            config, domain=Point(), training_resolution=training_resolution
        )
        model = model_of(changed)
        assert model.sample(on=model.grid(8), seeds=[1, 2]).values.shape == (2, 1, 3)


@pytest.mark.parametrize("network", ["test_fourier", "test_plain"])
def test_a_network_without_latents_makes_no_autoencoder(network):
    config = config_of(
        PROCESSES["white"](SCHEDULES["cosine"]), EVERY_NETWORK[network], VelocityPrediction()
    )
    with pytest.raises(ValueError, match=f"The network '{network}' takes no latent; leave the"):
        InftyDiff(dataclasses.replace(config, latent=3, encoder=tiny()))
