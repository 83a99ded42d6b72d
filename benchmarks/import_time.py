"""Seconds that the names of inftydiff take beyond ``import torch``, each in a fresh interpreter.

They are imported when they are first used; this uses them all. What ``import inftydiff`` by itself
takes is in ``benchmarks/front.py``. Run it by ``python benchmarks/import_time.py [runs]``. The
figures are medians.
"""

import subprocess
import sys
from statistics import median

STATEMENTS = """
from time import perf_counter
start = perf_counter()
import torch
middle = perf_counter()
from inftydiff import *
print(middle - start, perf_counter() - middle)
"""


def measure() -> tuple[float, float]:
    """Seconds for torch, and for inftydiff after it, in one new interpreter."""
    command = [sys.executable, "-c", STATEMENTS]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    torch_seconds, own_seconds = map(float, output.split())
    return torch_seconds, own_seconds


def main(runs: int) -> None:
    """Print the medians over a number of runs, after one that warms the disk cache."""
    measure()
    torch_seconds, own_seconds = zip(*(measure() for _ in range(runs)), strict=True)
    print(f"import torch             {median(torch_seconds):.3f} s")
    print(f"from inftydiff import *  {median(own_seconds):.3f} s beyond torch (median of {runs})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
