r"""Models as folders of plain files, on a disk or on the Hugging Face Hub.

::

    folder/config.json         what the model is made from, with the version of its form
           model.safetensors   the weights
           README.md           the model card

Nothing is pickled, and nothing pickled is read: a pickle runs whatever code its maker put in. Each
file is written beside its place and put there when all of them are on the disk, the configuration
last. The weights carry a digest of themselves and one of the configuration, so that a damaged file
is noticed, and so are two files that were not saved together. Files are read as regular files of
the folder, and a link that leads out of it is refused. Some models lie in the package itself, and
are found by their names.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from inftydiff._extras import extra
from inftydiff._reading import parse_json, read_json, read_text, require_regular
from inftydiff._typing import a_path
from inftydiff._writing import MARK, reason, whole_folder
from inftydiff.pipelines._hub import fetch
from inftydiff.pipelines._weights import check_names, digest, read_tensors
from inftydiff.pipelines.config import InftyDiffConfig

__all__ = [
    "CONFIG",
    "FILES",
    "PICKLES",
    "WEIGHTS",
    "WEIGHTS_FOLDER",
    "is_pretrained",
    "read_config",
    "read_weights",
    "resolve",
    "shipped",
    "write_folder",
]

WEIGHTS_FOLDER = Path(__file__).parent.parent / "weights"
"""One folder a model, as :mod:`inftydiff.pipelines._pretrained` writes it."""


def shipped() -> dict[str, Path]:
    """The names of the models that come with the package, and their folders.

    ``InftyDiff.from_pretrained`` and the commands take such a name where there is no file or folder
    of that name.

    Example:
        >>> sorted(shipped())
        ['faces-64', 'faces-64-two-stage']
    """
    return {card.parent.name: card.parent for card in sorted(WEIGHTS_FOLDER.glob("*/README.md"))}


CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
FILES = (CONFIG, WEIGHTS, CARD)
"""The files of a model."""

PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
"""How the names of pickled weights end."""

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
DIGEST, CONFIG_DIGEST = "sha256", "config_sha256"


def write_folder(
    folder: str | Path,
    config: InftyDiffConfig,
    tensors: Mapping[str, Tensor],
    *,
    card: str,
) -> Path:
    """Write a model's files, all of them or none; other files in the folder stay.

    Raises:
        TypeError: if the folder is no path.
        ValueError: if the folder is a file, or it holds a checkpoint of a training run.
        OSError: if the files cannot be written, for instance because the disk is full; a model that
            was there is as it was.
    """
    with extra("train"):
        from safetensors import SafetensorError

    folder = a_path(folder, "The folder of a model")
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            f"{folder} is a file, and a model is saved in a folder. Choose another folder."
        )
    if (folder / CONFIG).exists() and not is_pretrained(folder):
        raise ValueError(
            f"{folder / CONFIG} is not that of a saved model, and would be replaced. Choose "
            "another folder."
        )
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    try:
        with whole_folder(folder, last=CONFIG) as partial:
            _write(partial, config.to_json(), tensors, card)
    except (OSError, SafetensorError) as error:
        there = "The one before is intact" if (folder / CONFIG).exists() else "None was before"
        raise OSError(
            f"The model could not be written to {folder}: {reason(error)}. {there}; make room "
            "there, and save again."
        ) from error
    return folder


def _write(folder: Path, config: str, tensors: Mapping[str, Tensor], card: str) -> None:
    """Write the files of a model."""
    with extra("train"):
        from safetensors.torch import save_file

    metadata = {"format": "pt", DIGEST: digest(tensors), CONFIG_DIGEST: config_digest(config)}
    (folder / CARD).write_text(card, encoding="utf-8")
    save_file(dict(tensors), folder / WEIGHTS, metadata=metadata)
    (folder / CONFIG).write_text(config, encoding="utf-8")
    shutil.copymode(folder / CONFIG, folder / WEIGHTS)  # safetensors lets the owner alone read


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
    :func:`~inftydiff.pipelines._hub.fetch`.

    Raises:
        TypeError: if the source is neither a path nor a name.
        ValueError: if the source is a file, or neither a folder nor a name, or cannot be fetched.
        ModuleNotFoundError: if a name is given and ``huggingface_hub`` is not installed.
    """
    path = a_path(source, "A model's source")
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
    path = a_path(source, "A model's source")
    file = path / CONFIG
    if path.is_file() or (path.suffix.lower() in PICKLES and not path.is_dir()):
        return True
    if not path.exists():
        return str(source) in shipped() or _hub_name(source)
    try:
        return "network" in read_json(file)
    except (OSError, ValueError, TypeError):
        return False


