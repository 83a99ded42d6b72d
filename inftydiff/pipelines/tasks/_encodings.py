r"""Encodings: the noise that a picture is made of, with the modes that it lacks drawn anew.

A picture on a coarse grid has the modes of that grid and no others. It is encoded on the fine grid,
up in time, and of the noise that comes out

.. math:: \hat\xi_k = \begin{cases} \text{the encoding's} & k_a < N_a \text{ on every axis } a, \\
          \text{drawn} & \text{elsewhere,} \end{cases}

where :math:`N` are the cells of the coarse grid. Between two pictures noises are mixed by
:math:`\cos\frac{\pi w}2` and :math:`\sin\frac{\pi w}2`, which keeps the variance of independent
ones.

References:
    Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, sections 4.3 and 5.3.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators import Function, Grid
from inftydiff.operators.basis import eigenbasis
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks.sampling import Sampling
from inftydiff.processes import Heun, HeunInversion, recommended_timesteps

__all__ = ["DOWN", "INVERSION", "encode_noise", "mixed_noise", "with_drawn_modes"]

INVERSION = HeunInversion()
"""The solver that goes up."""

DOWN = Heun()
"""The solver of the same order that goes down."""


def encode_noise(
    model: InftyDiff, x: Function, how: Sampling
) -> tuple[Function, Float[Tensor, "times"]]:
    """The noise that encodes functions, and the times to decode it at.

    Args:
        model: the model; one with latents encodes with those of the functions, or given ones.
        x: clean functions on a full grid, values of shape ``(pictures, points, channels)``.
        how: the times, by default those that suit the solver, as many as the model was saved with.

    Raises:
        ValueError: if latents of the prior are asked for, which are not the functions'.
    """
    if isinstance(how.latent, str) and how.latent == "prior":
        raise ValueError(
            "An encoding goes with the latent of what is encoded, and not with one of the prior: "
            "take latent='known', or another method."
        )
    times = how.times
    if times is None:
        times = recommended_timesteps(model.config.steps, DOWN, model.process.schedule)
    latent = how.latent if isinstance(how.latent, Tensor) else None
    noise = model.invert(x, times=times, inversion=INVERSION, latent=latent, tile=how.tile)
    return noise, times


def with_drawn_modes(encoding: Function, drawn: Function, *, coarse: Grid) -> Function:
    """Encodings whose modes above those of a coarse grid are other functions'.

    Args:
        encoding: values of shape ``(batch, points, channels)`` on a grid.
        drawn: the other functions, on the same grid.
        coarse: the coarse grid.

    Example:
        >>> fine = Grid((4,))
        >>> ones, wave = (Function(fine, v.reshape(1, 4, 1)) for v in (torch.ones(4), fine.points))
        >>> with_drawn_modes(ones, wave, coarse=Grid((1,))).values.flatten()
        tensor([0.6250, 0.8750, 1.1250, 1.3750], dtype=torch.float64)
    """
    assert isinstance(encoding.on, Grid)
    basis = eigenbasis(encoding.on.domain)
    own, other = (basis.analysis(f.to_image()) for f in (encoding, drawn))
    kept = torch.zeros(encoding.on.shape, dtype=torch.bool, device=own.device)
    kept[tuple(slice(0, cells) for cells in coarse.shape)] = True
    image = basis.synthesis(torch.where(kept, own, other))
    return Function(encoding.on, image.flatten(-encoding.on.dim).mT)


def mixed_noise(
    first: Float[Tensor, "points channels"],
    last: Float[Tensor, "points channels"],
    weights: Float[Tensor, "count"],
) -> Float[Tensor, "count points channels"]:
    """The noises on the way from one to another.

    Args:
        first: values of the one.
        last: values of the other.
        weights: from 0, the one, to 1, the other.
    """
    angles = (0.5 * math.pi * weights).to(first).reshape(-1, 1, 1)
    return angles.cos() * first + angles.sin() * last
