"""The schedule of any scheduler of diffusers is that of its own ``add_noise``, or it is refused.

Whatever its class and its options, and whatever its setters were called with.
"""

import copy
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Protocol, runtime_checkable

import diffusers.schedulers
import pytest
import torch
from diffusers import ConfigMixin

from inftydiff.processes.conversion import from_diffusers
from inftydiff.processes.schedule import Schedule, noise_ratio
from inftydiff.processes.schedules import FlowMatchingSchedule, TabulatedSchedule

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation", "ignore::FutureWarning", "ignore::DeprecationWarning"
)
N = 30
KDPM2 = (diffusers.KDPM2DiscreteScheduler, diffusers.KDPM2AncestralDiscreteScheduler)
SPACED = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "use_lu_lambdas")
OPTIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
    "trained": {"trained_betas": [0.01 + 0.002 * i for i in range(N)]},
    "zero signal": {"rescale_betas_zero_snr": True},
    "trailing": {"timestep_spacing": "trailing"},
    "leading": {"timestep_spacing": "leading", "steps_offset": 1},
    "Karras": {"use_karras_sigmas": True},
    "exponential": {"use_exponential_sigmas": True},
    "beta": {"use_beta_sigmas": True},
    "least level": {"final_sigmas_type": "sigma_min"},
    "exponential EDM": {"sigma_schedule": "exponential", "sigma_max": 20.0},
    "flow": {"use_flow_sigmas": True, "prediction_type": "flow_prediction", "flow_shift": 3.0},
    "shift": {"shift": 3.0},
    "terminal": {"shift_terminal": 0.1},
    "inverted": {"invert_sigmas": True},
    "dynamic": {"use_dynamic_shifting": True},
}
SETTERS: dict[str, Callable[[Any], None]] = {
    "none": lambda s: None,
    "set_timesteps": lambda s: s.set_timesteps(7),
    "set_begin_index": lambda s: (s.set_timesteps(7), s.set_begin_index(2)),
    "set_shift": lambda s: s.set_shift(3.0),
    "set_shift, set_timesteps": lambda s: (s.set_shift(3.0), s.set_timesteps(7)),
    "set_sigmas": lambda s: s.set_sigmas(7),
    "config": lambda s: configure(s, shift=5.0, flow_shift=5.0, beta_end=0.5),
    "config, set_timesteps": lambda s: (
        configure(s, shift=5.0, flow_shift=5.0),
        s.set_timesteps(7),
    ),
}


def configure(scheduler: Any, **changes: float) -> None:
    """Change those of a scheduler's arguments that it has."""
    scheduler.register_to_config(**{k: v for k, v in changes.items() if k in scheduler.config})


@runtime_checkable
class Adds(Protocol):
    def add_noise(self) -> None: ...


@runtime_checkable
class Scales(Protocol):
    def scale_noise(self) -> None: ...


NOISING = (Adds, Scales)
SILENT = (diffusers.RePaintScheduler,)
"""Their add_noise says to take that of DDPM."""


def every_class() -> Iterator[type]:
    """The classes of schedulers that this diffusers has, and that can be imported here."""
    for module in pkgutil.walk_packages(diffusers.schedulers.__path__, "diffusers.schedulers."):
        try:
            found = importlib.import_module(module.name)
        except ModuleNotFoundError:
            continue
        for value in vars(found).values():
            local = inspect.isclass(value) and value.__module__ == module.name
            if local and issubclass(value, ConfigMixin):
                yield value


CLASSES = list(every_class())


def made(kind: type, options: dict[str, Any]) -> Any | None:
    """A scheduler with few steps and these options; None if its class does not take them."""
    known = inspect.signature(kind).parameters
    if not options.keys() <= known.keys():
        return None
    steps = {"num_train_timesteps": N} if "num_train_timesteps" in known else {}
    try:
        return kind(**steps, **options)
    except (TypeError, ValueError, NotImplementedError, AttributeError, IndexError):
        return None


def added(scheduler: Any, time: torch.Tensor) -> tuple[float, float]:
    """The amplitudes of signal and noise that the scheduler itself adds at one of its times."""
    one, zero = torch.ones(1, 1, 1, 1).double(), torch.zeros(1, 1, 1, 1).double()
    found = []
    for signal, noise in ((one, zero), (zero, one)):
        own = copy.copy(scheduler)
        if hasattr(own, "_begin_index"):
            own._begin_index = own._step_index = None
        if hasattr(own, "scale_noise"):
            at = time if isinstance(own, diffusers.FlowMatchHeunDiscreteScheduler) else time[None]
            found.append(own.scale_noise(signal, at, noise).item())
        else:
            found.append(own.add_noise(signal, noise, time.reshape(1)).item())
    return found[0], found[1]


