"""``torch.compile`` of the parts of a model that have one shape at every step."""

import torch

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
    """Have the U-Net and the encoder's way down translated when they are first called.

    The rest depends on where the points are, and has kernels of its own. Weights and names stay.
    """
    pipeline.network.unet.compile()
    if pipeline.encoder is not None:
        pipeline.encoder.descent.compile()
