"""Seconds that the command line takes to answer what needs no torch, each in a fresh process.

Run it by ``python benchmarks/front.py [runs]``. The figures are medians over the wall clock, taken
in turns, after one turn that warms the disk's cache. The first row is Python's own start, and the
last what the import of torch would add.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

SCRIPT = "import sys; from inftydiff.cli import main; sys.exit(main())"
"""The code that the installed script ``inftydiff`` runs."""

CASES = {
    "python -c pass": ("-c", "pass"),
    "import inftydiff": ("-c", "import inftydiff"),
    "inftydiff --help": ("-c", SCRIPT, "--help"),
    "inftydiff --version": ("-c", SCRIPT, "--version"),
    "inftydiff trian": ("-c", SCRIPT, "trian"),
    "import torch": ("-c", "import torch"),
}


def seconds(words: tuple[str, ...]) -> float:
    """Return the seconds of a process from its start to its end."""
    start = perf_counter()
    subprocess.run([sys.executable, *words], capture_output=True, check=False)
    return perf_counter() - start


def machine() -> str:
    """Return the machine that the figures were taken on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    load = f"load {os.getloadavg()[0]:.1f}"
    processor = names[0] if names else platform.processor()
    return f"{processor}, {os.cpu_count()} cores, {load}, Python {platform.python_version()}"


def main(runs: int) -> None:
    """Print the medians over a number of runs."""
    turns = [[seconds(words) for words in CASES.values()] for _ in range(1 + runs)][1:]
    print(machine())
    for name, times in zip(CASES, zip(*turns, strict=True), strict=True):
        print(f"{name:20s} {median(times):.3f} s")
    print(f"medians of {runs}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