def compare_flow(scheduler: Any, schedule: FlowMatchingSchedule) -> None:
    """At every time, as the straight path of this shift, at equal distances along it."""
    if scheduler.timesteps is None or not len(scheduler.timesteps):
        return  # it has no times yet
    if hasattr(scheduler, "alphas_cumprod") and scheduler.num_inference_steps is None:
        return  # it has the levels of its β until its times are set
    found = torch.tensor([added(scheduler, time) for time in scheduler.timesteps]).double()
    signal, noise = found.unbind(-1)
    at = noise / (schedule.shift - (schedule.shift - 1) * noise)
    torch.testing.assert_close(schedule.alpha(at), signal, rtol=0, atol=2e-4)
    torch.testing.assert_close(schedule.sigma(at), noise, rtol=0, atol=1e-5)
    if len(scheduler.timesteps.unique()) == len(at):
        even = torch.linspace(at[0], at[-1], len(at)).double()
        torch.testing.assert_close(at, even, rtol=0, atol=1e-4)


def compare_table(scheduler: Any, schedule: TabulatedSchedule) -> None:
    """At every index, t = (i+1)/n, and between the two nearest ones at other times."""
    n = len(scheduler.alphas_cumprod)
    assert len(schedule.times) == n + 1
    of_levels = hasattr(scheduler, "sigmas")
    if not of_levels:
        found = torch.tensor([added(scheduler, torch.tensor(i)) for i in range(n)])
        expected = torch.tensor([schedule.alphas[1:], schedule.sigmas[1:]]).T
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-7)
        return
    # Solvers on levels of noise have those of their times when the times are set.
    if scheduler.num_inference_steps is None:
        return
    ratio = noise_ratio(schedule, torch.tensor(schedule.times).double())
    # The times between two steps of KDPM2 have the level of the later one.
    midway = isinstance(scheduler, KDPM2)
    for time in scheduler.timesteps[:: 1 + midway]:
        signal, noise = added(scheduler, time)
        # Those that space their levels otherwise round the times of them.
        rounded = any(scheduler.config.get(key) for key in SPACED)
        low = min(max(int(time.floor()) + 1 - rounded, 0), n)
        high = min(int(time.ceil()) + 1 + rounded, n)
        assert ratio[low] * (1 - 1e-4) <= noise / signal <= ratio[high] * (1 + 1e-4)


def compare_levels(scheduler: Any, schedule: TabulatedSchedule) -> None:
    """At every time, as a level of noise beside the signal as it is."""
    if hasattr(scheduler, "discrete_sigmas"):
        times = range(len(scheduler.discrete_sigmas))
        found = [added(scheduler, torch.tensor(i)) for i in times]
        assert found == [(1.0, level) for level in schedule.sigmas[1:]]
        return
    for time in scheduler.timesteps:
        signal, noise = added(scheduler, time)
        assert signal == 1.0
        assert noise in schedule.sigmas


def compare(scheduler: Any, schedule: Schedule) -> None:
    if isinstance(schedule, FlowMatchingSchedule):
        compare_flow(scheduler, schedule)
    elif hasattr(scheduler, "alphas_cumprod"):
        compare_table(scheduler, schedule)
    else:
        compare_levels(scheduler, schedule)


@pytest.mark.thorough
@pytest.mark.parametrize("setter", SETTERS)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_what_it_adds(kind: type, setter: str):
    refusals: list[str] = []
    for options in OPTIONS.values():
        scheduler = made(kind, options)
        if scheduler is None:
            continue
        try:
            SETTERS[setter](scheduler)
        except Exception:  # not one of its setters, or not with these options
            continue
        before = str(vars(scheduler))
        try:
            schedule = from_diffusers(scheduler)
        except (TypeError, ValueError) as error:
            refusals.append(str(error))
            continue
        finally:
            assert str(vars(scheduler)) == before
        if kind not in SILENT and isinstance(scheduler, NOISING):
            compare(scheduler, schedule)
    assert all(kind.__name__ in text or "without any signal" in text for text in refusals)


def test_a_shift_that_is_set_and_in_use():
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_shift(3.0)
    with pytest.raises(ValueError, match=r"not those of its shift, 3\. .*call set_timesteps"):
        from_diffusers(scheduler)
    scheduler.set_timesteps(1000)
    schedule = from_diffusers(scheduler)
    assert schedule == FlowMatchingSchedule(3.0)
    t = torch.arange(1000, 0, -1, dtype=torch.float64) / 1000
    found = torch.tensor([added(scheduler, time) for time in scheduler.timesteps]).double()
    torch.testing.assert_close(schedule.sigma(t), found[:, 1], rtol=1e-5, atol=0)


def test_an_argument_that_is_not_in_use():
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=2.0)
    scheduler.register_to_config(shift=5.0)
    assert from_diffusers(scheduler) == FlowMatchingSchedule(2.0)


def test_levels_without_noise_added():
    scheduler = diffusers.LTXEulerAncestralRFScheduler()
    for _ in range(2):
        with pytest.raises(TypeError, match="got LTXEulerAncestralRFScheduler"):
            from_diffusers(scheduler)
        scheduler.set_timesteps(5)


@pytest.mark.parametrize("table", [[], [0.5, float("nan")], [0.5, -0.1]])
def test_a_table_that_is_none(table: list):
    with pytest.raises(ValueError, match="ᾱ"):
        from_diffusers(SimpleNamespace(alphas_cumprod=torch.tensor(table)))
