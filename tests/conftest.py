"""Hypothesis profiles and the fixtures that every test file shares.

``pytest`` draws few examples, the same ones each time; ``HYPOTHESIS_PROFILE=thorough pytest`` draws
many, and new ones each time. The tensors are small, so one thread is fastest, in the processes that
tests start too. Where there is no GPU, Triton's kernels are interpreted. Ctrl-C is heeded, however
pytest was started.
"""

import os
import signal
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when Triton is imported
torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it leaves behind
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "default",
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "thorough", settings.get_profile("default"), max_examples=1000, derandomize=False
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session", autouse=True)
def _empty_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of rendered pictures that is empty at the start, and not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INFTYDIFF_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def generator() -> torch.Generator:
    """A CPU generator in the same state for every test."""
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small model with latents, for commands."""
    from autoencoders import autoencoder  # after the settings above

    folder = tmp_path_factory.mktemp("models") / "tiny"
    autoencoder().float().save_pretrained(folder)
    return str(folder)
