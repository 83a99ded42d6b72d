r"""Features: what a network sees in a picture, one vector a picture.

Distances between sets of pictures are distances between the laws of their features. Any callable
that gives one vector a picture will do; a distance means something only beside another that was
computed with the same network, the same preparation of the pictures and the same numbers of them.
"""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from inftydiff._extras import extra
from inftydiff._typing import check_finite, device_of, floating, instance, whole
from inftydiff.data import Images
from inftydiff.processes._checks import MOST_SAMPLES, conforming

__all__ = ["FeatureNetwork", "as_bytes", "as_colours", "features"]


@runtime_checkable
class FeatureNetwork(Protocol):
    r"""A function of pictures with one vector of features a picture."""

    @property
    def name(self) -> str:
        """The text beside a distance: the network, and how pictures are prepared for it."""
        ...

    def __call__(self, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        r"""The features of pictures.

        Args:
            images: values in :math:`[-1, 1]`, of any height and width; one channel (grey) or three
                (red, green, blue).

        Returns:
            Floating-point features, one row a picture; a row depends on its own picture only.
        """
        ...


def as_bytes(x: Float[Tensor, "n c h w"]) -> UInt8[Tensor, "n c h w"]:
    r"""Pictures as an eight-bit file would hold them: clamped to :math:`[-1, 1]`, then rounded.

    Raises:
        ValueError: if a value is NaN or infinite.

    Example:
        >>> as_bytes(torch.tensor([-1.2, 0.0, 1.0]).reshape(1, 3, 1, 1)).flatten().tolist()
        [0, 128, 255]
    """
    check_finite(floating(x, "Pictures"), "Pictures")
    return ((x.clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)


def as_colours(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 h w"]:
    r"""Pictures of three channels, grey ones repeated, for a network that takes no others.

    Raises:
        ValueError: if there are neither one nor three channels, or values are not finite or leave
            :math:`[-1, 1]`.

    Example:
        >>> tuple(as_colours(torch.zeros(2, 1, 4, 5)).shape)
        (2, 3, 4, 5)
    """
    if floating(images, "Pictures").ndim != 4 or not images.numel():
        raise ValueError(
            f"Pictures have the shape (pictures, channels, rows, columns), at least one of each; "
            f"got {tuple(images.shape)}."
        )
    channels = images.shape[1]
    if channels not in (1, 3):
        raise ValueError(
            f"A feature network takes pictures of 1 or 3 channels; got {channels}. Choose the "
            "channels to compare, or write a network for all of them."
        )
    least, most = check_finite(images, "Pictures").aminmax()
    if least < -1.0 or most > 1.0:
        raise ValueError(
            f"A feature network takes values in [-1, 1]; got {least.item():g} to {most.item():g}. "
            "Clamp samples first; scale 0..255 by x / 127.5 - 1 and 0..1 by 2 * x - 1."
        )
    return images.expand(-1, 3, -1, -1)


@torch.no_grad()
def features(
    network: FeatureNetwork,
    pictures: Images,
    *,
    batch: int = 32,
    device: torch.device | str = "cpu",
    title: str | None = None,
) -> Float[Tensor, "n d"]:
    """The features of a set of pictures, in float64 on the CPU.

    Args:
        network: the feature network.
        pictures: the pictures.
        batch: pictures at a time.
        device: where the network is to see them.
        title: what a progress bar is called; without it there is none.

    Raises:
        TypeError: if the network gives anything but floating-point features.
        ValueError: if it does not give one row a picture, or a feature is not finite.

    Example:
        >>> class Mean:
        ...     name = "mean colour"
        ...
        ...     def __call__(self, images):
        ...         return images.mean((2, 3))
        >>> white = Images(torch.full((5, 3, 8, 8), 255, dtype=torch.uint8))
        >>> features(Mean(), white)[0].tolist()
        [1.0, 1.0, 1.0]
    """
    conforming(network, FeatureNetwork, "A feature network", "Pass EfficientNetLite0(), say.")
    instance(pictures, Images, "The pictures", "Make them by Images(x), of bytes.")
    batch = whole(batch, "batch", most=MOST_SAMPLES)
    device = device_of(device, "The device")
    if title is not None:
        instance(title, str, "The title, unless None,")
    with extra("evaluate"):
        from tqdm import tqdm

        from inftydiff.training._bar import seconds_between_updates
    rows = []
    with tqdm(
        total=len(pictures),
        desc=title,
        unit="picture",
        leave=False,
        disable=title is None,
        mininterval=seconds_between_updates(),
    ) as bar:
        for begin in range(0, len(pictures), batch):
            images = torch.stack(
                [pictures[k] for k in range(begin, min(begin + batch, len(pictures)))]
            )
            rows.append(_checked(network, images.to(device)))
            bar.update(len(images))
    return check_finite(torch.cat(rows), f"Features of {network.name}")


def _checked(network: FeatureNetwork, images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
    """Features in float64 on the CPU, whose shape and kind of number are those of the protocol."""
    values = network(images)
    instance(values, torch.Tensor, f"What {network.name} gives")
    if not values.is_floating_point():
        raise TypeError(f"{network.name} must give floating-point features; got {values.dtype}.")
    if values.ndim != 2 or len(values) != len(images):
        raise ValueError(
            f"{network.name} must give features of shape (n, d), here n = {len(images)}; got "
            f"{tuple(values.shape)}. Pool or flatten what each picture has."
        )
    return values.to("cpu", torch.float64)
