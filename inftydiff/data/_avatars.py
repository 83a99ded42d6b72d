"""Vector avatars: a style and a seed give a picture, rendered at any resolution.

``dicebear-core`` turns a style definition and a seed into SVG, and ``resvg-py`` renders it with
antialiasing, so that a pixel is nearly the average of the picture over its area.
"""

import difflib
import functools
import io
import json
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from inftydiff._extras import extra
from inftydiff._typing import instance

with extra("demo"):
    import resvg_py
    from dicebear import Avatar, Style
    from PIL import Image

    from inftydiff.data._image_io import flatten

__all__ = ["definition", "render", "style_names", "versions"]


def style_names() -> tuple[str, ...]:
    """Names of the styles that are installed, sorted."""
    with extra("demo"):
        folder = files("dicebear_styles")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def versions() -> str:
    """The versions of what decides the pixels, as one word fit for a folder's name."""
    with extra("demo"):
        return "_".join(
            f"{name}-{version(name)}" for name in ("dicebear-core", "dicebear-styles", "resvg-py")
        )


def definition(style: str) -> dict[str, Any]:
    """The definition of a style, as its authors publish it.

    Raises:
        TypeError: if it is no text.
        ValueError: if no such style is installed, or if its canvas is not square.
    """
    names = style_names()
    if instance(style, str, "style") not in names:
        near = difflib.get_close_matches(style, names, n=3, cutoff=0.5)
        hint = f"The nearest are {', '.join(near)}. " if near else ""
        raise ValueError(
            f"No style is called {style!r}. {hint}face_styles() lists all {len(names)}. Choose one "
            "of them."
        )
    text = files("dicebear_styles").joinpath(f"{style}.json").read_text("utf-8")
    content: dict[str, Any] = json.loads(text)
    width, height = content["canvas"]["width"], content["canvas"]["height"]
    if width != height:
        raise ValueError(
            f"Style {style!r} is {width} by {height}, and only square styles are rendered. "
            "face_styles() lists the others. Choose one of them."
        )
    return content


def render(
    style: str, seed: int, resolution: int, background: str
) -> UInt8[ndarray, "3 {resolution} {resolution}"]:
    """One avatar, rendered at a resolution.

    Args:
        style: one of ``style_names``.
        seed: which avatar.
        resolution: pixels a side.
        background: six hexadecimal digits.
    """
    options = {"seed": str(seed), "backgroundColor": [background]}
    png = resvg_py.svg_to_bytes(
        svg_string=Avatar(_style(style), options).to_string(),
        width=resolution,
        height=resolution,
        skip_system_fonts=True,
    )
    with Image.open(io.BytesIO(png)) as image:
        return np.moveaxis(np.asarray(flatten(image, background)), -1, 0)


@functools.cache
def _style(name: str) -> Style:
    """A style, validated once in each process."""
    return Style(definition(name))
