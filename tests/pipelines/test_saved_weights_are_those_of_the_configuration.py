"""What is saved loads as the same model; what would not is refused before it is written."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from autoencoders import autoencoder
from safetensors.torch import load_file, save_file
from torch import nn

from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines._weights import digest
from inftydiff.training import TrainConfig
from inftydiff.training.checkpoint import save
from inftydiff.training.progress import Progress


@pytest.fixture
def model() -> InftyDiff:
    return autoencoder().float().eval()


def compiled(model: InftyDiff) -> None:
    model.network = torch.compile(model.network, backend="eager")


def inside(model: InftyDiff) -> None:
    model.network.unet = torch.compile(model.network.unet, backend="eager")


def parallel(model: InftyDiff) -> None:
    model.network = nn.DataParallel(model.network)


def both(model: InftyDiff) -> None:
    model.encoder = nn.DataParallel(torch.compile(model.encoder, backend="eager"))


def tied(model: InftyDiff) -> None:
    first, second = model.network.embed.first, model.network.embed.second
    with torch.no_grad():
        first.weight[:] = 1.0
    second.weight = first.weight if first.weight.shape == second.weight.shape else second.weight
    second.bias = first.bias if first.bias.shape == second.bias.shape else second.bias


def views(model: InftyDiff) -> None:
    weight = model.network.embed.first.weight
    flat = torch.cat([weight.detach().flatten(), torch.zeros(9)])
    weight.data = flat[: weight.numel()].view_as(weight)


GOOD = [compiled, inside, parallel, both, tied, views]


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
@pytest.mark.parametrize("change", GOOD, ids=lambda change: change.__name__)
def test_what_computes_the_same_is_saved_plainly(
    change: Callable[[InftyDiff], None],
    dtype: torch.dtype | None,
    model: InftyDiff,
    tmp_path: Path,
):
    names = list(model.state_dict())
    change(model)
    values = list(model.state_dict().values())
    folder = model.save_pretrained(tmp_path / "model", dtype=dtype)
    loaded = InftyDiff.from_pretrained(folder).state_dict()
    assert list(loaded) == names
    parameters = dict(autoencoder().named_parameters())
    for name, value in zip(names, values, strict=True):
        kept = value if dtype is None or name not in parameters else value.to(dtype)
        assert torch.equal(loaded[name], kept.float())


class Scaled(nn.Module):
    """A wrapper of one's own, which computes something else and has PyTorch's name inside."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


class Louder(nn.Linear):
    """Another layer with the same weights."""


def other(model: InftyDiff) -> None:
    model.network = nn.Linear(3, 3)


def scaled(model: InftyDiff) -> None:
    model.network = Scaled(model.network)


def louder(model: InftyDiff) -> None:
    model.network.embed.first.__class__ = Louder


def none(model: InftyDiff) -> None:
    model.prior = None


def more(model: InftyDiff) -> None:
    model.extra = nn.Linear(2, 2)


def meta(model: InftyDiff) -> None:
    model.to("meta")


def whole_numbers(model: InftyDiff) -> None:
    weight = model.network.projection.weight
    weight.requires_grad_(False).data = weight.data.long()


def normed(model: InftyDiff) -> None:
    nn.utils.parametrizations.weight_norm(model.network.projection)


def nan(model: InftyDiff) -> None:
    model.prior.mean[0] = torch.nan


def reshaped(model: InftyDiff) -> None:
    model.network.projection.bias = nn.Parameter(torch.zeros(7))


BAD = {
    other: "network is of Linear, and the configuration makes one of MultiscaleNetwork",
    scaled: "network is of Scaled",
    louder: r"network\.embed\.first is of Louder",
    none: r"Missing: prior\.",
    more: r"Unexpected: extra\.bias, extra\.weight",
    meta: "without values, on the meta device: encoder",
    whole_numbers: r"Of other numbers: network\.projection\.weight torch\.int64 for torch\.float32",
    normed: "network.projection is of ParametrizedLinear",
    nan: r"not finite: prior\.mean\.",
    reshaped: r"shape: network\.projection\.bias \(7,\) for",
}


