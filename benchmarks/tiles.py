"""The memory and the time of evaluating the faces' network tile by tile, and of what is around it.

Run it by ``python benchmarks/tiles.py``; ``--help`` lists the options. Every figure is of a process
of its own, whose peak Linux tells, torch's libraries and all. The seconds are those that the
process's threads computed, which a busy machine changes less than those on the wall.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from timing import machine

NETWORK = """
from inftydiff.models import MultiscaleNetwork, faces_64, tiled
network = MultiscaleNetwork(faces_64(), 3)
x = Function(Grid((side, side)), torch.randn(1, side**2, 3, generator=generator))
run = tiled(network, tile) if tile else network
with torch.no_grad():
    measured(lambda: run(x, torch.tensor([0.5])))
"""

NOISE = """
from inftydiff.pipelines import InftyDiff, preset
model = InftyDiff(preset("faces", resolution=64))
measured(lambda: model.start(on=Grid((side, side)), batch=1, generator=generator))
"""

DECONVOLUTION = """
from inftydiff.pipelines import InftyDiff, preset
model = InftyDiff(preset("faces", resolution=64))
x = Function(Grid((side, side)), torch.randn(1, side**2, 3, generator=generator))
measured(lambda: model.deconvolve(x))
"""

BEFORE = """
import re, sys
from pathlib import Path
from time import process_time
import torch
from inftydiff import Function, Grid

side, tile = int(sys.argv[1]), int(sys.argv[2])
generator = torch.Generator().manual_seed(0)

def measured(call):
    start = process_time()
    assert call().values.isfinite().all()
    seconds = process_time() - start
    status = Path("/proc/self/status").read_text()
    print(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1], seconds)
"""


def measure(script: str, side: int, tile: int = 0) -> dict[str, float]:
    """The peak in gibibytes and the seconds of a process of its own."""
    command = [sys.executable, "-c", BEFORE + script, str(side), str(tile)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    peak, seconds = map(float, output.split())
    return {"GiB": peak / 2**20, "seconds": seconds}


def main() -> None:
    """Run every experiment, print it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--whole", type=int, nargs="*", default=[1024, 2048])
    parser.add_argument("--sides", type=int, nargs="*", default=[4096])
    parser.add_argument("--tiles", type=int, nargs="*", default=[1024, 2048])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    runs = [(f"network, {side}², whole", NETWORK, side, 0) for side in options.whole]
    runs += [
        (f"network, {side}², tiles of {tile}²", NETWORK, side, tile)
        for side in options.sides
        for tile in options.tiles
    ]
    for side in options.sides:
        runs += [(f"noise, {side}²", NOISE, side, 0)]
        runs += [(f"Wiener filter, {side}²", DECONVOLUTION, side, 0)]
    figures: dict[str, object] = {"machine": machine()}
    for name, *run in runs:
        figures[name] = found = measure(*run)
        print(f"{name:32}{found['GiB']:8.2f} GiB{found['seconds']:10.1f} s", flush=True)
        if options.json is not None:
            options.json.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
