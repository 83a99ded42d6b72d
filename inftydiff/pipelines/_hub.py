"""Models on the Hugging Face Hub: fetched by their names, and put there.

The Hub's library is imported when a model is fetched or put there, and not before. Its own mixin
for models, ``ModelHubMixin``, would be a base of the class, and so be imported with it; the one for
PyTorch reads pickles, too, where there are no safetensors. The methods here have the mixin's names
and arguments.
"""

from collections.abc import Sequence
from pathlib import Path

__all__ = ["fetch", "upload"]

MISSING = 'the Hugging Face Hub takes its library: pip install "inftydiff[train]".'


def fetch(
    name: str,
    files: Sequence[str],
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> Path:
    """The folder where files of a repository lie once they have been fetched.

    Args:
        name: the repository, as ``owner/name``.
        files: the names of the files; no others are fetched.
        revision: the branch, tag or commit.
        token: an access token; True for the one that ``hf auth login`` has kept, False for none;
            by default that one, if there is one.
        cache_dir: where the files are kept; by default the Hub's own folder.
        local_files_only: take what has been fetched before, and ask no network.

    Raises:
        ValueError: if there is no such repository, or it cannot be reached.
        ModuleNotFoundError: if ``huggingface_hub`` is not installed.
    """
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{name} is no folder here, and a name on {MISSING}") from error
    try:
        fetched = snapshot_download(
            name,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            allow_patterns=list(files),
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise ValueError(
            f"{name} is no folder here, and cannot be had from the Hugging Face Hub: "
            f"{_said(error)}. Check the name, the network and the token."
        ) from error
    return Path(fetched)


def upload(
    folder: Path,
    name: str,
    files: Sequence[str],
    *,
    private: bool | None = None,
    token: str | bool | None = None,
    branch: str | None = None,
    commit_message: str = "Upload the model",
) -> str:
    """Put files of a folder into a repository, which is made if there is none.

    Args:
        folder: where the files lie.
        name: the repository, as ``owner/name``, or ``name`` for one of your own.
        files: the names of the files; those of the repository that have other names stay.
        private: whether a new repository is; by default as the owner has set it.
        token: as for :func:`fetch`.
        branch: the branch; by default the main one.
        commit_message: what the commit is called.

    Returns:
        The address of the commit.

    Raises:
        ValueError: if the Hub refuses, or cannot be reached.
        ModuleNotFoundError: if ``huggingface_hub`` is not installed.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"Putting {name} on {MISSING}") from error
    hub = HfApi(token=token)
    try:
        made = hub.create_repo(name, private=private, exist_ok=True)
        if branch is not None:
            hub.create_branch(made.repo_id, branch=branch, exist_ok=True)
        commit = hub.upload_folder(
            repo_id=made.repo_id,
            folder_path=folder,
            revision=branch,
            commit_message=commit_message,
            allow_patterns=list(files),
        )
    except (HfHubHTTPError, OSError) as error:
        raise ValueError(
            f"{name} cannot be put on the Hugging Face Hub: {_said(error)}. Check the name, the "
            "network and the token."
        ) from error
    return commit.commit_url


def _said(error: Exception) -> str:
    """An error in one line, without its full stop."""
    return " ".join(str(error).split()).removesuffix(".")
