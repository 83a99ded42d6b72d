"""Small sheets of samples, by which one sees how a run comes along."""

from collections.abc import Sized
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff.operators import Function
from inftydiff.pipelines import InftyDiff
from inftydiff.processes import steps

__all__ = ["drawn", "save_sheet", "sheet"]

COLUMNS, ROWS, SEED, STEPS = 8, 2, 0, 15


@torch.no_grad()
def drawn(pipeline: InftyDiff, data: Dataset[Tensor]) -> Float[Tensor, "n c h w"]:
    """Samples on the grid of the data, the same noise at every call.

    A model with latents, whose prior is trained after it, shows some pictures and, after them, what
    it decodes from their latents.

    Args:
        pipeline: the model.
        data: pictures in [-1, 1], of which the first ones are taken.
    """
    device = next(pipeline.parameters()).device
    count = min(COLUMNS, len(cast(Sized, data)))
    pictures = torch.stack([data[i] for i in range(count)]).to(device)
    on = pipeline.grid((pictures.shape[-2], pictures.shape[-1]))
    known = pipeline.config.network.latent is not None
    latent = None
    if known:
        latent = pipeline.encode(Function.from_image(pictures, pipeline.config.domain))
    else:
        count = COLUMNS * ROWS
    for state in pipeline.trajectory(
        on=on,
        batch=count,
        generator=torch.Generator().manual_seed(SEED),
        times=steps(STEPS),
        latent=latent,
    ):
        x = state.x
    new = pipeline.deconvolve(x).to_image().cpu()
    return torch.cat([pictures.cpu(), new]) if known else new


def sheet(pictures: Float[Tensor, "n c h w"], columns: int) -> UInt8[Tensor, "rows columns 3"]:
    """Pictures in rows, as bytes; in grey, unless they have three channels.

    Args:
        pictures: values in [-1, 1]; others are clamped, and what is not finite is black.
        columns: pictures a row.
    """
    x = pictures if pictures.shape[1] == 3 else pictures.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    x = ((x.nan_to_num(-1.0, -1.0, -1.0).clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    missing = -len(x) % columns
    x = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
    rows = x.unflatten(0, (-1, columns))
    return rows.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)


def save_sheet(
    pipeline: InftyDiff, data: Dataset[Tensor], file: Path
) -> UInt8[Tensor, "rows columns 3"]:
    """Draw a sheet and write it as a picture.

    Args:
        pipeline: the model.
        data: pictures, as :func:`drawn` takes them.
        file: where to.

    Returns:
        The sheet.
    """
    pictures = drawn(pipeline, data)
    known = pipeline.config.network.latent is not None
    result = sheet(pictures, len(pictures) // 2 if known else COLUMNS)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(result.numpy()).save(file)
    return result
