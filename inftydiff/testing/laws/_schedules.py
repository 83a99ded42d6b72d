r"""Laws of schedules: amplitudes that begin at the data and lose signal as time goes on.

:math:`\alpha(0) = 1` and :math:`\sigma(0) = 0`; :math:`\alpha > 0`; :math:`\sigma/\alpha` does not
fall, which is what every transition needs: :math:`\sigma_{t|s}^2 = \sigma_t^2 -
\alpha_{t|s}^2\sigma_s^2 ≥ 0`.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from inftydiff.processes import Schedule
from inftydiff.testing.laws._purity import arguments_untouched, random_state_untouched
from inftydiff.testing.laws.law import Check, Claim, equal, true
from inftydiff.testing.probe import Probe

__all__ = ["NUMBER_OF_TIMES", "SCHEDULE_LAWS"]

NUMBER_OF_TIMES = 999
"""The number of times that are looked at, unless fewer are asked for."""


def starts_at_the_data(schedule: Schedule, probe: Probe) -> Iterator[Claim]:
    """α(0) = 1 and σ(0) = 0."""
    start = torch.zeros(1, dtype=torch.float64)
    yield equal("α(0) = 1", schedule.alpha(start), start + 1.0, tolerance=1e-12)
    yield equal("σ(0) = 0", schedule.sigma(start), start, tolerance=1e-12, scale=1.0)


def signal_to_noise_falls(schedule: Schedule, probe: Probe) -> Iterator[Claim]:
    """σ/α does not fall as time goes on."""
    t = _times(probe)
    ratio = schedule.sigma(t) / schedule.alpha(t)
    slack = 1e-12 * ratio[:-1].abs()
    fall = (ratio[:-1] - ratio[1:] - slack).nan_to_num(nan=torch.inf)
    worst = int(fall.argmax())
    yield Claim(
        "σ(s)/α(s) ≤ σ(t)/α(t) for s < t",
        f"{ratio[worst].item():.6g} at s = {t[worst].item():.6g}",
        f"{ratio[worst + 1].item():.6g} at t = {t[worst + 1].item():.6g}",
        bool(fall[worst] <= 0.0),
    )


def amplitudes_in_range(schedule: Schedule, probe: Probe) -> Iterator[Claim]:
    """0 < α, 0 < σ after the start, and both are finite."""
    t = _times(probe)
    for name, times, values in (("α", t, schedule.alpha(t)), ("σ", t[1:], schedule.sigma(t)[1:])):
        bad = ~((values > 0) & values.isfinite())
        worst = int(bad.int().argmax())
        yield true(
            f"0 < {name} < ∞",
            not bool(bad.any()),
            f"{values[worst].item():.6g} at t = {times[worst].item():.6g}",
            "above 0, finite",
        )


def shape_and_dtype(schedule: Schedule, probe: Probe) -> Iterator[Claim]:
    """Both amplitudes have the shape and the dtype of the times, and act on each time by itself."""
    t = probe.normal(2, 3).abs().clamp(0.05, 1.0).double()
    for name, amplitude in (("α", schedule.alpha), ("σ", schedule.sigma)):
        for times in (t, t[0], t[0, 0]):
            value = amplitude(times)
            good = value.shape == times.shape
            yield true(
                f"{name}(t) has the shape of t", good, tuple(value.shape), tuple(times.shape)
            )
        one_by_one = torch.stack([amplitude(time) for time in t.flatten()]).reshape(t.shape)
        yield equal(f"{name}(t)[i] = {name}(t[i])", amplitude(t), one_by_one, tolerance=1e-12)
        for dtype in (torch.float32, torch.float64):
            value = amplitude(t.to(dtype))
            good = value.dtype == dtype
            yield true(f"{name}(t) has the dtype of t", good, value.dtype, dtype)
            yield equal(
                f"{name}(t) in {dtype} = {name}(t) in float64", value, amplitude(t), tolerance=1e-5
            )


def no_mutation(schedule: Schedule, probe: Probe) -> Iterator[Claim]:
    """Neither amplitude changes the times."""
    t = _times(probe)
    yield from arguments_untouched(lambda: (schedule.alpha(t), schedule.sigma(t)), [t])


def no_global_randomness(schedule: Schedule, probe: Probe) -> Iterator[Claim]:
    """Neither amplitude touches the global random state."""
    t = _times(probe)
    yield from random_state_untouched(lambda: (schedule.alpha(t), schedule.sigma(t)))


def _times(probe: Probe) -> Tensor:
    """As many random times as the probe has samples, with 0 before them and 1 after."""
    random = torch.rand(probe.batch, generator=probe.generator(), dtype=torch.float64)
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64)
    return torch.cat([random, ends]).sort().values


SCHEDULE_LAWS: tuple[Check, ...] = (
    starts_at_the_data,
    signal_to_noise_falls,
    amplitudes_in_range,
    shape_and_dtype,
    no_mutation,
    no_global_randomness,
)
