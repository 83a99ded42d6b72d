r"""The encoder of ∞-Diff: a function, known at some points, to a latent.

It is the half of the multiscale network that leads from the points to the coarsest level, without
the time::

    x(c) ── Linear ── local blocks ── average to the grid ── U-Net, down and middle ── z

The coarsest features go through a linear map at each cell, their mean over the cells, and another
linear map. So a latent is an integral over the domain: it may be read off any grid, any subset of
one and scattered points, and converges as they are refined.

A *variational* encoder gives the mean and the logarithm of the variance of each feature, of which
a latent is drawn; their divergence from the standard normal is

.. math:: \mathrm{KL} = \tfrac12\sum_j \bigl(\mu_j^2 + \sigma_j^2 - 1 - \log\sigma_j^2\bigr).

References:
    Preechakul et al., "Diffusion autoencoders", CVPR 2022.
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 4.3.
"""

from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import (
    MOST_CHANNELS,
    check_device,
    flag,
    floating,
    instance,
    shown,
    whole,
)
from inftydiff.models._gathering import PointToGrid
from inftydiff.models.multiscale_config import MultiscaleConfig
from inftydiff.models.network import Capabilities
from inftydiff.models.unet import DownPath
from inftydiff.operators import Function
from inftydiff.operators.function import require_function
from inftydiff.operators.local import neighbours

__all__ = ["DiagonalGaussian", "Encoder"]


class DiagonalGaussian(NamedTuple):
    """What an encoder says of a function: the mean of its latent, and the log-variance, if any."""

    mean: Float[Tensor, "batch features"]
    log_variance: Float[Tensor, "batch features"] | None

    def at(self, noise: Float[Tensor, "batch features"] | None) -> Float[Tensor, "batch features"]:
        """The latent that standard normals give; without a variance, or noise, the mean.

        Raises:
            TypeError: if the noise is no floating-point tensor.
            ValueError: if it is not shaped like the mean.
        """
        self._check()
        if self.log_variance is None or noise is None:
            return self.mean
        if floating(noise, "The noise of a latent").shape != self.mean.shape:
            raise ValueError(
                f"The noise of a latent is shaped like the mean, {tuple(self.mean.shape)}; got "
                f"{shown(noise)}."
            )
        return self.mean + (0.5 * self.log_variance).exp() * noise.to(self.mean)

    def divergence(self) -> Float[Tensor, "batch"]:
        """The divergence from the standard normal, in nats; zero where there is no variance.

        Raises:
            TypeError: if mean or variance are no floating-point tensors.
            ValueError: if they have not one shape.
        """
        self._check()
        if self.log_variance is None:
            return self.mean.new_zeros(len(self.mean))
        terms = self.mean**2 + self.log_variance.exp() - 1.0 - self.log_variance
        return 0.5 * terms.sum(-1)

    def _check(self) -> None:
        floating(self.mean, "The mean of a code")
        if self.log_variance is None:
            return
        if floating(self.log_variance, "The log-variance of a code").shape != self.mean.shape:
            raise ValueError(
                f"The log-variance of a code is shaped like its mean, {tuple(self.mean.shape)}; "
                f"got {shown(self.log_variance)}."
            )


@final
class Encoder(nn.Module):
    """The ∞-Diff encoder.

    Args:
        config: the sizes of its parts, those of the network that reads its latents.
        channels: the number of channels of the functions that it reads.
        latent: the number of features of a latent.
        variational: whether it gives a variance, too.

    Raises:
        TypeError: if the configuration is another thing, or ``variational`` no bool.
        ValueError: if a number is not whole, from 1 to 65536.

    Example:
        >>> import torch
        >>> from inftydiff import Grid
        >>> from inftydiff.models.paper_networks import tiny
        >>> encoder = Encoder(tiny(), 3, 5)
        >>> tuple(encoder(Function(Grid((8, 8)), torch.zeros(2, 64, 3))).mean.shape)
        (2, 5)
    """

    def __init__(
        self, config: MultiscaleConfig, channels: int, latent: int, *, variational: bool = False
    ) -> None:
        super().__init__()
        instance(config, MultiscaleConfig, "The configuration of an encoder")
        flag(variational, "Whether an encoder gives a variance")
        self.config = config
        self.channels = whole(channels, "An encoder's channels", most=MOST_CHANNELS)
        self.latent = whole(latent, "The number of features of a latent", most=MOST_CHANNELS)
        self.gathering = PointToGrid(config, self.channels, timed=False, coded=False)
        self.descent = DownPath(config.grid_channels, None, **config.levels)
        count = 2 * self.latent if variational else self.latent
        self.to_code = nn.Linear(self.descent.widths[-1], count)
        self.out = nn.Linear(count, count)
        self.variational = variational
        self.capabilities = Capabilities(
            dims=(2,), boundaries=("reflecting",), cell=config.cell, static=("descent",)
        )

    def forward(self, x: Function) -> DiagonalGaussian:
        """Encode functions.

        Args:
            x: the functions, on a grid, a subset of one or scattered points in the plane, with
                values of shape ``(batch, points, channels)``.

        Returns:
            The latents' mean and log-variance, in the dtype of the parameters, and in float32 where
            that is less.

        Raises:
            TypeError: if ``x`` is no function.
            ValueError: if ``x`` has another number of channels than the encoder, not one batch
                axis, or does not live in the plane.
        """
        config = self.config
        require_function(x, "What an encoder reads")
        if x.values.ndim != 3 or x.channels != self.channels or x.on.domain.dim != 2:
            raise ValueError(
                f"An encoder takes functions in the plane with values of shape (batch, points, "
                f"{self.channels}); got {tuple(x.values.shape)} in {x.on.domain.dim} dimensions."
            )
        device = self.out.weight.device
        check_device(x.values.device, device, "Functions and parameters", "Move one of them.")
        near = neighbours(x.on, size=config.kernel_size, cell=config.cell, device=x.values.device)
        _, cells = self.gathering(x.values, x.on, near)
        coarse, _ = self.descent(cells)
        features = self.out(self.to_code(coarse.permute(0, 2, 3, 1)).mean((1, 2)))
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        if not self.variational:
            return DiagonalGaussian(features, None)
        return DiagonalGaussian(*features.chunk(2, -1))
