"""``torch.compile`` of the parts of a model that have one shape at every step."""

import torch
from torch import nn

from inftydiff.models import capabilities_of
from inftydiff.pipelines import InftyDiff

__all__ = ["compile_networks", "require_compiler", "static_parts"]


def require_compiler(device: torch.device) -> None:
    """Compile a line, to see whether it can be done here.

    Raises:
        ValueError: if it cannot; the message has the compiler's own first line.
    """
    try:
        torch.compile(lambda x: x.sin() + 1.0)(torch.ones(2, device=device))
    except Exception as error:
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(
            f"compile=True needs a compiler that torch.compile can use on {device.type}, for "
            f"instance g++ on a CPU and Triton on a GPU; it says: {why} Install one, or leave "
            "compile out."
        ) from error


def compile_networks(pipeline: InftyDiff) -> None:
    """Compile the parts of the network and of the encoder that have one shape, at their first call.

    The rest depends on where the points are, and has kernels of its own. Weights and names stay.

    Raises:
        ValueError: as :func:`static_parts`.
    """
    for part in static_parts(pipeline):
        part.compile()


def static_parts(pipeline: InftyDiff) -> list[nn.Module]:
    """Return the parts of the network and of the encoder that have one shape at every step.

    Raises:
        ValueError: if there are none, or a part that is named is none.
    """
    networks = [net for net in (pipeline.network, pipeline.encoder) if net is not None]
    try:
        parts = [net.get_submodule(n) for net in networks for n in capabilities_of(net).static]
    except AttributeError as error:
        raise ValueError(
            f"The capabilities of a network name a part that it has not: {error}. Correct them."
        ) from error
    if not parts:
        raise ValueError(
            f"compile=True compiles the parts that have one shape at every step, and "
            f"{type(pipeline.network).__name__} names none in its capabilities. Leave compile out."
        )
    return parts
