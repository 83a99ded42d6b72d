"""What drawn faces are: how near to cell averages, how rarely repeated, how long they take.

Run it by ``python benchmarks/faces.py [seeds]``. Differences are means of the absolute value over
pixels and channels, on the scale from -1 to 1, between a direct render and the average over the
cells of a render at 512².
"""

import sys
import tempfile
import time

import torch
from torch.nn.functional import avg_pool2d

from inftydiff.data import faces

FINEST = 512
SIZES = (32, 64, 128)
STYLES = ("toon-head", "cutouts", "landscape")
REPEATS_AMONG = 5000


def draw(style: str, seeds: range, size: int, cache: str) -> torch.Tensor:
    """Faces in [-1, 1], of shape ``(seeds, 3, size, size)``."""
    images = faces(style, seeds, size, cache=cache, progress=False)
    return images.pixels.double() / 127.5 - 1


def main(seeds: int) -> None:
    """Print the table of differences, the repeats and the seconds."""
    with tempfile.TemporaryDirectory() as cache:
        for style in STYLES:
            finest = draw(style, range(seeds), FINEST, cache)
            row = []
            for size in SIZES:
                averaged = avg_pool2d(finest, FINEST // size)
                error = (draw(style, range(seeds), size, cache) - averaged).abs()
                row.append(f"{size}²: mean {error.mean():.4f}, most {error.max():.2f}")
            print(f"{style:10s} {'; '.join(row)}")
    with tempfile.TemporaryDirectory() as cache:
        for what in ("drawn", "from the cache"):
            begin = time.perf_counter()
            pixels = draw(STYLES[0], range(REPEATS_AMONG), 64, cache)
            print(f"{REPEATS_AMONG} faces at 64², {what}: {time.perf_counter() - begin:.1f} s")
        distinct = len(torch.unique(pixels.flatten(1), dim=0))
        print(f"{distinct} of {REPEATS_AMONG} differ in their pixels")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 64)