@pytest.mark.parametrize("change", BAD, ids=lambda change: change.__name__)
def test_what_would_not_load_is_not_saved(
    change: Callable[[InftyDiff], None], model: InftyDiff, tmp_path: Path
):
    with torch.no_grad():
        change(model)
    with pytest.raises(ValueError, match=BAD[change]):
        model.save_pretrained(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.int8, torch.complex64, torch.bool])
def test_dtypes_that_weights_have_not(dtype: torch.dtype, model: InftyDiff, tmp_path: Path):
    with pytest.raises(ValueError, match=f"got dtype={dtype}"):
        model.save_pretrained(tmp_path / "new", dtype=dtype)
    folder = model.save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match=f"got dtype={dtype}"):
        InftyDiff.from_pretrained(folder, dtype=dtype)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_weights_too_large_for_the_dtype_asked_for(model: InftyDiff, tmp_path: Path):
    with torch.no_grad():
        model.network.projection.bias[0] = 1e6
    folder = model.save_pretrained(tmp_path / "model")
    message = r"not finite: network\.projection\.bias\. They are too large for torch\.float16"
    with pytest.raises(ValueError, match=message):
        InftyDiff.from_pretrained(folder, dtype=torch.float16)
    InftyDiff.from_pretrained(folder, dtype=torch.bfloat16)


def saved(model: InftyDiff, folder: Path, change: Callable[[Any], torch.Tensor]) -> Path:
    """A saved model, one weight of which was changed, with the right digest."""
    model.save_pretrained(folder)
    file, config = folder / "model.safetensors", folder / "config.json"
    tensors = load_file(file)
    tensors["network.projection.bias"] = change(tensors["network.projection.bias"])
    plain = json.dumps(json.loads(config.read_text()), sort_keys=True, separators=(",", ":"))
    found = hashlib.sha256(plain.encode()).hexdigest()
    save_file(tensors, file, metadata={"sha256": digest(tensors), "config_sha256": found})
    return folder


def checkpoint(model: InftyDiff, folder: Path, change: Callable[[Any], torch.Tensor]) -> Path:
    """A checkpoint, one averaged weight of which was changed, with the right digest."""
    optimiser = torch.optim.AdamW(model.parameters())
    config = TrainConfig(max_steps=1)
    made = save(
        folder,
        average=model,
        pipeline=model,
        optimiser=optimiser,
        training=config,
        progress=Progress(),
    )
    file, settings = made / "model.safetensors", made / "config.json"
    tensors = load_file(file)
    tensors["network.projection.bias"] = change(tensors["network.projection.bias"])
    save_file(tensors, file)
    record = json.loads(settings.read_text())
    record["digests"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    settings.write_text(json.dumps(record))
    return made


CHANGES = {
    "not finite: network": lambda value: value * torch.nan,
    "Of other numbers: network.projection.bias torch.int64": lambda value: value.long(),
    "shape: network.projection.bias": lambda value: torch.zeros(7),
}


@pytest.mark.parametrize("message", CHANGES)
@pytest.mark.parametrize("store", [saved, checkpoint])
def test_both_loaders_check(store: Any, message: str, model: InftyDiff, tmp_path: Path):
    folder = store(model, tmp_path / "model", CHANGES[message])
    loaders = [load_pipeline] if store is checkpoint else [load_pipeline, InftyDiff.from_pretrained]
    for load in loaders:
        with pytest.raises(ValueError, match=rf"model\.safetensors .*{message}"):
            load(folder)


def test_good_files_load_both_ways(model: InftyDiff, tmp_path: Path):
    for number, store in enumerate((saved, checkpoint)):
        folder = store(model, tmp_path / str(number), lambda value: value)
        loaded = load_pipeline(folder).state_dict()
        assert all(torch.equal(loaded[k], v) for k, v in model.state_dict().items())
