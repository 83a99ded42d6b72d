r"""Models as folders of plain files, on a disk or on the Hugging Face Hub.

::

    folder/config.json         what the model is made from, with the version of its form
           model.safetensors   the weights
           README.md           the model card

Nothing is pickled, and nothing pickled is read: a pickle runs whatever code its maker put in. Each
file is written beside its place and put there when all of them are on the disk, the configuration
last. The weights carry a digest of themselves and one of the configuration, so that a damaged file
is noticed, and so are two files that were not saved together.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from inftydiff.pipelines.config import InftyDiffConfig
from inftydiff.pipelines.hub import fetch
from inftydiff.pipelines.shipped import shipped

__all__ = [
    "CONFIG",
    "FILES",
    "PICKLES",
    "WEIGHTS",
    "check_precision",
    "checked_weights",
    "is_pretrained",
    "read_folder",
    "reason",
    "resolve",
    "write_folder",
]

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
FILES = (CONFIG, WEIGHTS, CARD)
"""The files of a model."""

PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
"""How the names of pickled weights end."""

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
DIGEST, CONFIG_DIGEST = "sha256", "config_sha256"
SHOWN = 3
"""How many names of weights an error lists."""


def write_folder(
    folder: str | Path,
    config: InftyDiffConfig,
    tensors: Mapping[str, Tensor],
    *,
    card: str,
) -> Path:
    """Write a model's files, all of them or none; other files in the folder stay.

    Raises:
        ValueError: if the folder is a file, or it holds a checkpoint of a training run.
        OSError: if the files cannot be written, for instance because the disk is full; a model that
            was there is as it was.
    """
    from safetensors import SafetensorError

    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, and a model is saved in a folder.")
    if (folder / CONFIG).exists() and not is_pretrained(folder):
        raise ValueError(
            f"{folder / CONFIG} is not that of a saved model, and would be replaced. Choose "
            "another folder."
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    mark = f".tmp-{secrets.token_hex(4)}"
    partial = {name: folder / f"{name}{mark}" for name in (CARD, WEIGHTS, CONFIG)}
    try:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(partial, config.to_json(), tensors, card)
        except (OSError, SafetensorError) as error:
            there = "The one before is intact" if (folder / CONFIG).exists() else "None was before"
            raise OSError(
                f"The model could not be written to {folder}: {reason(error)}. {there}; make room "
                "there, and save again."
            ) from error
        for name, file in partial.items():
            os.replace(file, folder / name)
    finally:
        for file in partial.values():
            file.unlink(missing_ok=True)
    return folder


def _write(
    files: Mapping[str, Path], config: str, tensors: Mapping[str, Tensor], card: str
) -> None:
    """Write the files of a model, and wait until they are on the disk."""
    from safetensors.torch import save_file

    metadata = {"format": "pt", DIGEST: digest(tensors), CONFIG_DIGEST: config_digest(config)}
    files[CARD].write_text(card, encoding="utf-8")
    save_file(dict(tensors), files[WEIGHTS], metadata=metadata)
    files[CONFIG].write_text(config, encoding="utf-8")
    shutil.copymode(files[CONFIG], files[WEIGHTS])  # safetensors lets the owner alone read
    for file in files.values():
        with file.open("rb+") as opened:
            os.fsync(opened.fileno())


def reason(error: Exception) -> str:
    """What went wrong with a file, in words: an error of the system without its number and path."""
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def resolve(
    source: str | Path,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> Path:
    """The folder of a model: the one given, or what a name stands for.

    A folder that is there is taken. Else a name is that of a model that comes with the package, or
    ``owner/name`` on the Hub unless there is a folder ``owner`` here. Of the Hub's repository only
    the three files of a model are fetched; the keywords are those of
    :func:`~inftydiff.pipelines.hub.fetch`.

    Raises:
        ValueError: if the source is a file, or neither a folder nor a name, or cannot be fetched.
        ModuleNotFoundError: if a name is given and ``huggingface_hub`` is not installed.
    """
    path = Path(source)
    if path.suffix.lower() in PICKLES and not path.is_dir():
        raise ValueError(f"{source} is a pickle by its name, and {_REFUSED}")
    if path.is_file():
        raise ValueError(f"{source} is a file; give the folder with {WEIGHTS} and {CONFIG}.")
    if path.is_dir():
        return path
    if str(source) in shipped():
        return shipped()[str(source)]
    if not _hub_name(source):
        raise ValueError(
            f"{source} does not exist; give the folder of a model, its name on the Hugging Face "
            f"Hub, as in owner/name, or one that comes with the package: {', '.join(shipped())}."
        )
    return fetch(
        str(source),
        FILES,
        revision=revision,
        token=token,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
    )


def is_pretrained(source: str | Path) -> bool:
    """Whether a saved model is meant: its folder, a name, or a file, to be refused.

    A training run's checkpoint is not: its ``config.json`` has the model's configuration inside.
    """
    path = Path(source)
    file = path / CONFIG
    if path.is_file() or (path.suffix.lower() in PICKLES and not path.is_dir()):
        return True
    if not path.exists():
        return str(source) in shipped() or _hub_name(source)
    try:
        return "network" in json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def read_folder(folder: Path) -> tuple[InftyDiffConfig, dict[str, Tensor]]:
    """The configuration and the weights in a folder.

    Raises:
        ValueError: if a file is missing or damaged, or of another version, or the two were not
            saved together.
    """
    config = _read_config(folder)
    tensors, metadata = _read_weights(folder / WEIGHTS)
    found = config_digest((folder / CONFIG).read_text(encoding="utf-8"))
    if metadata.get(CONFIG_DIGEST, found) != found:
        raise ValueError(
            f"{folder / CONFIG} is not the configuration that {WEIGHTS} was saved with: one of the "
            "two was changed or replaced by itself. Get both from one place, or save the model "
            "again."
        )
    return config, tensors


def checked_weights(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    *,
    dtypes: Mapping[str, torch.dtype],
    source: str,
) -> dict[str, Tensor]:
    """Cast weights, refusing those that are not a model's, or not finite when they are cast.

    Args:
        expected: the model's state, of which names and shapes are read.
        found: the weights.
        dtypes: what each is cast to.
        source: what holds them, for the message.

    Raises:
        ValueError: if weights are missing, unexpected, of another shape, without values, not of
            floating point, or not finite.
    """
    both = sorted(expected.keys() & found.keys())
    wrong = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "of another shape": [
            f"{name} {tuple(found[name].shape)} for {tuple(expected[name].shape)}"
            for name in both
            if found[name].shape != expected[name].shape
        ],
        "without values, on the meta device": [name for name in both if found[name].is_meta],
        "not of floating point": [
            f"{name} {found[name].dtype}" for name in both if not found[name].is_floating_point()
        ],
        "sparse": [name for name in both if found[name].layout != torch.strided],
    }
    if any(wrong.values()):
        said = "; ".join(f"{what}: {_some(names)}" for what, names in wrong.items() if names)
        raise ValueError(
            f"{source} does not hold the weights of this model, as its configuration makes it. "
            f"{said[0].upper()}{said[1:]}."
        )
    cast = {name: found[name].detach().to(dtypes[name]) for name in both}
    broken = [name for name in both if not _finite(cast[name])]
    if broken:
        too_large = all(_finite(found[name]) for name in broken)
        advice = f" They are too large for {cast[broken[0]].dtype}; ask for another dtype."
        raise ValueError(
            f"{source} has weights that are not finite: {_some(broken)}."
            + (advice if too_large else "")
        )
    return cast


def _finite(value: Tensor) -> bool:
    if value.element_size() == 1:  # eight bits are not asked by PyTorch
        value = value.float()
    return bool(value.isfinite().all())


def check_precision(dtype: torch.dtype) -> None:
    """Refuse a dtype that weights are not stored or computed in.

    Raises:
        ValueError: if it is not of floating point.
    """
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(
            "Weights are of floating point, such as torch.float32 or torch.bfloat16; got "
            f"dtype={dtype}."
        )


def digest(tensors: Mapping[str, Tensor]) -> str:
    """A fingerprint of names, shapes, dtypes and values."""
    found = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name]
        found.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def config_digest(text: str) -> str:
    """A fingerprint of a configuration's JSON form, whatever its spaces and the order of keys."""
    plain = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


