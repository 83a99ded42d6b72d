"""A network says what it takes, is asked before it is used, and is saved with all that it holds."""

import dataclasses

import pytest
import torch
from autoencoders import autoencoder
from own_networks import FourierConfig, FourierNetwork, OtherConfig, PlainConfig
from torch import nn

from inftydiff import Box, Function, Point, WhiteNoise, timesteps
from inftydiff.models import Capabilities, capabilities_of, tiny
from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.processes import NoisePrediction, WhiteProcess


def config_of(network, **changes) -> InftyDiffConfig:
    return dataclasses.replace(InftyDiffConfig(network=network, process=WhiteProcess()), **changes)


def states(model: InftyDiff, batch: int = 2) -> tuple[Function, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    on = model.grid(8)
    return Function(on, torch.rand(batch, on.size, 3, generator=generator)), torch.rand(batch)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"boundaries": ("round",)}, "Each of a network's boundaries must be one of .*'round'"),
        ({"inputs": ("text",)}, "Each of a network's inputs must be one of .*'text'"),
        ({"inputs": ("Latent",)}, "Each of a network's inputs must be one of .*'Latent'"),
        ({"dims": (-1,)}, "Each of A network's dims must be"),
        ({"dims": (17,)}, "Each of A network's dims must be"),
        ({"cell": 0.0}, "A network's cell must be"),
        ({"cell": float("nan")}, "A network's cell must be"),
        ({"halo": -1.0}, "A network's halo must be"),
        ({"halo": float("inf")}, "A network's halo must be"),
        ({"scale": 0.0}, "A network's scale must be"),
        ({"scale": float("inf")}, "A network's scale must be"),
    ],
    ids=str,
)
def test_capabilities_are_checked(fields, said):
    with pytest.raises(ValueError, match=said):
        Capabilities(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"dims": 2},
        {"dims": "2"},
        {"inputs": "latent"},
        {"boundaries": "periodic"},
        {"subsets": 1},
        {"mixed_precision": "no"},
        {"scale": "1"},
        {"cell": True},
    ],
    ids=str,
)
def test_capabilities_are_of_their_kinds(fields):
    name = next(iter(fields))
    with pytest.raises((TypeError, ValueError), match=name):
        Capabilities(**fields)


def test_capabilities_are_values():
    one = Capabilities(dims=[1, 2], boundaries=["periodic"], inputs=["latent"], static=["unet"])
    other = Capabilities((1, 2), ("periodic",), inputs=("latent",), static=("unet",))
    assert one == other
    assert hash(one) == hash(other)


DOMAINS = [Point(), Box((1.0,)), Box((1.0, 2.0), boundary=("periodic", "reflecting"))]


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
def test_a_silent_network_is_taken_for_one_of_all_domains(domain):
    silent = capabilities_of(nn.Linear(1, 1))
    assert silent == Capabilities()
    silent.check(domain, "It")
    with pytest.raises(ValueError, match="It takes no latent and no label; leave it out"):
        silent.check(domain, "It", inputs=("latent", "label"))


@pytest.mark.parametrize(
    ("capabilities", "domain", "said"),
    [
        (Capabilities(dims=(1, 3)), Box((1.0, 1.0)), "of 1 or 3 axes; got one of 2"),
        (Capabilities(dims=(1,)), Point(), "of 1 axes; got one of 0"),
        (Capabilities(dims=()), Point(), "got one of 0"),
        (
            Capabilities(boundaries=("periodic", "absorbing")),
            Box((1.0, 1.0), boundary=("periodic", "reflecting")),
            "with periodic or absorbing sides; got reflecting ones",
        ),
        (Capabilities(boundaries=()), Box((1.0,)), "got reflecting ones"),
    ],
    ids=str,
)
def test_domains_that_are_not_claimed_are_refused(capabilities, domain, said):
    with pytest.raises(ValueError, match=f"^It .*{said}"):
        capabilities.check(domain, "It")


def test_a_point_has_no_sides_to_be_refused():
    Capabilities(boundaries=()).check(Point(), "It")


def test_capabilities_of_another_kind_are_refused():
    class Wrong(nn.Module):
        capabilities = "everything"

    with pytest.raises(TypeError, match="A network's capabilities must be .*Return a Capabilities"):
        capabilities_of(Wrong())


@pytest.mark.parametrize(
    ("network", "changes", "said"),
    [
        (OtherConfig(dims=(1,)), {}, "The network 'test_other' reads functions on domains of 1"),
        (
            OtherConfig(boundaries=("reflecting",)),
            {"domain": Box((1.0, 1.0), boundary="periodic")},
            "'test_other' reads functions on domains with reflecting sides; got periodic",
        ),
        (
            OtherConfig(),
            {"latent": 3, "encoder": tiny()},
            "The network 'test_other' takes no latent; leave it out",
        ),
        (
            FourierConfig(),
            {"latent": 3, "encoder": tiny()},
            "The network 'test_fourier' takes no latent; leave the model's latent out",
        ),
        (
            OtherConfig(inputs=("latent",)),
            {"latent": 3},
            "The network 'test_other' has no encoder of its own",
        ),
    ],
    ids=str,
)
def test_a_model_asks_its_network_when_it_is_built(network, changes, said):
    with pytest.raises(ValueError, match=said):
        InftyDiff(config_of(network, **changes))


