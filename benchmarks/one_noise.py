"""Draw the picture of the README: one noise a row, read on four grids, by the package's weights.

    python benchmarks/one_noise.py docs/_figures/one_noise.png

It is the first picture of `inftydiff demo`, with two of its four rows.
"""

import argparse
from pathlib import Path

from inftydiff.cli.demo_figures import save_sizes_figure
from inftydiff.pipelines import InftyDiff

SIZES = (32, 64, 128, 256)
SEEDS = (1, 3)


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    model = InftyDiff.from_pretrained("faces-64")
    caption = "faces-64, weights that come with the package"
    save_sizes_figure(out, model, SIZES, SEEDS, caption=caption)


if __name__ == "__main__":
    main()
