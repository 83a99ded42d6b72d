"""A model that is saved as a folder, and loaded from one.

What a folder holds and how it is read is in :mod:`~inftydiff.pipelines.pretrained`; here a model's
state goes there and comes back, in other precisions if asked.
"""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from inftydiff.pipelines.card import ModelCard
from inftydiff.pipelines.config import InftyDiffConfig
from inftydiff.pipelines.hub import upload
from inftydiff.pipelines.pretrained import (
    FILES,
    WEIGHTS,
    read_config,
    read_weights,
    resolve,
    write_folder,
)
from inftydiff.pipelines.weights import check_values

__all__ = ["SavedModel"]

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
            ValueError: if the folder is a file or a checkpoint of a training run, or a parameter is
                not finite when it is stored so.
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
        parameters = dict(self.named_parameters())
        state = {
            name: value if dtype is None or name not in parameters else value.detach().to(dtype)
            for name, value in self.state_dict().items()
        }
        check_values(state, file=Path(folder) / WEIGHTS)
        count = sum(value.numel() for value in parameters.values())
        text = (ModelCard() if card is None else card).text(self.config, parameters=count)
        return write_folder(folder, self.config, state, card=text)

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
            ValueError: if there is no such model, a file of it is missing, damaged, of another
                version or a pickle, or the weights are not those of the configuration.
            ModuleNotFoundError: if the source is on the Hub and ``huggingface_hub`` is not
                installed.
        """
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
            ValueError: if a weight is not finite in this precision.
        """
        with torch.device("meta"):
            model = cls(config)
        parameters = dict(model.named_parameters())
        wider = torch.promote_types(dtype, torch.float32)
        tensors = {
            name: value.to(device, dtype if name in parameters else wider)
            for name, value in read(model.state_dict()).items()
        }
        check_values(tensors, file=file)
        model.load_state_dict(tensors, assign=True)
        return model.eval()