def test_a_latent_is_refused_by_a_model_without_latents():
    model = InftyDiff(config_of(FourierConfig()))
    with pytest.raises(TypeError, match="This model has no latents and takes no latent"):
        model.denoiser(torch.zeros(2, 3))
    with pytest.raises(ValueError, match="no encoder"):
        model.encode(states(model)[0])


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ("channels", ValueError, r"shape of the states, \(2, 64, 3\); got \(2, 64, 1\)"),
        ("samples", ValueError, r"shape of the states, \(2, 64, 3\); got \(1, 64, 3\)"),
        ("points", ValueError, "(?s)Grid.*Grid"),
        ("values", TypeError, "What a network answers|parameter 'answer'"),  # or the type checker
    ],
)
def test_answers_of_another_form_are_refused(answer, error, said):
    model = InftyDiff(config_of(OtherConfig(answer=answer)))
    x, t = states(model)
    with pytest.raises(error, match=said):
        model(x, t)
    with pytest.raises(error, match=said):
        model.loss(x, t, generator=torch.Generator().manual_seed(0))
    with pytest.raises(error, match=said):
        model.sample(on=model.grid(8), seeds=[0, 1], times=timesteps(2), oversample=1)


def other_class(model):
    model.network = FourierNetwork(3, 4)
    return "its network is of FourierNetwork, and the configuration makes one of Plain"


def other_config(model):
    model.network = PlainConfig(width=6).build(3, model.config.domain)
    return "counts"


def other_part(model):
    model.network.linear = nn.Sequential(nn.Linear(3, 3))
    return "its network.linear is of Sequential, and the configuration makes one of Linear"


def other_process(model):
    model.process = WhiteProcess(noise=WhiteNoise(1.0)).build(model.config.domain)
    return "its process is another than the one the configuration makes"


def other_prediction(model):
    model.predict = NoisePrediction()
    return "its predict is another than the one the configuration makes"


def same_shapes(model):
    model.config = dataclasses.replace(model.config, network=OtherConfig(power=2.0))
    return "its network.config is another than the one the configuration makes"


CHANGES = [other_class, other_config, other_part, other_process, other_prediction, same_shapes]


@pytest.mark.parametrize("change", CHANGES)
def test_a_model_that_its_configuration_does_not_make_is_not_written(change, tmp_path):
    network = OtherConfig() if change is same_shapes else PlainConfig()
    model = InftyDiff(config_of(network))
    folder = tmp_path / "model"
    said = change(model)
    with pytest.raises(ValueError, match=said):
        model.save_pretrained(folder)
    assert not folder.exists()
    InftyDiff(config_of(PlainConfig())).save_pretrained(folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(ValueError, match=said):
        model.save_pretrained(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_multiscale_network_of_another_scale_is_not_written(tmp_path):
    model = autoencoder()
    config = dataclasses.replace(tiny(), scale=2.0 * tiny().scale)
    model.network = config.build(3, model.config.domain, latent=model.config.latent)
    with pytest.raises(ValueError, match="its network.config is another than"):
        model.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_network_without_a_kind_is_not_written(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Nameless:
        def build(self, channels, domain):
            return PlainConfig().build(channels, domain)

    model = InftyDiff(config_of(Nameless()))
    with pytest.raises(ValueError, match='component\\("network", "its_kind"\\)'):
        model.save_pretrained(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("network", [PlainConfig(), FourierConfig()], ids=str)
def test_a_network_is_saved_with_its_buffers_and_complex_weights(network, dtype, tmp_path):
    torch.manual_seed(0)
    model = InftyDiff(config_of(network)).eval()
    model.save_pretrained(tmp_path / "model", dtype=dtype)
    loaded = InftyDiff.from_pretrained(tmp_path / "model")
    state, other = model.state_dict(), loaded.state_dict()
    assert state.keys() == other.keys()
    for name, value in state.items():
        assert other[name].dtype == value.dtype
        close = value.to(dtype) if dtype and value.is_floating_point() else value
        assert torch.allclose(other[name], close.to(value.dtype), rtol=1e-2, atol=1e-2)
        if dtype is None or not (value.is_floating_point() or value.is_complex()):
            assert torch.equal(other[name], value)
    for (name, part), (_, its) in zip(model.named_buffers(), loaded.named_buffers(), strict=True):
        assert torch.equal(part, its), name
    x, t = states(model)
    with torch.no_grad():
        within = 0.0 if dtype is None else 1e-2
        answers = loaded(x, t).values, model(x, t).values
        torch.testing.assert_close(*answers, rtol=within, atol=within)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("network", [PlainConfig(), FourierConfig()], ids=str)
def test_a_loaded_network_keeps_kinds_of_numbers_in_any_precision(network, dtype, tmp_path):
    model = InftyDiff(config_of(network))
    model.save_pretrained(tmp_path / "model")
    loaded = InftyDiff.from_pretrained(tmp_path / "model", dtype=dtype)
    for name, value in model.state_dict().items():
        found = loaded.state_dict()[name]
        assert found.is_complex() == value.is_complex()
        assert found.is_floating_point() == value.is_floating_point()
    if dtype == torch.float64:
        x, t = states(model)
        double = Function(x.on, x.values.double())
        with torch.no_grad():
            answer = loaded(double, t.double()).values
            assert answer.dtype == torch.float64
            torch.testing.assert_close(answer.float(), model(x, t).values)
