r"""Pictures without their finest detail, to see how much of a distance is at high frequency.

Feature networks notice faint noise that the eye forgives. Both sides of a comparison go through
the heat semigroup :math:`T = e^{s^2\Delta/2}`, in units of the longest side: what is left of a
cosine of :math:`k` half waves is :math:`e^{-(\pi k s)^2/2}`, at any resolution.
"""

import torch

from inftydiff._typing import instance
from inftydiff.data import Images
from inftydiff.evaluation.features import as_bytes
from inftydiff.operators import Function, gaussian_mollifier

__all__ = ["low_passed"]

BATCH = 64


def low_passed(pictures: Images, width: float) -> Images:
    """Pictures convolved with a Gaussian, reflected at the edges, in eight bits.

    Args:
        pictures: the pictures.
        width: the standard deviation of the Gaussian; 1/64 takes a picture of 64 cells to what
            about 20 half waves can show.

    Raises:
        ValueError: if the width is not a finite number above zero.

    Example:
        >>> stripes = torch.tensor([0, 255, 255, 0], dtype=torch.uint8).repeat(4)
        >>> picture = low_passed(Images(stripes.expand(1, 1, 16, 16)), width=0.2)
        >>> int(picture.pixels.min()) in (127, 128), int(picture.pixels.max()) in (127, 128)
        (True, True)
    """
    instance(pictures, Images, "The pictures", "Make them by Images(x), of bytes.")
    mollify = gaussian_mollifier(width)
    parts = []
    for begin in range(0, len(pictures), BATCH):
        last = min(begin + BATCH, len(pictures))
        x = torch.stack([pictures[k] for k in range(begin, last)])
        parts.append(as_bytes(mollify(Function.from_image(x)).to_image()))
    return Images(torch.cat(parts))
