r"""Laws of parameterisations: what a network is trained to give, read back, is signal and noise.

With the exact target as the network's output, ``read`` gives :math:`S x_0` and :math:`N\xi`,
whatever the amplitudes; and whatever the output is, its reading explains the state,
:math:`x_t = \alpha\,\mathrm{signal} + \sigma\,\mathrm{noise}`.
"""

from collections.abc import Iterator

from torch import Tensor

from inftydiff.operators import Function, LinearOperator, gaussian_mollifier
from inftydiff.processes import Parameterisation
from inftydiff.testing.laws._purity import arguments_untouched, random_state_untouched
from inftydiff.testing.laws.law import Check, Claim, equal, same, true
from inftydiff.testing.probe import Probe, longest_side

__all__ = ["PARAMETERISATION_LAWS"]

WIDTH = 0.1
"""The width of the signal operator, in units of the longest side."""


def target_reads_back(parameterisation: Parameterisation, probe: Probe) -> Iterator[Claim]:
    """Reading the exact target gives the exact signal and noise."""
    S = gaussian_mollifier(WIDTH * longest_side(probe.domain))
    clean, noise, alpha, sigma = _parts(probe)
    signal = S(clean)
    target = parameterisation.target(
        signal=signal, noise=noise, clean=clean, alpha=alpha, sigma=sigma
    )
    read = parameterisation.read(
        target, signal * alpha + noise * sigma, alpha=alpha, sigma=sigma, signal_operator=S
    )
    tolerance = 10.0 * probe.tolerance
    yield same("the signal read from the target = S x0", read.signal, signal, tolerance=tolerance)
    yield same("the noise read from the target = N ξ", read.noise, noise, tolerance=tolerance)
    if read.clean is not None:
        yield same("the clean function read = x0", read.clean, clean, tolerance=tolerance)


def reading_explains_the_state(parameterisation: Parameterisation, probe: Probe) -> Iterator[Claim]:
    """Whatever the output, x_t = α signal + σ noise."""
    S = gaussian_mollifier(WIDTH * longest_side(probe.domain))
    x_t, output, alpha, sigma = _parts(probe)
    read = parameterisation.read(output, x_t, alpha=alpha, sigma=sigma, signal_operator=S)
    yield same(
        "α signal + σ noise = x_t",
        read.signal * alpha + read.noise * sigma,
        x_t,
        tolerance=10.0 * probe.tolerance,
    )
    finite = bool(read.signal.values.isfinite().all() and read.noise.values.isfinite().all())
    yield true("signal and noise are finite", finite, "NaN or infinite values", "none")


def each_sample_has_its_amplitudes(
    parameterisation: Parameterisation, probe: Probe
) -> Iterator[Claim]:
    """A sample's target and reading depend on its own functions and amplitudes alone."""
    S = gaussian_mollifier(WIDTH * longest_side(probe.domain))
    parts, last = _parts(probe), _last(_parts(probe))
    for name, act in (("target", _target), ("signal", _signal), ("noise", _noise)):
        yield equal(
            f"the {name} of the last sample = the {name} of the sample alone",
            act(parameterisation, S, *parts).values[-1:],
            act(parameterisation, S, *last).values,
            tolerance=10.0 * probe.tolerance,
        )


def no_mutation(parameterisation: Parameterisation, probe: Probe) -> Iterator[Claim]:
    """Neither functions nor amplitudes change."""
    S = gaussian_mollifier(WIDTH * longest_side(probe.domain))
    for act in (_target, _signal):
        parts = _parts(probe)
        yield from arguments_untouched(lambda: act(parameterisation, S, *parts), parts)  # noqa: B023


def no_global_randomness(parameterisation: Parameterisation, probe: Probe) -> Iterator[Claim]:
    """Target and reading leave the global random state alone."""
    S = gaussian_mollifier(WIDTH * longest_side(probe.domain))
    for act in (_target, _signal):
        yield from random_state_untouched(lambda: act(parameterisation, S, *_parts(probe)))  # noqa: B023


def _target(
    parameterisation: Parameterisation,
    S: LinearOperator,
    clean: Function,
    noise: Function,
    alpha: Tensor,
    sigma: Tensor,
) -> Function:
    return parameterisation.target(
        signal=S(clean), noise=noise, clean=clean, alpha=alpha, sigma=sigma
    )


def _signal(
    parameterisation: Parameterisation,
    S: LinearOperator,
    x_t: Function,
    output: Function,
    alpha: Tensor,
    sigma: Tensor,
) -> Function:
    return parameterisation.read(output, x_t, alpha=alpha, sigma=sigma, signal_operator=S).signal


def _noise(
    parameterisation: Parameterisation,
    S: LinearOperator,
    x_t: Function,
    output: Function,
    alpha: Tensor,
    sigma: Tensor,
) -> Function:
    return parameterisation.read(output, x_t, alpha=alpha, sigma=sigma, signal_operator=S).noise


def _last(
    parts: tuple[Function, Function, Tensor, Tensor],
) -> tuple[Function, Function, Tensor, Tensor]:
    first, second, alpha, sigma = parts
    alone = (Function(f.on, f.values[-1:]) for f in (first, second))
    return next(alone), next(alone), alpha[-1:], sigma[-1:]


def _parts(probe: Probe) -> tuple[Function, Function, Tensor, Tensor]:
    return probe.function(0), probe.function(1), probe.times(2), probe.times(3)


PARAMETERISATION_LAWS: tuple[Check, ...] = (
    target_reads_back,
    reading_explains_the_state,
    each_sample_has_its_amplitudes,
    no_mutation,
    no_global_randomness,
)
