"""Learnable operators: maps from a function and a time to a function."""

from inftydiff.models.embedding import ModulatedNorm, TimeEmbedding
from inftydiff.models.local import LocalBlock
from inftydiff.models.multiscale import MultiscaleConfig, MultiscaleNetwork
from inftydiff.models.neural_operator import GridNetwork, NeuralOperator, functionalise
from inftydiff.models.presets import faces_64, tiny
from inftydiff.models.unet import UNet

__all__ = [
    "GridNetwork",
    "LocalBlock",
    "ModulatedNorm",
    "MultiscaleConfig",
    "MultiscaleNetwork",
    "NeuralOperator",
    "TimeEmbedding",
    "UNet",
    "faces_64",
    "functionalise",
    "tiny",
]
