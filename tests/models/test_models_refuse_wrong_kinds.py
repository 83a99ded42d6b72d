"""Networks and their configurations refuse wrong kinds and absurd sizes in words, and quickly.

Each callable is given arguments that are right but for one. Whatever that is, the answer is as for
right ones, or a ``TypeError`` or ``ValueError`` that the library raises itself.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strange import STRANGE, said_of
from torch import nn

from inftydiff import Box, Function, Grid
from inftydiff.models import (
    AdaptiveLayerNorm,
    Capabilities,
    DiagonalGaussian,
    DiffusersUNetConfig,
    DownPath,
    Encoder,
    LatentEmbedding,
    LatentPriorConfig,
    LocalBlock,
    MultiscaleConfig,
    MultiscaleNetwork,
    NeuralOperatorFNOConfig,
    SkipMLP,
    TimeEmbedding,
    UNet,
    functionalise,
    recompute_blocks,
    tiled,
    tiny,
)
from inftydiff.models.embedding import timestep_embedding
from inftydiff.operators import Point, neighbours


@pytest.fixture(autouse=True, scope="module")
def _unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


class Halve(nn.Module):
    """A network on images."""

    def forward(self, images: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return 0.5 * images


CONFIG = tiny()
NETWORK = MultiscaleNetwork(CONFIG, 3, latent=5)
PLAIN = MultiscaleNetwork(tiny(), 3)
X = Function(Grid((8, 8)), torch.rand(2, 64, 3))
T = torch.tensor([0.2, 0.7])
CODES = torch.ones(2, 5)
PRIOR = SkipMLP(5, LatentPriorConfig(width=16, layers=3, condition=2))
Z = Function(Grid((), Point()), torch.rand(2, 1, 5))
NEAR = neighbours(X.on, size=3, cell=1 / 8)
LEVELS: dict[str, Any] = {
    "channel_multipliers": (1, 2),
    "blocks": 1,
    "attention": (1,),
    "head_dim": 8,
}
DROPS: dict[str, Any] = {"dropout": 0.1, "dropout_from": 0}

CALLS: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (MultiscaleConfig, {f.name: getattr(CONFIG, f.name) for f in fields(CONFIG)}),
    (LatentPriorConfig, {"width": 8, "layers": 3, "condition": 2, "dropout": 0.1}),
    (SkipMLP, {"latent": 5, "config": PRIOR.config}),
    (PRIOR, {"x": Z, "t": T, "latent": torch.ones(2, 2), "known": T > 0.5, "on": None}),
    (MultiscaleNetwork, {"config": CONFIG, "channels": 3, "latent": 5, "out_channels": 2}),
    (NETWORK, {"x": X, "t": T, "on": None, "latent": CODES, "condition": None}),
    (tiled(PLAIN, 4), {"x": X, "t": T, "on": None, "latent": None, "condition": None}),
    (tiled, {"network": PLAIN, "size": 4}),
    (Encoder, {"config": CONFIG, "channels": 3, "latent": 5, "variational": True}),
    (Encoder(CONFIG, 3, 5), {"x": X}),
    (DiagonalGaussian(CODES, CODES).at, {"noise": CODES}),
    (lambda **code: DiagonalGaussian(**code).divergence(), {"mean": CODES, "log_variance": CODES}),
    (DownPath, {"channels": 8, "embedding": 8, "latent": 4, **LEVELS, **DROPS}),
    (UNet, {"channels": 8, "embedding": 8, "latent": 4, **LEVELS, **DROPS}),
    (UNet(8, 16, **LEVELS), {"x": torch.ones(2, 8, 4, 4), "embedding": torch.ones(2, 16)}),
    (
        LocalBlock,
        {"width": 8, "embedding": 8, "latent": 4, "size": 3, "expansion": 2, "skip": True},
    ),
    (
        LocalBlock(8, 16, size=3),
        {"x": torch.ones(2, 64, 8), "embedding": torch.ones(2, 16), "near": NEAR, "skip": None},
    ),
    (TimeEmbedding, {"width": 16, "features": 8}),
    (TimeEmbedding(16), {"t": T}),
    (timestep_embedding, {"t": T, "features": 8}),
    (LatentEmbedding, {"latent": 4, "width": 8}),
    (LatentEmbedding(5, 8), {"latent": CODES}),
    (AdaptiveLayerNorm, {"channels": 4, "embedding": 8, "latent": 4}),
    (AdaptiveLayerNorm(5, 5, latent=5), {"x": CODES, "embedding": CODES, "latent": CODES}),
    (functionalise, {"module": Halve(), "clock": None, "time": "argument", "multiple": 2}),
    (functionalise, {"module": Halve(), "capabilities": Capabilities(subsets=False)}),
    (
        DiffusersUNetConfig,
        {
            **{"block_out_channels": (32, 64), "layers_per_block": 1, "attention": 1},
            **{"attention_head_dim": 8, "norm_num_groups": 8, "dropout": 0.1},
        },
    ),
    (
        NeuralOperatorFNOConfig,
        {"modes": 4, "hidden_channels": 8, "n_layers": 2, "domain_padding": 0.1},
    ),
    (functionalise(Halve()), {"x": X, "t": T, "on": None, "latent": None, "condition": None}),
    (recompute_blocks, {"network": PLAIN, "wanted": False}),
    (tiny().build, {"channels": 3, "domain": Box((1.0, 1.0)), "latent": 4, "out_channels": 2}),
]
"""What is called, and right arguments of it."""


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_one_wrong_argument_is_refused_in_words(number: int) -> None:
    call, right = CALLS[number]
    assert said_of(call, right) is None
    for name in right:
        for value in STRANGE:
            said_of(call, {**right, name: value})


SIZES = st.sampled_from([10**400, 10**9, 2**17, -1, 0, 0.5, float("nan"), float("inf"), "8", None])


@given(name=st.sampled_from([f.name for f in fields(MultiscaleConfig)]), size=SIZES)
def test_a_configuration_is_refused_at_once_or_makes_a_network(name: str, size: Any) -> None:
    start = time.process_time()
    try:
        config = replace(CONFIG, **{name: size})
    except (TypeError, ValueError) as error:
        assert name.rstrip("s") in str(error) or "level" in str(error)  # noqa: PT017
    else:
        assert MultiscaleConfig(**json.loads(json.dumps(asdict(config)))) == config
        with torch.device("meta"):
            MultiscaleNetwork(config, 3)
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    "changes",
    [
        {"local_blocks": 10**9},
        {"width": 10**9},
        {"blocks_per_level": 200},
        {"channel_multipliers": (2**14, 2**14)},
        {"grid": (2**20, 2**20)},
        {"kernel_size": 10**9 + 1},
        {"cell": 1e-13},
        {"scale": float("inf")},
    ],
)
def test_absurd_sizes_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be"):
        replace(CONFIG, **changes)
    if "width" in changes or "local_blocks" in changes:
        with pytest.raises(ValueError, match="must be"):
            LatentPriorConfig(width=10**9)


def test_integer_times_are_not_truncated() -> None:
    for network in (NETWORK, functionalise(Halve())):
        with pytest.raises(TypeError, match=r"times .* floating-point tensor; got Tensor .*int64"):
            network(X, torch.tensor([0, 1]))


def test_a_configuration_keeps_numbers_that_json_takes() -> None:
    config = replace(CONFIG, width=np.int64(8), scale=np.float32(0.5), grid=np.array([8, 8]))
    assert json.loads(json.dumps(asdict(config)))["grid"] == [8, 8]
    assert (type(config.width), type(config.scale)) == (int, float)
