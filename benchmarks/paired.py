"""Training steps and samples of this tree against those of another checkout, in turns.

    python benchmarks/paired.py PATH [--turns 30]

Two processes, one a tree, have the weights of the package and take turns at one training step
(eight pictures of 64², a quarter of the points) and at one sample (128², five steps). The figures
are medians of the ratios of neighbouring turns with their 95 % intervals (by order statistics),
below 1 where this tree is faster; the first turns are left out.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from scipy.stats import quantile_test

HERE = Path(__file__).parents[1]
KINDS = ("training step", "sample")

WORKER = """
import sys, time
import torch
from inftydiff.pipelines import InftyDiff
from inftydiff.processes import timesteps
from inftydiff.training._objective import TrainingLoss, Microbatch

torch.set_num_threads(1)
model = InftyDiff.from_pretrained("faces-64")
generator = torch.Generator().manual_seed(0)
images = torch.rand(8, 3, 64, 64, generator=generator) * 2 - 1
objective = TrainingLoss(model, points=0.25)
optimiser = torch.optim.AdamW(model.parameters(), lr=0.0, fused=True)


def step():
    optimiser.zero_grad()
    objective(images, Microbatch(0, 0, 0, len(images))).mean().backward()
    optimiser.step()


def sample():
    generator = torch.Generator().manual_seed(0)
    model.sample(on=model.grid(128), batch=1, generator=generator, times=timesteps(5))


for line in sys.stdin:
    run = {"training step": step, "sample": sample}[line.strip()]
    begin = time.perf_counter()
    run()
    print(time.perf_counter() - begin, flush=True)
"""


def worker(tree: Path) -> subprocess.Popen[str]:
    """Start a process that imports the package of a tree."""
    return subprocess.Popen(
        [sys.executable, "-c", WORKER],
        env=os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def seconds(process: subprocess.Popen[str], kind: str) -> float:
    """Have a process do one thing, and return how long it took."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{kind}\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def main() -> None:
    """Print the medians, and as JSON with all ratios if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--turns", type=int, default=30, help="how many turns each")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    args = parser.parse_args()
    ours, other = worker(HERE), worker(args.other)
    found = {}
    for kind in KINDS:
        ratios = []
        for turn in range(-2, args.turns):
            pair = (ours, other) if turn % 2 else (other, ours)
            taken = {process: seconds(process, kind) for process in pair}
            if turn >= 0:
                ratios.append(taken[ours] / taken[other])
        low, high = quantile_test(ratios, q=1, p=0.5).confidence_interval(0.95)
        found[kind] = {"median": median(ratios), "interval": [low, high], "ratios": ratios}
        print(
            f"{kind:14s} {median(ratios):.4f} [{low:.4f}, {high:.4f}] "
            f"(median of {args.turns} paired ratios, 95 % interval)",
            flush=True,
        )
    for process in (ours, other):
        process.communicate()
    if args.json is not None:
        args.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
