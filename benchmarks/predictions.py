"""What a network had better predict: x₀ itself, or a velocity of mollified functions.

    python benchmarks/predictions.py train runs      both models, an hour on one core; resumes
    python benchmarks/predictions.py measure runs --json docs/_figures/predictions.json

A velocity leads to S x₀, which a Wiener filter sharpens, and what the mollifier has erased stays
away. A network that predicts x₀ is read as it is. Both are the plain model of the faces, trained
for the same number of steps on the same pictures and points. ``measure`` takes the kernel distance
of their samples at 64² and at 128², the amplitudes of the finest detail over the truth's, and what
they make of faces of 32² at 128².
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from faces_64 import (
    FACES,
    FINE,
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
from local_operator import machine
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from inftydiff import Function
from inftydiff.evaluation import EfficientNetLite0, compare, features
from inftydiff.pipelines import InftyDiff
from inftydiff.pipelines.tasks import super_resolve
from inftydiff.training import load_pipeline, read_progress

STEPS = 2_500
PREDICTIONS = ("velocity", "clean")
COUNT, TASK, COARSE = 200, 64, 32
BANDS = ((8, 16), (16, 32), (32, 64))


def train(runs: Path) -> None:
    """Train both models for as many steps, with a learning rate that falls."""
    own = RECIPES["faces-64"].own
    for predict in PREDICTIONS:
        out = ["--out", str(runs / f"predicts-{predict}")]
        some = ["--points", str(1 / 16), "--decay", "cosine", "--max-steps", str(STEPS)]
        begin(["train", *FACES, *MODEL, *own, *some, "--predict", predict, *out])


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


def of_model(pipeline: InftyDiff, judge: Judge) -> dict[str, Any]:
    """Everything that is measured of a model."""
    fine = samples(pipeline, COUNT, FINE)
    real = truth("test", COUNT, FINE)
    low, high = truth("test", TASK, COARSE), truth("test", TASK, FINE)
    answer = finer(pipeline, low)
    return {
        "faces of 64²": judge(adaptive_avg_pool2d(fine, SIDE)),
        "faces of 128²": judge(fine),
        "amplitudes": {f"{bands(*ends)}": band(fine, *ends) / band(real, *ends) for ends in BANDS},
        "32² to 128²": {"rms": apart(answer, high), **judge(answer)},
        "amplitudes, 32² to 128²": {
            f"{bands(*ends)}": band(answer, *ends) / band(high, *ends) for ends in BANDS
        },
    }


def measure(runs: Path, output: Path | None) -> None:
    """Measure both models, and bicubic interpolation, print it and write it down."""
    judge = Judge()
    found: dict[str, Any] = {"machine": machine(), "steps": STEPS}
    for predict in PREDICTIONS:
        run = runs / f"predicts-{predict}"
        pipeline = load_pipeline(run)
        pipeline.compute_dtype = torch.bfloat16
        found[predict] = {"seconds": read_progress(run).seconds, **of_model(pipeline, judge)}
        print(predict, json.dumps(found[predict], indent=1, ensure_ascii=False), flush=True)
    low, high = truth("test", TASK, COARSE), truth("test", TASK, FINE)
    cubic = interpolate(low, size=(FINE, FINE), mode="bicubic").clamp(-1, 1)
    found["bicubic"] = {"32² to 128²": {"rms": apart(cubic, high), **judge(cubic)}}
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
