"""Two stages against one: kernel distances at equal parameters and equal training time.

    python benchmarks/two_stages.py train runs      four hours on two cores; resumes
    python benchmarks/two_stages.py measure runs --json docs/_figures/two_stages.json

Both models have the parameters and the filters of the weights in the package, and are trained at a
sixteenth of the points for the same number of seconds; the prior's come on top. ``measure`` takes
their samples' kernel distance from real faces, and shows where it comes from: real faces get the
noise of a time t and are denoised from there, so that what is lost between t and 0 is seen by
itself. For the two-stage model they have their own latents, which is what a perfect prior and a
perfect encoder would give.
"""

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import torch
from faces_64 import (
    BATCH,
    FACES,
    FINE,
    PRIOR,
    RECIPES,
    REFERENCE,
    SIDE,
    Claim,
    as_images,
    begin,
    generator,
    samples,
    scores,
    seconds,
    truth,
)
from jaxtyping import Float
from timing import machine
from torch import Tensor

from inftydiff import Function, timesteps
from inftydiff.cli.command import parameters
from inftydiff.evaluation import EfficientNetLite0, compare, features
from inftydiff.operators.cells import coarsen
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.training import read_progress

SECONDS = 6_700
COUNT, DENOISED = 1000, 96
LEFT = (2, 4, 7, 11, 15)
"""After how many steps, of fifteen, denoising ends that begins at a real face with noise."""

FLOOR, RATIO = 0.1, 0.5
RUNS = {
    "plain": ("equal-plain", "equal-plain"),
    "two-stage": ("equal-autoencoder", "equal-two-stage"),
}
"""The run of each model's network, and the one that the model is taken from."""


def train(runs: Path) -> None:
    """Train both models for the same time, and then the prior."""
    for recipe in RECIPES.values():
        words, *_ = recipe.commands(runs)
        words[words.index("--max-steps") + 1] = "None"
        words[words.index("--minutes") + 1] = f"{SECONDS / 60:.2f}"
        words[-1] = str(runs / f"equal-{recipe.run}")
        begin(words)
    first, last = RUNS["two-stage"]
    begin(["train-prior", str(runs / first), *FACES, *PRIOR, "--out", str(runs / last)])


def load(run: Path) -> InftyDiff:
    """The model of a run, with the filters of both."""
    pipeline = load_pipeline(run)
    pipeline.compute_dtype = torch.bfloat16
    pipeline.config = dataclasses.replace(pipeline.config, range_floor=FLOOR, noise_to_signal=RATIO)
    return pipeline


@torch.no_grad()
def denoised(pipeline: InftyDiff, faces: Tensor, left: int) -> Float[Tensor, "n 3 64 64"]:
    """Faces that get the noise of the time before the last steps, and are denoised by these."""
    times, g = timesteps(15)[15 - left :], generator(3)
    process, on, parts = pipeline.process, pipeline.grid(FINE), []
    alpha, sigma = (
        float(f(times[0].double())) for f in (process.schedule.alpha, process.schedule.sigma)
    )
    for some in faces.split(BATCH):
        clean = Function.from_image(some)
        noise = process.draw_noise(on, batch=len(some), channels=3, generator=g, dtype=some.dtype)
        x = pipeline.sample(
            on=on,
            batch=len(some),
            generator=g,
            times=times,
            start=process.constant_signal(clean) * alpha + noise * sigma,
            latent=None if pipeline.encoder is None else pipeline.encode(clean),
        )
        parts.append(coarsen(x, pipeline.grid(SIDE)).to_image())
    return torch.cat(parts)


def origin(pipeline: InftyDiff, real: Tensor) -> dict[str, float]:
    """The kernel distance of faces that are denoised from a time, for several times."""
    network, found = EfficientNetLite0(), {}
    others = features(network, as_images(real), title="Real faces")
    fine = truth("test", REFERENCE + DENOISED, FINE)[REFERENCE:]
    for left in LEFT:
        seen = features(
            network, as_images(denoised(pipeline, fine, left)), title=f"{left} steps left"
        )
        distance = compare(seen, others, generator=generator(0), resamples=2).kernel.value
        found[f"{left / 15:.3f}"] = distance
        print(f"from t = {left / 15:.3f}: kernel distance {distance:.4f}", flush=True)
    return found


def measure(runs: Path, count: int, output: Path | None) -> bool:
    """Compare both models, print it, and write it down; whether the claim holds."""
    real = truth("test", REFERENCE + count, SIDE)
    found: dict[str, Any] = {"machine": machine(), "models": {}}
    for name, (first, last) in RUNS.items():
        pipeline = load(runs / last)
        print(name, flush=True)
        found["models"][name] = {
            "parameters": parameters(pipeline),
            "steps": read_progress(runs / first).step,
            "seconds": seconds(runs / first),
            "origin": origin(pipeline, real[:REFERENCE]),
            "scores": scores(samples(pipeline, count, SIDE), real, count),
        }
    two, one = (
        found["models"][name]["scores"]["pictures"]["kernel"]["value"]
        for name in ("two-stage", "plain")
    )
    claim = Claim(f"kernel distance over the plain model's, {count}", two / one, 0.75)
    print(claim)
    found["claims"] = [dataclasses.asdict(claim)]
    if output is not None:
        output.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return claim.holds


def main() -> None:
    """Do what the words say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["train", "measure"])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.what == "train":
        train(options.runs)
    else:
        sys.exit(not measure(options.runs, options.count, options.json))


if __name__ == "__main__":
    main()
