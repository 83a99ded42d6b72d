"""A model that is saved as a folder, and loaded from one.

What a folder holds and how it is read is in :mod:`~inftydiff.pipelines._pretrained`; here a model's
state goes there and comes back, in other precisions if asked.
"""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import (
    Callable,
    Mapping,
)
from functools import (
    partial,
)
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from inftydiff._typing import (
    device_of,
    instance,
)
from inftydiff.pipelines._hub import upload
from inftydiff.pipelines._pretrained import (
    FILES,
    WEIGHTS,
    read_config,
    read_weights,
    resolve,
    write_folder,
)
from inftydiff.pipelines._weights import (
    apart,
    as_loaded,
    as_stored,
    cast_weights,
    check_names,
    check_precision,
    is_wrapper,
    keeps_tensors,
    parts_of,
    plain_names,
)
from inftydiff.pipelines.card import ModelCard
from inftydiff.pipelines.config import InftyDiffConfig

__all__ = ["SavedModel"]

TO_BE_SAVED = "What is to be saved"

VALUES = ("config", "process", "predict")
"""The attributes that describe a part, besides its weights."""

Model = TypeVar("Model", bound="SavedModel")


class SavedModel(nn.Module, ABC):
    """A model that its configuration and its state make anew.

    Args:
        config: what it is made from, and all that it is made from.
    """

    @abstractmethod
    def __init__(self, config: InftyDiffConfig) -> None:
        super().__init__()
        self.config = config

    def save_pretrained(
        self,
        folder: str | Path,
        *,
        dtype: torch.dtype | None = None,
        card: ModelCard | None = None,
    ) -> Path:
        """Save the model as a folder of safetensors, JSON and a model card.

        Args:
            folder: where to; what a model saved there before is replaced, other files stay.
            dtype: how the parameters are stored, such as ``torch.bfloat16`` for half the size; by
                default as they are. The mean and the spread of the latents keep their precision.
            card: what to say of the model.

        Returns:
            The folder.

        Raises:
            TypeError: if an argument is of another kind.
            ValueError: if the folder is a file or a checkpoint of a training run, the model is not
                what its configuration makes, or a parameter is not finite when it is stored so.
            OSError: if the files cannot be written; a model saved there before is as it was.

        Example:
            >>> import tempfile
            >>> from inftydiff.pipelines import InftyDiff, preset
            >>> model = InftyDiff(preset("tiny", resolution=16))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     path = model.save_pretrained(folder)
            ...     loaded = InftyDiff.from_pretrained(path)
            >>> loaded.config == model.config
            True
        """
        card = ModelCard() if card is None else instance(card, ModelCard, "card")
        state = self.plain_state(dtype=dtype)
        count = sum(value.numel() for value in self.parameters())
        text = card.text(self.config, parameters=count)
        return write_folder(folder, self.config, state, card=text)

    def plain_state(self, *, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        """The weights under the names that the configuration gives them.

        Complex ones are pairs of real numbers, on a last axis. Parts that
        ``torch.compile`` or ``DataParallel`` has wrapped are taken out of it; what is
        shared or a view is copied.

        Args:
            dtype: what the parameters are cast to; by default they stay as they are.

        Raises:
            ValueError: if the model is not what its configuration makes, since a part was replaced
                for instance, or a weight is not finite.
        """
        if dtype is not None:
            check_precision(dtype)
        made = _made(type(self), self.config)
        name_of = plain_names(self)
        kinds = {name_of(n): type(part) for n, part in parts_of(self) if not is_wrapper(part)}
        known = {name: type(part) for name, part in parts_of(made)}
        self._check_described(made)
        other = sorted(name for name in kinds.keys() & known.keys() if kinds[name] != known[name])
        if other:
            name = other[0]
            raise ValueError(
                "A model is saved as its configuration, which makes it anew, and its weights; its "
                f"{name} is of {kinds[name].__name__}, and the configuration makes one of "
                f"{known[name].__name__}. Put it back, or save a state_dict of your own."
            )
        state = as_stored({name_of(name): value for name, value in self.state_dict().items()})
        check_names(as_stored(made.state_dict()), state, source=TO_BE_SAVED)
        parameters = dict(made.named_parameters())
        dtypes = {
            name: value.dtype
            if dtype is None or name not in parameters or not value.is_floating_point()
            else dtype
            for name, value in state.items()
        }
        return cast_weights(apart(state), dtypes, source=TO_BE_SAVED)

    def _check_described(self, made: "SavedModel") -> None:
        """Refuse parts that are values, and other than those that the configuration makes."""
        name_of = plain_names(self)
        others = {name: vars(part) for name, part in parts_of(made)}
        for name, part in parts_of(self):
            mine, theirs = vars(part), others.get(name_of(name), {})
            for value in VALUES:
                if value in mine and value in theirs and mine[value] != theirs[value]:
                    where = ".".join(filter(None, (name_of(name), value)))
                    raise ValueError(
                        "A model is saved as its configuration, which makes it anew, and its "
                        f"weights; its {where} is another than the one the configuration makes. "
                        "Make a model of a configuration with that part: "
                        "InftyDiff(dataclasses.replace(model.config, …))."
                    )

    def push_to_hub(
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        branch: str | None = None,
        commit_message: str = "Upload the model",
        dtype: torch.dtype | None = None,
        card: ModelCard | None = None,
    ) -> str:
        """Save the model on the Hugging Face Hub, in a repository that is made if there is none.

        Args:
            repo_id: the repository, as ``"owner/name"``, or ``"name"`` for one of your own. The
                files of a model are replaced there, others stay.
            private: whether a new repository is; by default as its owner has set it.
            token: an access token; by default the one that ``hf auth login`` has kept.
            branch: the branch; by default the main one.
            commit_message: what the commit is called.
            dtype: as for :meth:`save_pretrained`.
            card: what to say of the model.

        Returns:
            The address of the commit.

        Raises:
            ValueError: if the Hub refuses or cannot be reached, or a parameter is not finite when
                it is stored so.
            ModuleNotFoundError: if ``huggingface_hub`` is not installed.
        """
        with tempfile.TemporaryDirectory() as folder:
            return upload(
                self.save_pretrained(folder, dtype=dtype, card=card),
                repo_id,
                FILES,
                private=private,
                token=token,
                branch=branch,
                commit_message=commit_message,
            )

    @classmethod
    def from_pretrained(
        cls: type[Model],
        source: str | Path,
        *,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        local_files_only: bool = False,
    ) -> Model:
        """Load a model that :meth:`save_pretrained` saved, in evaluation mode.

        A folder is read without a network, and without ``huggingface_hub``. Pickles are refused.

        Args:
            source: a folder; or a name, of a model that comes with the package, as ``"faces-64"``,
                or on the Hugging Face Hub, as in ``"owner/name"``.
            device: where the weights are wanted.
            dtype: the precision of the parameters; the mean and the spread of the latents have
                float32 at least.
            revision: the branch, tag or commit on the Hub.
            token: an access token of the Hub; True for the one that ``hf auth login`` has kept,
                False for none; by default that one, if there is one.
            cache_dir: where what comes from the Hub is kept; by default the Hub's own folder.
            local_files_only: take what has been fetched before, and ask no network.

        Raises:
            TypeError: if the source is neither a path nor a name, or the device none.
            ValueError: if there is no such model or no such device here, a file of it is missing,
                damaged, of another version or a pickle, or the weights are not those of the
                configuration, or not finite in the precision asked for.
            ModuleNotFoundError: if the source is on the Hub and ``huggingface_hub`` is not
                installed.
        """
        check_precision(dtype)
        folder = resolve(
            source,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
        )
        return cls.assemble(
            read_config(folder),
            partial(read_weights, folder),
            file=folder / WEIGHTS,
            device=device,
            dtype=dtype,
        )

    @classmethod
    def assemble(
        cls: type[Model],
        config: InftyDiffConfig,
        read: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]],
        *,
        file: Path,
        device: torch.device | str,
        dtype: torch.dtype = torch.float32,
    ) -> Model:
        """Make a model of a configuration and of weights that are read for it, for evaluation.

        Args:
            config: the configuration.
            read: gives the weights; it is called with the state that the model takes, whose tensors
                have shapes and no values.
            file: where the weights come from, for messages.
            device: where they are wanted.
            dtype: the precision of the parameters.

        Raises:
            TypeError: if the device is none.
            ValueError: if there is no such device here, the configuration makes no model, or a
                weight is not finite in this precision.
        """
        device = _present(device)
        try:
            model = _made(cls, config)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"The configuration beside {file} makes no model: {error} Get both from one place."
            ) from error
        parameters = dict(model.named_parameters())
        wider = torch.promote_types(dtype, torch.float32)
        own = model.state_dict()
        tensors = read(as_stored(own))
        state = cast_weights(
            tensors,
            {
                name: value.dtype
                if not value.is_floating_point()
                else dtype
                if name in parameters
                else wider
                for name, value in tensors.items()
            },
            source=str(file),
        )
        model.load_state_dict(as_loaded(state, own), assign=True)
        return model.to(device).eval()


def _made(cls: type[Model], config: InftyDiffConfig) -> Model:
    """A model for its shapes, without memory for its weights where that can be had.

    A part that keeps tensors besides its state would lose them, and so it is made as it is.
    """
    try:
        with torch.device("meta"):
            model = cls(config)
        if not any(keeps_tensors(part) for part in model.modules()):
            return model
    except (NotImplementedError, RuntimeError):  # what needs values to be built
        pass
    with torch.random.fork_rng():
        return cls(config)


def _present(device: object) -> torch.device:
    """A device that this machine and this build of PyTorch have."""
    found = device_of(device, "The device of a model")
    try:
        torch.empty(0, device=found)
    except (AssertionError, ImportError, NotImplementedError, RuntimeError) as error:
        said = str(error).partition(".")[0]
        raise ValueError(
            f"The device of a model must be one that is here; got {str(found)!r} ({said}). Take "
            "'cpu', or install a PyTorch that has it."
        ) from error
    return found