def read_config(folder: Path) -> InftyDiffConfig:
    """Read the configuration in a folder.

    Raises:
        ValueError: if the file is missing or damaged, a link that leads out, or of another version.
    """
    _require(folder, CONFIG)
    file = _config_file(folder)
    try:
        return InftyDiffConfig.from_json(read_text(file, within=folder))
    except (OSError, ValueError, TypeError) as error:
        said = str(error).removesuffix(".")
        raise ValueError(
            f"{file} cannot be read as a model's configuration: {said}. Get it again."
        ) from error


def read_weights(folder: Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the weights in a folder, those that a model of its configuration has.

    Args:
        folder: the folder.
        expected: the model's state, of which names and shapes are read; it may lie on the meta
            device.

    Raises:
        ValueError: if the file is missing or damaged, or a link that leads out, its weights are
            others than those expected, or the two files were not saved together.
    """
    file = _require(folder, WEIGHTS)
    tensors, metadata = read_tensors(
        file, lambda header: check_names(expected, header, source=str(file)), within=folder
    )
    if DIGEST in metadata and metadata[DIGEST] != digest(tensors):
        raise ValueError(
            f"{file} has been changed since it was saved: its weights are not those that its "
            "digest is of. Get it again."
        )
    found = config_digest(read_text(_config_file(folder), within=folder))
    if metadata.get(CONFIG_DIGEST, found) != found:
        raise ValueError(
            f"{folder / CONFIG} is not the configuration that {WEIGHTS} was saved with: one of the "
            "two was changed or replaced by itself. Get both from one place, or save the model "
            "again."
        )
    return tensors


def _config_file(folder: Path) -> Path:
    """The configuration that the weights were saved with.

    A save that is cut short between the weights and the configuration leaves the latter in its
    unfinished folder.
    """
    with extra("train"):
        from safetensors import SafetensorError, safe_open

    usual = folder / CONFIG
    for file in [usual, *sorted(folder.glob(f"{MARK}*/{CONFIG}"))]:
        try:
            weights = require_regular(folder / WEIGHTS, within=folder)
            with safe_open(weights, framework="pt") as opened:
                wanted = (opened.metadata() or {}).get(CONFIG_DIGEST)
            if config_digest(read_text(file, within=folder)) == wanted:
                return file
        except (OSError, RuntimeError, ValueError, SafetensorError):
            return usual
    return usual


def config_digest(text: str) -> str:
    """A fingerprint of a configuration's JSON form, whatever its spaces and the order of keys."""
    plain = json.dumps(parse_json(text), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


_REFUSED = (
    "pickles are never read: they run whatever code their maker put in. Give a folder with "
    f"{WEIGHTS} and {CONFIG}."
)


def _hub_name(source: str | Path) -> bool:
    """Whether this reads as owner/name, and owner is no folder here."""
    text = str(source)
    return bool(NAME.fullmatch(text)) and not Path(text).parent.exists()


def _require(folder: Path, name: str) -> Path:
    file = folder / name
    if not (file.exists() or file.is_symlink()):
        there = sorted(path.name for path in folder.iterdir())
        pickled = [other for other in there if Path(other).suffix.lower() in PICKLES]
        hint = f" {pickled[0]} is a pickle by its name, and {_REFUSED}" if pickled else ""
        raise ValueError(
            f"{folder} has no {name}; a model is a folder with {WEIGHTS} and {CONFIG}. "
            f"Give such a folder.{hint}"
        )
    return require_regular(file, within=folder)
