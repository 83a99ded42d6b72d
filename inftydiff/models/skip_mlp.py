r"""The latent prior: a multilayer perceptron with skip connections, a denoiser of vectors.

Each layer but the last takes the features before it and the noisy latent again,

.. math:: h_{i+1} = \mathrm{SiLU}(\mathrm{LN}((1 + s_i(e))\,W_i\,[h_i, x])), \qquad h_1 = W_0 x,

scaled by an embedding :math:`e` of the time and of what the latent is conditioned on. It acts on
functions on the one-point domain, ``Point()``, and is used with white noise there.

References:
    Preechakul et al., "Diffusion autoencoders", CVPR 2022, appendix A.1.
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 4.3.
"""

from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from inftydiff._components import component, declare
from inftydiff._typing import (
    MOST_BLOCKS,
    MOST_CHANNELS,
    floating,
    fraction,
    instance,
    kind_of,
    store,
    whole,
)
from inftydiff.models._initial import zero_init
from inftydiff.models.embedding import timestep_embedding
from inftydiff.models.neural_operator import require_batch
from inftydiff.operators import Discretisation, Function
from inftydiff.operators.discretisation import require_discretisation
from inftydiff.operators.domain import Point

__all__ = ["LatentPriorConfig", "PriorConfig", "SkipMLP"]

TIME_FEATURES = 64
"""Sines and cosines of the time."""


@runtime_checkable
class PriorConfig(Protocol):
    """The configuration of a prior's network: a frozen dataclass with a kind."""

    @property
    def condition(self) -> int | None:
        """The number of features that latents are conditioned on; None for no condition."""

    def build(self, latent: int) -> nn.Module:
        """Build the network, of functions on ``Point()`` with so many channels.

        It is called with the state, the time, ``latent=``, what each sample is conditioned on, and
        ``known=``, whether that is to be used.

        Args:
            latent: the number of features of a latent.
        """


declare("prior", PriorConfig)


@component("prior", "skip_mlp")
@final
@dataclass(frozen=True)
class LatentPriorConfig:
    """What a :class:`SkipMLP` is built from, but for the size of a latent.

    Args:
        width: the number of channels of a layer.
        layers: the number of layers.
        condition: the number of features that latents are conditioned on, such as the number of
            classes; None for a prior without a condition.
        dropout: the probability of dropping a feature after a layer.

    Raises:
        TypeError: if one is no number.
        ValueError: if a number is out of range: a width or a number of features from 1 to 65536,
            from 2 to 1024 layers.

    Example:
        >>> LatentPriorConfig().layers
        10
    """

    width: int = 2048
    layers: int = 10
    condition: int | None = None
    dropout: float = 0.0

    def __post_init__(self) -> None:
        subject = "A latent prior's "
        store(self, whole, "width", subject=subject, most=MOST_CHANNELS)
        store(self, whole, "layers", subject=subject, most=MOST_BLOCKS)
        if self.layers < 2:
            raise ValueError(f"A latent prior has at least two layers; got {self.layers}.")
        if self.condition is not None:
            name = "The number of features of a condition"
            object.__setattr__(self, "condition", whole(self.condition, name, most=MOST_CHANNELS))
        store(self, fraction, "dropout", subject=subject, one=False)

    def build(self, latent: int) -> "SkipMLP":
        """Build the network.

        Args:
            latent: the number of features of a latent.
        """
        return SkipMLP(latent, self)


