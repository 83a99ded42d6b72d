"""The adaptive integrator, which is that of torchdiffeq, imported when it is first used."""

import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["adaptive_integrator"]


def adaptive_integrator(user: str) -> Callable[..., Any]:
    """``torchdiffeq.odeint``.

    Args:
        user: what integrates by it, the subject of the error's sentence.

    Raises:
        ModuleNotFoundError: if torchdiffeq is not installed.
    """
    try:
        with warnings.catch_warnings():
            # torchdiffeq scripts a function when it is imported, which torch no longer recommends.
            warnings.simplefilter("ignore", DeprecationWarning)
            from torchdiffeq import odeint
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{user} integrates by torchdiffeq, which is not installed: "
            'pip install "inftydiff[solvers]"',
            name=error.name,
        ) from error
    return odeint
