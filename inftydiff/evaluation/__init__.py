"""Scores for choosing a model: feature networks, distances with intervals, and a clean floor."""

from inftydiff.evaluation.distances import frechet_distance, kernel_distance
from inftydiff.evaluation.efficientnet import EfficientNetLite0
from inftydiff.evaluation.features import FeatureNetwork, as_bytes, as_colours, features
from inftydiff.evaluation.intervals import Distances, Estimate, compare
from inftydiff.evaluation.low_pass import low_passed
from inftydiff.evaluation.scores import Scores, score

__all__ = [
    "Distances",
    "EfficientNetLite0",
    "Estimate",
    "FeatureNetwork",
    "Scores",
    "as_bytes",
    "as_colours",
    "compare",
    "features",
    "frechet_distance",
    "kernel_distance",
    "low_passed",
    "score",
]
