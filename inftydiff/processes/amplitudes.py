r"""The amplitudes of a process at its times, and the numbers of the steps between two times.

With the amplitudes :math:`\alpha_s, \sigma_s` at :math:`s` and :math:`\alpha_t, \sigma_t` at
:math:`t > s` they are those of the laws in :mod:`inftydiff.processes.diffusion`, one a sample, or
one a sample and a mode.
"""

from typing import NamedTuple

from torch import Tensor

from inftydiff.processes.schedule import check_times

__all__ = [
    "Amplitudes",
    "Posterior",
    "Transition",
    "check_order",
    "posterior_between",
    "transition_between",
]


class Amplitudes(NamedTuple):
    r"""The amplitudes of source and noise at a time, in float64.

    Both have the shape ``(batch,)`` if the signal operator is constant. If it changes with time
    they have the shapes ``(batch, *modes)`` and ``(batch, 1, …)``.

    Args:
        alpha: :math:`\alpha_t`, or :math:`\alpha_t m_t(\lambda_k)` mode by mode.
        sigma: :math:`\sigma_t`.
    """

    alpha: Tensor
    sigma: Tensor


class Transition(NamedTuple):
    r"""The numbers of :math:`x_t|x_s`, shaped like the amplitudes, float64.

    Args:
        scale: :math:`\alpha_{t|s}`.
        std: :math:`\sigma_{t|s}`, the noise added.
    """

    scale: Tensor
    std: Tensor


class Posterior(NamedTuple):
    r"""The numbers of :math:`x_s|x_t, x_0`, shaped like the amplitudes, float64.

    Args:
        state: the weight of :math:`x_t` in the mean.
        signal: the weight of the source (:math:`S x_0`, or :math:`x_0`) in the mean.
        std: the factor of :math:`N\xi`.
    """

    state: Tensor
    signal: Tensor
    std: Tensor


def transition_between(start: Amplitudes, end: Amplitudes) -> Transition:
    """Return the numbers of the transition from ``start`` to the later ``end``."""
    scale = end.alpha / start.alpha
    variance = end.sigma**2 - (scale * start.sigma) ** 2
    return Transition(scale, variance.clamp(min=0.0).sqrt())


def posterior_between(start: Amplitudes, end: Amplitudes) -> Posterior:
    """Return the numbers of the posterior at the earlier ``end``, given the state at ``start``."""
    scale, std = transition_between(end, start)
    return Posterior(
        state=scale * (end.sigma / start.sigma) ** 2,
        signal=end.alpha * (std / start.sigma) ** 2,
        std=end.sigma * std / start.sigma,
    )


def check_order(s: Tensor, t: Tensor) -> None:
    """Refuse times that are not 0 ≤ s < t ≤ 1.

    Raises:
        ValueError: if a time is out of range or the order is wrong.
    """
    check_times(s)
    check_times(t)
    if t.shape != s.shape and t.ndim and s.ndim:
        raise ValueError(
            f"A step goes between times of one shape; got s of {tuple(s.shape)} and t of "
            f"{tuple(t.shape)}."
        )
    if not bool((s < t).all()):
        raise ValueError(
            f"A step goes between times s < t; got s = {s.tolist()} and t = {t.tolist()}."
        )
