"""Processes and networks composed into models that train, sample and are saved."""

from inftydiff.pipelines.card import ModelCard
from inftydiff.pipelines.checkpoints import latest, load_pipeline
from inftydiff.pipelines.config import InftyDiffConfig
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.presets import PRESETS, preset
from inftydiff.pipelines.range_projection import range_projection

__all__ = [
    "PRESETS",
    "InftyDiff",
    "InftyDiffConfig",
    "ModelCard",
    "latest",
    "load_pipeline",
    "preset",
    "range_projection",
]
