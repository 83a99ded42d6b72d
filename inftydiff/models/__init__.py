"""Learnable operators: maps from a function and a time to a function."""

from inftydiff.models._recompute import recompute_blocks
from inftydiff.models.adapters import DiffusersUNetConfig, NeuralOperatorFNOConfig
from inftydiff.models.embedding import AdaptiveLayerNorm, LatentEmbedding, TimeEmbedding
from inftydiff.models.encoder import DiagonalGaussian, Encoder
from inftydiff.models.local import LocalBlock
from inftydiff.models.multiscale import MultiscaleNetwork
from inftydiff.models.multiscale_config import MultiscaleConfig
from inftydiff.models.network import Capabilities, EncoderConfig, NetworkConfig, capabilities_of
from inftydiff.models.neural_operator import GridNetwork, NeuralOperator, functionalise
from inftydiff.models.paper_networks import (
    faces_64,
    faces_128,
    infty_diff_64,
    infty_diff_128,
    infty_diff_256,
    tiny,
)
from inftydiff.models.skip_mlp import LatentPriorConfig, PriorConfig, SkipMLP
from inftydiff.models.tiled import TiledNetwork, tiled
from inftydiff.models.unet import DownPath, UNet

__all__ = [
    "AdaptiveLayerNorm",
    "Capabilities",
    "DiagonalGaussian",
    "DiffusersUNetConfig",
    "DownPath",
    "Encoder",
    "EncoderConfig",
    "GridNetwork",
    "LatentEmbedding",
    "LatentPriorConfig",
    "LocalBlock",
    "MultiscaleConfig",
    "MultiscaleNetwork",
    "NetworkConfig",
    "NeuralOperator",
    "NeuralOperatorFNOConfig",
    "PriorConfig",
    "SkipMLP",
    "TiledNetwork",
    "TimeEmbedding",
    "UNet",
    "capabilities_of",
    "faces_64",
    "faces_128",
    "functionalise",
    "infty_diff_64",
    "infty_diff_128",
    "infty_diff_256",
    "recompute_blocks",
    "tiled",
    "tiny",
]
