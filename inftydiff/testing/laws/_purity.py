"""Laws of everything that is applied to functions: it changes nothing but what it returns."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from inftydiff.operators import Function
from inftydiff.testing.laws.law import Claim, equal, true

__all__ = ["arguments_untouched", "global_random_state", "random_state_untouched"]


def arguments_untouched(
    call: Callable[[], object], arguments: Sequence[Function | Tensor]
) -> Iterator[Claim]:
    """Calling leaves the values of the arguments as they are."""
    values = [a.values if isinstance(a, Function) else a for a in arguments]
    before = [v.clone() for v in values]
    call()
    for value, old in zip(values, before, strict=True):
        yield equal("the argument after the call = the argument before it", value, old)


def random_state_untouched(call: Callable[[], object]) -> Iterator[Claim]:
    """Calling takes nothing from the global generators of NumPy and torch.

    Python's own is not looked at: run-time type checkers draw from it.
    """
    before = global_random_state()
    call()
    for name, state in global_random_state().items():
        yield true(
            f"the state of {name}'s global generator after the call = the state before it",
            state == before[name],
            "moved on",
            "as it was",
        )


def global_random_state() -> dict[str, bytes]:
    """The states of the global generators, as bytes."""
    _, key, position, *_ = np.random.get_state()  # noqa: NPY002
    states = {
        "NumPy": np.asarray(key).tobytes() + str(position).encode(),
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
    if torch.cuda.is_available():
        states["CUDA"] = torch.cuda.get_rng_state().numpy().tobytes()
    return states
