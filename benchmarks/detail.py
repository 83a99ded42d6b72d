"""What brings detail: predicting x₀ instead of a velocity, or training on finer renders.

    python benchmarks/detail.py train runs      after faces_64.py train runs; an hour; resumes
    python benchmarks/detail.py measure runs --json docs/_figures/detail.json

A velocity leads to S x₀, which a Wiener filter sharpens, and what the mollifier has erased stays
away. A network that predicts x₀ is read as it is. Two small models, trained for the same number of
steps on the same pictures and points, differ in this alone. The weights in the package went on from
faces of 128² to faces of 256², at as many points; the model before that and the one after are the
others. ``measure`` takes kernel distances of their samples, the amplitudes of the finest detail
over the truth's, and what they make of faces of 32² at 128². All are read with the filters of the
weights in the package.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from faces_64 import (
    FACES,
    FINE,
    FINEST,
    MODEL,
    RECIPES,
    REFERENCE,
    SIDE,
    apart,
    as_images,
    band,
    bands,
    begin,
    generator,
    samples,
    truth,
)
from timing import machine
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from inftydiff import Function
from inftydiff.evaluation import EfficientNetLite0, compare, features
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines.tasks import super_resolve
from inftydiff.training import read_progress

STEPS = 2_500
MODELS = {
    "velocity": "predicts-velocity",
    "clean": "predicts-clean",
    "faces of 128²": RECIPES["faces-64"].run,
    "faces of 256²": RECIPES["faces-64"].runs[-1],
}
"""The run of each model: two of a few steps, and what the weights in the package come from."""

COUNT, TASK, COARSE = 128, 48, 32
BANDS = ((8, 16), (16, 32), (32, 64), (64, 128))


def train(runs: Path) -> None:
    """Train two models for a few steps."""
    own = RECIPES["faces-64"].own
    some = ["--points", str(1 / 16), "--decay", "cosine", "--max-steps", str(STEPS)]
    for predict in ("velocity", "clean"):
        out = ["--out", str(runs / MODELS[predict])]
        begin(["train", *FACES, *MODEL, *own, *some, "--predict.kind", predict, *out])


class Judge:
    """Kernel distances from real faces, at several sizes."""

    def __init__(self) -> None:
        self.network = EfficientNetLite0()
        self.real: dict[int, Tensor] = {}

    def __call__(self, pictures: Tensor) -> dict[str, float]:
        """The distance and its interval."""
        side = pictures.shape[-1]
        if side not in self.real:
            others = as_images(truth("test", REFERENCE + TASK, side)[TASK:])
            self.real[side] = features(self.network, others, title=f"Real faces, {side}²")
        seen = features(self.network, as_images(pictures), title="Samples")
        kernel = compare(seen, self.real[side], generator=generator(0)).kernel
        return {"kernel": kernel.value, "low": kernel.low, "high": kernel.high}


def finer(pipeline: InftyDiff, pictures: Tensor) -> Tensor:
    """Pictures at 128², one sample each."""
    found = super_resolve(
        pipeline,
        Function.from_image(pictures),
        on=pipeline.grid(FINE),
        samples=1,
        generator=generator(0),
    )
    return found.samples.to_image()[:, 0].float()


def amplitudes(pictures: Tensor, real: Tensor) -> dict[str, float]:
    """The amplitudes of bands of frequencies over those of real faces."""
    ends = [(low, high) for low, high in BANDS if high <= pictures.shape[-1] / 2]
    return {bands(*each): band(pictures, *each) / band(real, *each) for each in ends}


def of_model(pipeline: InftyDiff, judge: Judge) -> dict[str, Any]:
    """Everything that is measured of a model."""
    fine, finest = samples(pipeline, COUNT, FINE), samples(pipeline, TASK, FINEST)
    low, high = truth("test", TASK, COARSE), truth("test", TASK, FINE)
    answer = finer(pipeline, low)
    return {
        "faces of 64²": judge(adaptive_avg_pool2d(fine, SIDE)),
        "faces of 128²": judge(fine),
        "faces of 256²": {
            **judge(finest),
            "amplitudes": amplitudes(finest, truth("test", TASK, FINEST)),
        },
        "32² to 128²": {
            "rms": apart(answer, high),
            **judge(answer),
            "amplitudes": amplitudes(answer, high),
        },
    }


def measure(runs: Path, output: Path | None) -> None:
    """Measure all models, and bicubic interpolation, print it and write it down."""
    judge, package = Judge(), load_pipeline("faces-64").config
    filters = {"range_floor": package.range_floor, "noise_to_signal": package.noise_to_signal}
    found: dict[str, Any] = {"machine": machine()}
    for name, run in MODELS.items():
        progress, pipeline = read_progress(runs / run), load_pipeline(runs / run)
        pipeline.compute_dtype = torch.bfloat16
        pipeline.config = dataclasses.replace(pipeline.config, **filters)
        done = {"steps": progress.step, "seconds": progress.seconds}
        found[name] = {**done, **of_model(pipeline, judge)}
        print(name, json.dumps(found[name], indent=1, ensure_ascii=False), flush=True)
    low, high = truth("test", TASK, COARSE), truth("test", TASK, FINE)
    cubic = interpolate(low, size=(FINE, FINE), mode="bicubic").clamp(-1, 1)
    task = {"rms": apart(cubic, high), **judge(cubic), "amplitudes": amplitudes(cubic, high)}
    found["bicubic"] = {"32² to 128²": task}
    print("bicubic", found["bicubic"], flush=True)
    if output is not None:
        output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("action", choices=["train", "measure"])
    parser.add_argument("runs", type=Path)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    options = parser.parse_args()
    if options.action == "train":
        train(options.runs)
    else:
        measure(options.runs, options.json)


if __name__ == "__main__":
    main()