_REFUSED = (
    "pickles are never read: they run whatever code their maker put in. Give a folder with "
    f"{WEIGHTS} and {CONFIG}."
)


def _hub_name(source: str | Path) -> bool:
    """Whether this reads as owner/name, and owner is no folder here."""
    text = str(source)
    return bool(NAME.fullmatch(text)) and not Path(text).parent.exists()


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def _require(folder: Path, name: str) -> Path:
    file = folder / name
    if not file.is_file():
        there = sorted(path.name for path in folder.iterdir())
        pickled = [other for other in there if Path(other).suffix.lower() in PICKLES]
        hint = f" {pickled[0]} is a pickle by its name, and {_REFUSED}" if pickled else ""
        raise ValueError(
            f"{folder} has no {name}; a model is a folder with {WEIGHTS} and {CONFIG}.{hint}"
        )
    return file


def _read_config(folder: Path) -> InftyDiffConfig:
    file = _require(folder, CONFIG)
    try:
        return InftyDiffConfig.from_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{file} cannot be read as a model's configuration: {error}") from error


def _read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The weights, and what else the file says of them."""
    from safetensors import SafetensorError, safe_open

    _require(file.parent, file.name)
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{file} cannot be read as safetensors: {error}.") from error
    if DIGEST in metadata and metadata[DIGEST] != digest(tensors):
        raise ValueError(
            f"{file} has been changed since it was saved: its weights are not those that its "
            "digest is of. Get it again."
        )
    return tensors, metadata
