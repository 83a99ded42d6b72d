r"""Inversion: from a function up in time to the noise of which a sampler makes it.

The probability flow of a process runs both ways. Down, from noise to data, it is what DDIM and the
other deterministic rules integrate; up, from :math:`s` to :math:`t > s`, it gives the noise that
*encodes* a function on its grid. With estimates :math:`m` of the source and :math:`n` of
:math:`N\xi` the flow is :math:`\mathrm dx = m\,\mathrm d\alpha + n\,\mathrm d\sigma`, mode by mode
if the signal operator changes with time. The steps are those of
:mod:`~inftydiff.processes.inversion_rules`.

References:
    Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, section 4.3. Mokady et
    al., "Null-text inversion for editing real images using guided diffusion models", CVPR 2023
    (what is lost with guidance). Wallace, Gokul and Naik, "EDICT: exact diffusion inversion via
    coupled transformations", CVPR 2023 (another way to an exact inverse, with a sampler of its
    own).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.function import Function
from inftydiff.processes._checks import conforming, states
from inftydiff.processes.denoiser import CallableDenoiser, Denoiser, asked, check_denoiser
from inftydiff.processes.inversion_rules import InversionRule
from inftydiff.processes.parameterisation import Prediction
from inftydiff.processes.sampler import State, Watched, check_decreasing, sample

__all__ = ["RoundTrip", "inversion_trajectory", "invert", "round_trip"]


@final
@dataclass(frozen=True, eq=False)
class RoundTrip:
    """A function's encoding, and what its decoding makes of it.

    Args:
        noise: the state at the first of the times.
        decoded: the state at the last of them, to which the solver goes down again.
        error: the distance of the function and the decoded one over the function's norm, of shape
            ``(batch,)``; 0 for the function zero, if it is decoded to zero.
    """

    noise: Function
    decoded: Function
    error: Float[Tensor, "batch"]


def invert(
    inversion: InversionRule,
    denoiser: Denoiser,
    x: Function,
    *,
    times: Float[Tensor, "times"],
) -> Function:
    r"""The noise that encodes functions: the last state of :func:`inversion_trajectory`.

    ``sample`` with this start, the same times and ``inversion.solver`` goes back.

    Args:
        inversion: the rule that goes up.
        denoiser: the denoiser, whose process is followed.
        x: the states at the last of the times; if that is 0, :math:`S x_0`. Values of shape
            ``(batch, points, channels)``.
        times: strictly decreasing times, those of the sampler.

    Returns:
        The state at the first of the times, where ``x`` lives.

    Raises:
        ValueError: as :func:`inversion_trajectory`, or if the encoding is not finite.

    Example:
        >>> from inftydiff import CosineSchedule, DiffusionProcess, GaussianMeasure, Grid, Identity
        >>> from inftydiff import WhiteNoise, timesteps
        >>> from inftydiff.processes import HeunInversion
        >>> from inftydiff.testing import GaussianDenoiser
        >>> process = DiffusionProcess.white(CosineSchedule())
        >>> exact = GaussianDenoiser(process, GaussianMeasure(None, Identity(), WhiteNoise()))
        >>> x = Function(Grid((4,)), torch.tensor([[[1.0], [-2.0], [0.5], [0.0]]]))
        >>> noise = invert(HeunInversion(), exact, x, times=timesteps(50))
        >>> bool(torch.allclose(noise.values, x.values, rtol=1e-2))
        True
    """
    states = Watched(inversion_trajectory(inversion, denoiser, x, times=times))
    for state in states:
        last = state.x
    states.check(last, "Encodings")
    return last


def inversion_trajectory(
    inversion: InversionRule,
    denoiser: Denoiser,
    x: Function,
    *,
    times: Float[Tensor, "times"],
) -> Iterator[State]:
    """Yield every state of the way up, from the last of the times to the first.

    Nothing is differentiated. The arguments are those of :func:`invert`.

    Raises:
        ValueError: if the times do not decrease within [0, 1].
    """
    conforming(inversion, InversionRule, "An inversion rule", "Pass HeunInversion(), say.")
    check_denoiser(denoiser)
    states(x, "The functions to be inverted")
    check_decreasing(times)
    return _states(inversion, denoiser, x, times.double().flip(0))


def round_trip(
    inversion: InversionRule,
    denoiser: Denoiser,
    x: Function,
    *,
    times: Float[Tensor, "times"],
) -> RoundTrip:
    """Encode functions, decode them by the same rule, and compare.

    The arguments are those of :func:`invert`.

    Raises:
        ValueError: as :func:`invert`, or if a function is zero and decoded to another, so that the
            error has no size to be relative to.
    """
    noise = invert(inversion, denoiser, x, times=times)
    decoded = sample(
        inversion.solver,
        denoiser,
        on=x.on,
        times=times,
        batch=x.batch[0],
        channels=x.channels,
        generator=torch.Generator(),
        start=noise,
    )
    return RoundTrip(noise, decoded, _relative(decoded - x, x))


def _relative(difference: Function, x: Function) -> Float[Tensor, "batch"]:
    distance, size = difference.norm(), x.norm()
    lost = (size == 0.0) & (distance > 0.0)
    if bool(lost.any()):
        raise ValueError(
            "The error of a round trip is relative to the function's norm, and sample "
            f"{int(lost.nonzero()[0])} is zero, but decoded at a distance of "
            f"{distance[lost][0].item():.4g}. Leave it out, or compare what invert and sample give."
        )
    return torch.where(size > 0.0, distance / torch.where(size > 0.0, size, 1.0), 0.0)


def _states(
    inversion: InversionRule,
    denoiser: Denoiser,
    x: Function,
    times: Tensor,
) -> Iterator[State]:
    process = denoiser.process
    (batch,), place = x.batch, x.values.device
    for s, t in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        heard: list[Prediction] = []

        def listen(x_t: Function, time: Tensor, heard: list[Prediction] = heard) -> Prediction:
            heard.append(asked(denoiser, x_t, time))
            return heard[-1]

        now = torch.full((batch,), s, dtype=torch.float64, device=place)
        after = torch.full((batch,), t, dtype=torch.float64, device=place)
        with torch.no_grad():
            x_t = inversion.inversion_step(CallableDenoiser(process, listen), x, now, after)
        told = heard and float(process.schedule.sigma(torch.tensor(s).double())) > 0.0
        yield State(s, x, heard[0] if told else None)
        x = x_t
    yield State(times[-1].item(), x, None)
