"""``torch.compile`` of the parts of a model that have one shape at every step."""

import torch

from inftydiff.models import capabilities_of
from inftydiff.pipelines import InftyDiff

__all__ = ["compile_networks", "require_compiler"]


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
        ValueError: if the network has no such part.
    """
    networks = [net for net in (pipeline.network, pipeline.encoder) if net is not None]
    parts = [net.get_submodule(name) for net in networks for name in capabilities_of(net).static]
    if not parts:
        raise ValueError(
            f"compile=True compiles the parts that have one shape at every step, and "
            f"{type(pipeline.network).__name__} names none in its capabilities. Leave compile out."
        )
    for part in parts:
        part.compile()
