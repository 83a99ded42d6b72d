"""Tasks for a trained model: samples of what is not known, with how sure it is."""

from inftydiff.pipelines.tasks.given import misfit, observation, sample_given
from inftydiff.pipelines.tasks.inpainting import inpaint
from inftydiff.pipelines.tasks.interpolation import interpolate, interpolate_samples
from inftydiff.pipelines.tasks.result import TaskResult
from inftydiff.pipelines.tasks.sampling import Guidance, LatentSource, Sampling
from inftydiff.pipelines.tasks.sensors import from_sensors
from inftydiff.pipelines.tasks.super_resolution import SuperResolution, super_resolve
from inftydiff.pipelines.tasks.variation import vary

__all__ = [
    "Guidance",
    "LatentSource",
    "Sampling",
    "SuperResolution",
    "TaskResult",
    "from_sensors",
    "inpaint",
    "interpolate",
    "interpolate_samples",
    "misfit",
    "observation",
    "sample_given",
    "super_resolve",
    "vary",
]
