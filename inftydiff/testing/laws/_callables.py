"""Models and denoisers as callables ``(x, t)``, and states to ask them about."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from inftydiff.operators import Discretisation, Function
from inftydiff.processes import Prediction
from inftydiff.testing.laws.processes import Process
from inftydiff.testing.probe import Probe

__all__ = ["Asked", "answers_with_a_prediction"]


@final
@dataclass(frozen=True, eq=False)
class Asked:
    """A model, or a denoiser with its process.

    Args:
        call: takes functions and times, of shape ``(batch,)``; gives a function or a prediction.
        process: the denoiser's process, or None of a model.
    """

    call: Callable[[Function, Tensor], Any]
    process: Process | None = None

    def __call__(self, x: Function, t: Tensor) -> Any:
        """Return the answer."""
        return self.call(x, t)

    def functions(self, x: Function, t: Tensor) -> tuple[Function, ...]:
        """The functions that it answers with.

        Raises:
            TypeError: if it answers with something else.
        """
        with torch.no_grad():
            answer = self(x, t)
        match answer:
            case Function():
                return (answer,)
            case Prediction():
                given = (answer.signal, answer.noise, answer.clean)
                return tuple(f for f in given if f is not None)
        raise TypeError(
            f"A model answers with a Function, a denoiser with a Prediction; got "
            f"{type(answer).__name__}."
        )

    def state(
        self, probe: Probe, t: Tensor, key: int = 0, *, on: Discretisation | None = None
    ) -> Function:
        """A state to ask about: of the process at that time or, for a model, independent values.

        An exact denoiser divides by the variances of the noise, so that it says nothing sensible of
        states which the process cannot reach.
        """
        if self.process is None:
            return probe.function(key, on=on)
        law = self.process.marginal(probe.smooth(probe.grid, key=key), t)
        return law.sample(
            probe.grid if on is None else on,
            batch=probe.batch,
            channels=probe.channels,
            generator=probe.generator(key),
        )


def answers_with_a_prediction(call: Callable[[Function, Tensor], Any], probe: Probe) -> bool:
    """Return whether a callable, asked once, answers as a denoiser does; False if it raises."""
    try:
        with torch.no_grad():
            return isinstance(call(probe.function(), probe.times()), Prediction)
    except Exception:
        return False
