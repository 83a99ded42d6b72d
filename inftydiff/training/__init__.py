"""Training: the loop, held-out losses and checkpoints."""

from inftydiff.training.activations import activation_bytes
from inftydiff.training.checkpoint import best, read_progress
from inftydiff.training.latents import encode_pictures
from inftydiff.training.loop import train, train_prior
from inftydiff.training.progress import Progress
from inftydiff.training.settings import TrainConfig, training_preset
from inftydiff.training.signals import Interrupted
from inftydiff.training.transfer import Taken, take_weights
from inftydiff.training.validation import held_out_loss

__all__ = [
    "Interrupted",
    "Progress",
    "Taken",
    "TrainConfig",
    "activation_bytes",
    "best",
    "encode_pictures",
    "held_out_loss",
    "read_progress",
    "take_weights",
    "train",
    "train_prior",
    "training_preset",
]
