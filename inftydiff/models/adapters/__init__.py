"""Networks of other libraries as components; each needs the extra of its library to be built."""

from inftydiff.models.adapters.diffusers_unet import DiffusersUNetConfig
from inftydiff.models.adapters.neuraloperator_fno import NeuralOperatorFNOConfig

__all__ = ["DiffusersUNetConfig", "NeuralOperatorFNOConfig"]
