"""Networks of diffusers and of neuraloperator train, are saved, loaded and sampled, as kinds."""

import dataclasses
import importlib.util
import sys

import numpy as np
import pytest
import torch
from torch import nn
from training_runs import pictures

from inftydiff import Box, Function, Grid
from inftydiff._components import find
from inftydiff.cli import main
from inftydiff.models import DiffusersUNetConfig, NeuralOperatorFNOConfig, functionalise
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, load_pipeline, preset
from inftydiff.testing import laws_for
from inftydiff.training import TrainConfig, train

UNET = DiffusersUNetConfig(
    block_out_channels=(8, 16), norm_num_groups=4, layers_per_block=1, attention_head_dim=4
)
FNO = NeuralOperatorFNOConfig(modes=4, hidden_channels=8, n_layers=2)
HERE = importlib.util.find_spec("neuralop") is not None
BOTH = [UNET, pytest.param(FNO, marks=pytest.mark.skipif(not HERE, reason="an extra of its own"))]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("network", BOTH, ids=lambda network: network.kind)
def test_it_trains_and_draws_the_same_when_it_is_loaded(network, tmp_path):
    config = dataclasses.replace(preset("tiny", resolution=16), network=network, steps=2)
    settings = TrainConfig(max_steps=3, batch_size=4, warmup=0, precision="float32")
    model = train(config, pictures(), None, settings, tmp_path / "run", progress=False)
    loaded = InftyDiff.from_pretrained(model.save_pretrained(tmp_path / "model"))
    assert loaded.config == config == InftyDiffConfig.from_json(config.to_json())
    for size in (16, 24):
        a, b = (m.sample(on=m.grid(size), seeds=[1, 2]).values for m in (model, loaded))
        assert torch.equal(a, b)
        assert bool(a.isfinite().all())


def state_of(module):
    """The weights of a network of another library, by its own names."""
    return {name for name, value in module.state_dict().items() if isinstance(value, torch.Tensor)}


@pytest.mark.parametrize("network", BOTH, ids=lambda network: network.kind)
def test_weights_keep_their_names(network):
    model = InftyDiff(dataclasses.replace(preset("tiny", resolution=16), network=network))
    module = model.network.module
    names = {name.removeprefix("network.module.") for name in model.state_dict()}
    assert names == state_of(module)
    assert all(isinstance(value, torch.Tensor) for value in model.state_dict().values())


@pytest.mark.parametrize("network", BOTH, ids=lambda network: network.kind)
@pytest.mark.parametrize("grid", [Grid((8, 8)), Grid((6, 10), Box((0.6, 1.0)))], ids=["8", "6x10"])
def test_they_keep_the_laws_but_for_other_grids(network, grid):
    torch.manual_seed(0)
    module = network.build(2, grid.domain).eval()
    refined = "discretisation_convergence"
    for law in laws_for(module, on=grid, channels=2):
        if network is FNO or law.__name__ != refined:  # convolutions are as wide as their cells
            law()


@pytest.mark.parametrize("network", BOTH, ids=lambda network: network.kind)
def test_the_time_is_told(network):
    torch.manual_seed(0)
    module = network.build(1, Box((1.0, 1.0))).eval()
    values = torch.randn(1, 16, 1, generator=seeded()).expand(2, -1, -1)
    with torch.no_grad():
        a, b = module(Function(Grid((4, 4)), values), torch.tensor([0.1, 0.9])).values
    assert not torch.allclose(a, b)


@pytest.mark.skipif(not HERE, reason="an extra of its own")
@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("padding", [0.0, 0.25])
def test_a_fourier_network_reads_lines_planes_and_boxes(dim, padding):
    network = dataclasses.replace(FNO, domain_padding=padding).build(1, Box((1.0,) * dim))
    for cells in (1, 3, 8):
        x = Function(Grid((cells,) * dim), torch.ones(1, cells**dim, 1))
        assert network(x, torch.tensor([0.5])).values.isfinite().all()


def test_the_commands_train_and_sample_one(tmp_path):
    np.save(tmp_path / "x.npy", pictures().pixels.numpy())
    sizes = ["--network.block-out-channels", "8", "16", "--network.norm-num-groups", "4"]
    words = [*sizes, "--preset", "tiny", "--batch-size", "4", "--held-out", "4", "--max-steps", "1"]
    run, out = str(tmp_path / "run"), tmp_path / "samples.npy"
    words = [str(tmp_path / "x.npy"), "--out", run, "--network.kind", "diffusers_unet", *words]
    assert main(["train", *words]) == 0
    config = load_pipeline(run).config.network
    assert config == DiffusersUNetConfig(block_out_channels=(8, 16), norm_num_groups=4)
    words = ["--size", "8", "12", "--count", "1", "--steps", "2", "--out", str(out)]
    assert main(["sample", run, *words]) == 0
    assert np.load(out).shape == (1, 3, 8, 12)


def test_kinds_are_found():
    assert find("network", "diffusers_unet") is DiffusersUNetConfig
    assert find("network", "neuraloperator_fno") is NeuralOperatorFNOConfig


def test_sides_that_do_not_halve_are_refused():
    network = UNET.build(1, Box((1.0, 1.0)))
    x = Function(Grid((9, 8)), torch.zeros(1, 72, 1))
    with pytest.raises(ValueError, match="multiple"):
        network(x, torch.tensor([0.5]))


@pytest.mark.parametrize("network", [UNET, FNO])
@pytest.mark.parametrize("module", ["diffusers", "neuralop"])
def test_a_missing_library_is_named_with_its_extra(network, module, monkeypatch):
    if (module == "diffusers") != (network is UNET):
        return
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.models", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install \"inftydiff\[(diff|neural)"):
        network.build(1, Box((1.0, 1.0)))


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (UNET, {"block_out_channels": ()}, "level"),
        (UNET, {"attention": 3}, "attention|levels"),
        (UNET, {"norm_num_groups": 3}, "group"),
        (UNET, {"block_out_channels": (0, 8)}, "channels must be"),
        (FNO, {"modes": 0}, "modes must be"),
    ],
)
def test_sizes_that_make_no_network_are_refused(config, changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(config, **changes)


def test_domains_that_they_cannot_read_are_refused():
    with pytest.raises(ValueError, match="domains of 2 axes; got one of 1"):
        UNET.build(1, Box((1.0,)))
    with pytest.raises(ValueError, match="1 or 2 or 3 axes; got one of 4"):
        FNO.build(1, Box((1.0,) * 4))


class Answer:
    """Images within an object."""

    def __init__(self, sample):
        self.sample = sample


class Boxed(nn.Module):
    """A network that answers as those of diffusers do."""

    def forward(self, images, t):
        return Answer(images * t[:, None, None, None])


class Channelled(nn.Module):
    """A network that reads the time as the last channel."""

    def forward(self, images):
        return images[:, :-1] * images[:, -1:]


def test_answers_within_objects_and_times_as_channels_are_taken():
    x = Function(Grid((4, 4)), torch.randn(2, 16, 3, generator=seeded()))
    t = torch.tensor([0.25, 1.0])
    expected = x.values * t[:, None, None]
    assert torch.equal(functionalise(Boxed())(x, t).values, expected)
    assert torch.equal(functionalise(Channelled(), time="channel")(x, t).values, expected)
    scaled = functionalise(Channelled(), clock=lambda t: 1000 * t, time="channel")
    assert torch.allclose(scaled(x, t).values, 1000 * expected)
