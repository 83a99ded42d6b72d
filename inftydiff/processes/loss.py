r"""The denoising loss on a discretisation.

.. math:: \mathcal L = \frac1{|\Omega|}\sum_p w_p\ \frac1C\sum_c
          \big|f_\theta(x_t, t)_c(x_p) - y_c(x_p)\big|^2,

or the absolute value in place of the square, where :math:`y` is what the parameterisation says (the
noise :math:`N\xi` in the paper). States are made on the full grid, mollified there, and restricted
to the sampled points afterwards: with uniformly drawn points the loss is an unbiased estimate of
the L² one (eq. 10).
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import check_device, choice, floating, generator_for, instance
from inftydiff.operators.discretisation import Grid, Subset
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Field
from inftydiff.processes._checks import a_function
from inftydiff.processes.denoiser import NetworkDenoiser, check_shape
from inftydiff.processes.schedule import check_times

__all__ = ["denoising_loss"]


def denoising_loss(
    denoiser: NetworkDenoiser,
    x0: Function,
    t: Float[Tensor, "batch"],
    *,
    at: Subset | None = None,
    weight: Literal["simple"] = "simple",
    error: Literal["square", "absolute"] = "square",
    generator: torch.Generator | None = None,
    noise: Field | None = None,
) -> Float[Tensor, "batch"]:
    """The error of a network's prediction, one number a sample.

    Args:
        denoiser: the network's, made by ``as_denoiser``: its process makes the states, and what its
            network predicts is compared. Its ``clip`` plays no part in the loss.
        x0: clean functions on a full grid, values of shape ``(batch, points, channels)``.
        t: times in [0, 1], of shape ``(batch,)``, on the device of ``x0``.
        at: the points to train on, a subset of the grid of ``x0`` with its index on the device of
            ``x0``; by default all.
        weight: ``"simple"``, the unweighted loss of the paper.
        error: ``"square"``, or ``"absolute"`` for the mean of :math:`|f_θ - y|`.
        generator: the source of the noise, on any device: one seed is taken from it.
        noise: the white noise itself, drawn before; no generator is needed then.

    Returns:
        The quadrature-weighted mean over points and mean over channels, of shape ``(batch,)``.

    Raises:
        TypeError: if the denoiser is not a network's, or an argument is of another kind.
        ValueError: if ``x0`` does not live on a grid with one batch axis, the subset is not of that
            grid, the times are not one a sample in [0, 1], times or subset lie on another device
            than ``x0``, the weight or the error is unknown, or there is not one of generator and
            noise.

    Example:
        >>> from inftydiff import CosineSchedule, DiffusionProcess, NoisePrediction, as_denoiser
        >>> process = DiffusionProcess.white(CosineSchedule())
        >>> silent = as_denoiser(process, lambda x_t, t: x_t * 0.0, predict=NoisePrediction())
        >>> x0, g = Function(Grid((64,)), torch.ones(2, 64, 1)), torch.Generator().manual_seed(0)
        >>> tuple(denoising_loss(silent, x0, torch.tensor([0.1, 0.9]), generator=g).shape)
        (2,)
    """
    instance(
        denoiser,
        NetworkDenoiser,
        "The denoiser of a loss",
        "Make one of a network by as_denoiser(process, model, predict=…).",
    )
    a_function(x0, "The clean functions, x0,")
    floating(t, "Times", held=False)
    if at is not None:
        instance(at, Subset, "The points to train on, unless None,")
    choice(error, ("square", "absolute"), "The error")
    if (generator is None) is (noise is None):
        raise ValueError(
            "The noise is drawn from a generator, or given; pass one of generator= and noise=. Got "
            "both, or neither."
        )
    if generator is not None:
        generator_for(generator, "denoising_loss")
    if noise is not None:
        instance(noise, Field, "The noise of a loss", "Pass WhiteNoise().draw(…).")
    choice(weight, ("simple",), "The weight of a loss")
    if not isinstance(x0.on, Grid) or len(x0.batch) != 1:
        raise ValueError(
            "The clean functions live on a full Grid (mollify, then restrict), with values of "
            f"shape (batch, points, channels); got {type(x0.on).__name__}, "
            f"{tuple(x0.values.shape)}."
        )
    device = x0.values.device
    check_device(t.device, device, "Times and clean functions", "Move the times by t.to(device).")
    if at is not None:
        check_device(
            at.index.device,
            device,
            "The points to train on and clean functions",
            "Draw the points by random_subset with a generator on the device of the functions.",
        )
    check_times(t)
    if tuple(t.shape) != x0.batch:
        raise ValueError(f"One time a sample: expected {x0.batch}; got shape {tuple(t.shape)}.")
    process = denoiser.process
    alpha, sigma = process.schedule.alpha(t.double()), process.schedule.sigma(t.double())
    signal = process.signal_at(t)(x0)
    clean = x0
    if at is not None:
        signal, clean = signal.restrict(at), clean.restrict(at)
    if noise is None:
        assert generator is not None
        noise = process.noise.draw(
            x0.on.domain, batch=x0.batch[0], channels=x0.channels, generator=generator
        )
    drawn = process.noise_factor(noise)(signal.on, dtype=x0.values.dtype, device=device)
    x_t = signal * alpha + drawn * sigma
    target = denoiser.predict.target(
        signal=signal, noise=drawn, clean=clean, alpha=alpha, sigma=sigma
    )
    output = denoiser.model(x_t, t.to(x0.values))
    check_shape(target, output)
    difference = output.values - target.values
    size = (difference.square() if error == "square" else difference.abs()).mean(-1)
    return (size * target.weights).sum(-1) / target.weights.sum(-1)
