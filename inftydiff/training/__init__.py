"""Training: the loop, held-out losses and checkpoints."""

from inftydiff.training.checkpoint import latest, load_pipeline, read_progress
from inftydiff.training.config import Progress, TrainConfig
from inftydiff.training.loop import Interrupted, train
from inftydiff.training.validation import held_out_loss

__all__ = [
    "Interrupted",
    "Progress",
    "TrainConfig",
    "held_out_loss",
    "latest",
    "load_pipeline",
    "read_progress",
    "train",
]
