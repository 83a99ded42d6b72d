r"""Exponential integrators in the log-SNR, the arithmetic that several solvers share.

With :math:`\lambda = \log(\alpha/\sigma)` (of each mode, if the signal operator changes with time)
the probability flow from :math:`t` to :math:`s` is

.. math:: \frac{x_s}{\sigma_s} = \frac{x_t}{\sigma_t}
          + \int_{\lambda_t}^{\lambda_s} e^{\lambda}\, \mathrm{source}\ \mathrm d\lambda.

With :math:`h = \lambda_s - \lambda_t` and estimates :math:`m_j` of the source at
:math:`\lambda_t + r_j h`, :math:`m_0` among them with :math:`r_0 = 0`, the polynomial through them
gives

.. math:: x_s = \frac{\sigma_s}{\sigma_t} x_t
          + \alpha_s\Bigl((1 - e^{-h})\, m_0 + \sum_{j>0} w_j\,(m_j - m_0)\Bigr), \qquad
          w_j = h\int_0^1 e^{-h(1-u)}\,\ell_j(u)\,\mathrm du,

with the Lagrange polynomials :math:`\ell_j` of the nodes :math:`0, r_1, r_2, …`. In a step to
:math:`\sigma = 0`, where :math:`h = \infty`, and where two nodes coincide, which they do on a flat
piece of a schedule, the weights are zero: what is left is DDIM's step.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from inftydiff.operators.function import Function
from inftydiff.processes.amplitudes import Amplitudes
from inftydiff.processes.solvers.solver import linear_combination

__all__ = [
    "exponential_step",
    "half_log_snr",
    "interpolatory_weights",
    "midpoint_weight",
    "moments",
]

SERIES = 20
"""The terms of the series of a moment, used for h below one: enough for float64."""


def half_log_snr(amplitudes: Amplitudes) -> Tensor:
    r"""Half the log-SNR, :math:`\lambda = \log(\alpha/\sigma)`; infinite without noise."""
    return amplitudes.alpha.log() - amplitudes.sigma.log()


def moments(h: Tensor, number: int) -> list[Tensor]:
    r"""The moments :math:`c_i = h\int_0^1 e^{-h(1-u)}u^i\,\mathrm du`, i below a number.

    By :math:`c_i = 1 - i c_{i-1}/h`, and for small :math:`h` by their series.

    Args:
        h: numbers of any shape, not negative.
        number: how many moments.
    """
    exact = [-torch.expm1(-h)]
    for i in range(1, number):
        exact.append(1.0 - i * exact[-1] / h)
    small = h.clamp(max=1.0)
    found = []
    for i, large in enumerate(exact):
        term = small / (i + 1)
        series = term
        for k in range(1, SERIES):
            term = -term * small / (i + k + 1)
            series = series + term
        found.append(torch.where(h < 1.0, series, large))
    return found


def interpolatory_weights(
    h: Tensor, nodes: Sequence[Tensor], *, last_moment: float = 1.0
) -> list[Tensor]:
    r"""The weights :math:`w_j` of the nodes :math:`r_1, r_2, …`.

    Args:
        h: the steps in λ.
        nodes: the nodes, none zero, of shapes that go with that of the steps.
        last_moment: a factor of the highest moment; other than one, the weights are not exact for
            the highest power.
    """
    found = moments(h, len(nodes) + 1)
    found[-1] = found[-1] * last_moment
    weights = []
    for j, own in enumerate(nodes):
        polynomial = [torch.ones_like(own)]
        for other in [*nodes[:j], *nodes[j + 1 :]]:
            shifted = [torch.zeros_like(own), *polynomial]
            lowered = [*(other * c for c in polynomial), torch.zeros_like(own)]
            polynomial = [(a - b) / (own - other) for a, b in zip(shifted, lowered, strict=True)]
        total = sum(
            (c * m for c, m in zip(polynomial, found[1:], strict=True)), torch.zeros_like(h)
        )
        weights.append(total / own)
    return _finite(weights)


def midpoint_weight(h: Tensor, node: Tensor) -> list[Tensor]:
    r"""The weight of one node by the solver of the midpoint, :math:`(1 - e^{-h})/(2r)`."""
    return _finite([-0.5 * torch.expm1(-h) / node])


def exponential_step(
    x: Function,
    start: Amplitudes,
    end: Amplitudes,
    sources: Sequence[Function],
    weights: Sequence[Tensor],
) -> Function:
    """The step with given weights of all sources but the first.

    Args:
        x: the states that the step begins with.
        start: the amplitudes where it begins.
        end: the amplitudes where it ends.
        sources: the estimates, that of the start first.
        weights: the weights of the others.
    """
    scale = end.sigma / start.sigma
    total = -torch.expm1(half_log_snr(start) - half_log_snr(end))
    first = total - sum(weights, torch.zeros_like(total))
    factors = [first, *weights]
    terms = [(m, end.alpha * w) for m, w in zip(sources, factors, strict=True)]
    return linear_combination((x, scale), *terms)


def _finite(weights: list[Tensor]) -> list[Tensor]:
    """The weights, or zero for all of them where one is not finite."""
    good = torch.stack(torch.broadcast_tensors(*weights)).isfinite().all(0)
    return [torch.where(good, w, 0.0) for w in weights]