@final
class SkipMLP(nn.Module):
    """The skip-connected perceptron, a neural operator on ``Point()``.

    Args:
        latent: the number of features of a latent.
        config: the sizes of its parts.

    Raises:
        TypeError: if the number or the configuration is another thing.
        ValueError: if the number is not whole, from 1 to 65536.

    Example:
        >>> from inftydiff import Grid
        >>> prior = SkipMLP(5, LatentPriorConfig(width=16, layers=3))
        >>> z = Function(Grid((), Point()), torch.zeros(2, 1, 5))
        >>> tuple(prior(z, torch.tensor([0.1, 0.9])).values.shape)
        (2, 1, 5)
    """

    def __init__(self, latent: int, config: LatentPriorConfig) -> None:
        super().__init__()
        instance(config, LatentPriorConfig, "The configuration of a latent prior")
        name = "The number of features of a latent"
        self.latent = latent = whole(latent, name, most=MOST_CHANNELS)
        self.config = config
        width = config.width
        self.embed_time = nn.Sequential(
            nn.Linear(TIME_FEATURES, width), nn.SiLU(), nn.Linear(width, width)
        )
        self.embed_condition = (
            None if config.condition is None else nn.Linear(config.condition + 1, width)
        )
        self.layers = nn.ModuleList(
            _Layer(latent if i == 0 else width + latent, width, config.dropout)
            for i in range(config.layers - 1)
        )
        self.last = zero_init(nn.Linear(width + latent, latent))

    def forward(
        self,
        x: Function,
        t: Float[Tensor, "batch"],
        *,
        on: Discretisation | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Function | None = None,
        known: Bool[Tensor, "batch"] | None = None,
    ) -> Function:
        """Apply the network.

        Args:
            x: noisy latents as functions on ``Point()``, values of shape ``(batch, 1, features)``.
            t: the times in [0, 1], of shape ``(batch,)``.
            on: where the answer is wanted: where ``x`` is known.
            latent: what each sample is conditioned on, of shape ``(batch, features)``; None for
                samples of any kind.
            condition: none.
            known: whether the condition of each sample is to be used; by default of all.

        Raises:
            ValueError: if ``x`` is no batch of latents, or the condition has another shape.
            TypeError: if a condition is given to a prior without one.
        """
        require_batch(x, t)
        if on is not None:
            require_discretisation(on, "Where an answer is wanted")
        elsewhere = on is not None and on != x.on
        if x.on.domain != Point() or x.channels != self.latent or elsewhere:
            raise ValueError(
                f"A latent prior takes functions on Point() with {self.latent} channels; got "
                f"{x.channels} on {x.on.domain}."
            )
        if condition is not None or (latent is not None and self.embed_condition is None):
            raise TypeError("This latent prior takes no condition; leave it out.")
        z = x.values.squeeze(1).to(self.last.weight.dtype)
        embedding = self.embed_time(timestep_embedding(t, TIME_FEATURES).to(z.dtype))
        if self.embed_condition is not None:
            embedding = embedding + self.embed_condition(self._marked(latent, known, z))
        h = z
        for number, layer in enumerate(self.layers):
            h = layer(h if number == 0 else torch.cat([h, z], -1), embedding)
        out = self.last(torch.cat([h, z], -1))
        return Function(x.on, out.unsqueeze(1).to(x.values.dtype))

    def _marked(
        self, features: Tensor | None, known: Tensor | None, like: Tensor
    ) -> Float[Tensor, "batch features_and_mark"]:
        """The condition and a one for each sample that has one, and zeros for the others."""
        count = self.config.condition
        if features is None:
            return like.new_zeros(len(like), (count or 0) + 1)
        if tuple(floating(features, "A prior's condition").shape) != (len(like), count):
            raise ValueError(
                f"This prior is conditioned on {count} features a sample; got "
                f"{tuple(features.shape)} for {len(like)} samples."
            )
        marked = F.pad(features.to(like), (0, 1), value=1.0)
        if known is None:
            return marked
        other = not isinstance(known, Tensor) or known.is_complex() or known.is_meta
        if other or known.shape != like.shape[:1]:
            raise TypeError(
                "Which conditions are known is said by one bool a sample, a tensor of shape "
                f"({len(like)},); got {kind_of(known)}."
            )
        return marked * known.to(like).unsqueeze(-1)


@final
class _Layer(nn.Module):
    """A linear map, scaled by the embedding, normalised, with a SiLU."""

    def __init__(self, inner: int, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inner, width)
        nn.init.kaiming_normal_(self.linear.weight, nonlinearity="relu")
        self.scale = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, h: Float[Tensor, "batch inner"], embedding: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch width"]:
        h = self.linear(h) * (1.0 + self.scale(F.silu(embedding)))
        out: Tensor = self.dropout(F.silu(self.norm(h)))
        return out
