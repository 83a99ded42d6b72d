"""Learnable operators: maps from a function and a time to a function."""

from inftydiff.models._recompute import recompute_blocks
from inftydiff.models.embedding import LatentEmbedding, ModulatedNorm, TimeEmbedding
from inftydiff.models.encoder import Code, Encoder
from inftydiff.models.latent import LatentPrior, LatentPriorConfig
from inftydiff.models.local import LocalBlock
from inftydiff.models.multiscale import MultiscaleConfig, MultiscaleNetwork
from inftydiff.models.neural_operator import GridNetwork, NeuralOperator, functionalise
from inftydiff.models.presets import faces_64, tiny
from inftydiff.models.unet import Descent, UNet

__all__ = [
    "Code",
    "Descent",
    "Encoder",
    "GridNetwork",
    "LatentEmbedding",
    "LatentPrior",
    "LatentPriorConfig",
    "LocalBlock",
    "ModulatedNorm",
    "MultiscaleConfig",
    "MultiscaleNetwork",
    "NeuralOperator",
    "TimeEmbedding",
    "UNet",
    "faces_64",
    "functionalise",
    "recompute_blocks",
    "tiny",
]
