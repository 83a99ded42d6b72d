"""The weights in the package: how they are trained, how their filters are chosen, what they reach.

    python benchmarks/faces_64.py train runs            both models; resumes
    python benchmarks/faces_64.py choose runs/plain     filters on held-out faces
    python benchmarks/faces_64.py save faces-64 runs
    python benchmarks/faces_64.py measure faces-64 runs --json docs/_figures/faces_64.json
    python benchmarks/faces_64.py card faces-64 docs/_figures/faces_64.json

``faces-64`` is the plain model, without latents; ``faces-64-two-stage`` is the diffusion
autoencoder and the prior of its latents, with as many parameters. ``measure`` prints each claim
with a pass or a shortfall, and writes the figures and a picture; ``card`` puts them on the model
card. Kernel distances are those of ``inftydiff evaluate`` on the test faces, which neither training
nor the choice of the filters has seen. ``benchmarks/two_stages.py`` compares the two models.
"""

import argparse
import dataclasses
import json
import math
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float
from timing import machine
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from inftydiff import DDIM, Function, WhiteNoise, gaussian_mollifier, random_subset, timesteps
from inftydiff.cli.command import parameters
from inftydiff.cli.drawing import draw
from inftydiff.cli.figures import Panel, save_figure
from inftydiff.cli.reconstruct import psnr
from inftydiff.data import Images, face_credit, face_seeds, faces
from inftydiff.evaluation import EfficientNetLite0, as_bytes, compare, features, score
from inftydiff.operators.cells import coarsen
from inftydiff.pipelines import InftyDiff, ModelCard, load_pipeline
from inftydiff.pipelines.checkpoints import steps_in
from inftydiff.processes import MollifiedProcess
from inftydiff.training import read_progress

SCRIPT = "benchmarks/faces_64.py"
STYLE, SIDE, FINE = "toon-head", 64, 128
FACES = ["faces", "--resolution", str(FINE), "--images", "10000"]
MODEL = [
    *("--training-resolution", str(FINE), "--batch-size", "16"),
    *("--network.cell", str(1 / 64), "--network.scale", "0.564"),
    *("--process.mollifier.width", str(1 / 128), "--process.noise.intensity", str(1 / 64)),
    *("--learning-rate", "1e-3", "--minutes", "None"),
]
PRIOR = [
    *("--prior.width", "256", "--prior.layers", "8", "--seen", str(1 / 16), "--draws", "2"),
    *("--learning-rate", "1e-3", "--decay", "cosine", "--minutes", "None", "--max-steps", "6000"),
]
FINEST = 256
FINER = [
    *("--points", str(1 / 16), "--decay", "cosine", "--max-steps", "25500", "--resume"),
]
FINER_RATE = "2e-3"
"""The learning rate that falls over all 25,500 steps: 3.5e-4 is left of it when these begin."""

FLOORS, RATIOS = (None, 0.1, 0.2), (0.1, 0.2, 0.3, 0.5, 0.7)
"""The floors of the range projection and the noise-to-signal ratios that are tried."""

SIZES = (32, SIDE, FINE, FINEST)
JUDGED, REFERENCE = 500, 1000
FACES_SHOWN, RECONSTRUCTED, BATCH = 16, 64, 16


@final
@dataclass(frozen=True)
class Recipe:
    """How a model is trained: at a sixteenth of the points, at a quarter, on finer faces.

    Args:
        run: the name of the run.
        summary: what the model is.
        own: the options that are its own.
        coarse: the steps at a sixteenth of the points, with a constant learning rate.
        steps: the steps until then at a quarter, while the learning rate falls as a cosine.
        prior: the name of the run of the latents' prior, if the model has latents.
        finer: the name of the run that goes on from there on faces of 256², at a sixteenth of the
            points, which are as many, if there is one.
    """

    run: str
    summary: str
    own: tuple[str, ...]
    coarse: int
    steps: int
    prior: str | None = None
    finer: str | None = None

    @property
    def runs(self) -> list[str]:
        """The runs whose seconds count, the last of which is the model."""
        return [self.finer or self.run, *([] if self.prior is None else [self.prior])]

    def commands(self, runs: Path) -> list[list[str]]:
        """The command lines, in their order."""
        first = ["train", *FACES, *MODEL, *self.own]
        out = ["--out", str(runs / self.run)]
        finer = ["--decay", "cosine", "--points", str(1 / 4), "--resume"]
        lines = [
            [*first, "--points", str(1 / 16), "--max-steps", str(self.coarse), *out],
            [*first, *finer, "--max-steps", str(self.steps), *out],
        ]
        if self.prior is not None:
            out = ["--out", str(runs / self.prior)]
            lines.append(["train-prior", str(runs / self.run), *FACES, *PRIOR, *out])
        if self.finer is not None:
            words = ["train", *FACES, *MODEL, *self.own, *FINER, "--out", str(runs / self.finer)]
            words[words.index("--resolution") + 1] = str(FINEST)
            words[words.index("--learning-rate") + 1] = FINER_RATE
            lines.append(words)
        return lines

    def copy(self, runs: Path) -> tuple[Path, Path] | None:
        """The run that the finer one begins as a copy of, and that one."""
        return None if self.finer is None else (runs / self.run, runs / self.finer)


RECIPES = {
    "faces-64": Recipe(
        "plain",
        "Vector faces by a diffusion model of functions.",
        ("--network.grid-channels", "48"),
        11_149,
        18_500,
        finer="finer",
    ),
    "faces-64-two-stage": Recipe(
        "autoencoder",
        "Vector faces by a diffusion autoencoder of functions and a prior of its latents.",
        ("--latent", "64"),
        8_302,
        12_500,
        "two-stage",
    ),
}


def weights(name: str) -> Path:
    """The folder of the weights in the package."""
    return Path(__file__).parent.parent / "inftydiff/weights" / name


def seconds(run: Path) -> float:
    """How long a run has trained."""
    return read_progress(run).seconds


def train(runs: Path) -> None:
    """Train everything, going on where an earlier call was stopped."""
    for recipe in RECIPES.values():
        for words in recipe.commands(runs):
            copy = recipe.copy(runs)
            if copy is not None and words[-1] == str(copy[1]) and not steps_in(copy[1]):
                shutil.copytree(*copy)
            begin(words)


def begin(words: list[str]) -> None:
    """Run a training command, or go on with it, unless it has come to its end."""
    run = Path(words[words.index("--out") + 1])
    if steps_in(run):
        done = read_progress(run)
        if done.step >= most(words, "--max-steps") or done.seconds / 60 >= most(words, "--minutes"):
            return
        words = words if "--resume" in words else [*words, "--resume"]
    print(shlex.join(["inftydiff", *words]), flush=True)
    subprocess.run([sys.executable, "-m", "inftydiff.cli", *words], check=True)


def most(words: list[str], name: str) -> float:
    """The number that a command has after an option."""
    value = words[words.index(name) + 1]
    return math.inf if value == "None" else float(value)


def truth(split: str, count: int, side: int) -> Float[Tensor, "n 3 side side"]:
    """Faces in [-1, 1]."""
    images = faces(STYLE, face_seeds(split, count), side)
    return torch.stack([images[i] for i in range(count)])


def generator(seed: int) -> torch.Generator:
    """A generator of its own."""
    return torch.Generator().manual_seed(seed)


def choose(path: Path, count: int) -> None:
    """Print the distances from held-out faces for each pair of filters."""
    network = EfficientNetLite0()
    real = features(network, as_images(truth("validation", 1000, SIDE)), title="Held-out faces")
    for floor in FLOORS:
        pipeline = load_pipeline(path)
        pipeline.config = dataclasses.replace(pipeline.config, range_floor=floor)
        on, g = pipeline.grid(SIDE), generator(1)
        parts = [
            pipeline.sample(on=pipeline.sampling_grid(on), batch=n, generator=g, deconvolve=False)
            for n in batches(count)
        ]
        for ratio in RATIOS:
            clean = [pipeline.deconvolve(part, noise_to_signal=ratio) for part in parts]
            pictures = torch.cat([coarsen(part, on).to_image() for part in clean])
            judged = features(network, as_images(pictures), title="Samples")
            found = compare(judged, real, generator=generator(0), resamples=2)
            print(
                f"floor {floor}, ratio {ratio}: kernel distance {found.kernel.value:.4f}, "
                f"Fréchet {found.frechet.value:.1f}",
                flush=True,
            )


def batches(count: int) -> list[int]:
    """How many samples are drawn at a time."""
    return [min(BATCH, count - begin) for begin in range(0, count, BATCH)]


def as_images(pictures: Float[Tensor, "n 3 h w"]) -> Images:
    """Pictures as files would hold them."""
    return Images(as_bytes(pictures))


def save(name: str, runs: Path, floor: float | None, ratio: float) -> None:
    """Save the model of a run in sixteen bits, with filters, and a card without figures."""
    pipeline = load_pipeline(runs / RECIPES[name].runs[-1])
    pipeline.config = dataclasses.replace(pipeline.config, range_floor=floor, noise_to_signal=ratio)
    pipeline.save_pretrained(weights(name), dtype=torch.bfloat16, card=card(name, {}))


def card(name: str, figures: dict[str, str]) -> ModelCard:
    """The model card of weights."""
    recipe = RECIPES[name]
    lines = [shlex.join(["inftydiff", *words]) for words in recipe.commands(Path("runs"))]
    copy = recipe.copy(Path("runs"))
    if copy is not None:
        lines.insert(-1, shlex.join(["cp", "-r", *map(str, copy)]))
    finer = "" if copy is None else f", and then on {FINEST}²"
    return ModelCard(
        name=name,
        summary=f"{recipe.summary} Faces of 64² are averages of what it draws on 128², the grid "
        f"that it was trained on, at a sixteenth of the points and then at a quarter{finer}. It "
        f'comes with the package: `InftyDiff.from_pretrained("{name}")`.',
        license="cc-by-4.0",
        command="\n".join([*lines, f"python {SCRIPT} save {name} runs"]),
        credits=[face_credit(STYLE)],
        figures=figures,
    )


@final
@dataclass(frozen=True)
class Claim:
    """A figure, and the bound it is held to.

    Args:
        name: what was measured.
        value: what was found.
        most: what it is at most; None where nothing is asked.
    """

    name: str
    value: float
    most: float | None = None

    def __str__(self) -> str:
        asked = ""
        if self.most is not None:
            asked = f"   at most {self.most:g}: {'pass' if self.holds else 'SHORTFALL'}"
        return f"{self.name:64s} {self.value:9.4f}{asked}"

    @property
    def holds(self) -> bool:
        """Whether the bound holds."""
        return self.most is None or self.value <= self.most


def scores(pictures: Tensor, real: Tensor, count: int) -> dict[str, Any]:
    """The distances of ``count`` pictures from 1000 test faces, beside the clean floor."""
    network = EfficientNetLite0()
    found = score(
        features(network, as_images(pictures[:count]), title="Samples"),
        features(network, as_images(real[:REFERENCE]), title="Real faces"),
        features(network, as_images(real[REFERENCE : REFERENCE + count]), title="Floor"),
        network=network.name,
        generator=generator(0),
    )
    print(found, flush=True)
    return found.record()


def samples(pipeline: InftyDiff, count: int, side: int) -> Float[Tensor, "n 3 side side"]:
    """The samples with the seeds 0, 1, … at a size."""
    return draw(
        pipeline,
        pipeline.grid(side),
        range(count),
        solver=DDIM(),
        times=timesteps(pipeline.config.steps),
        title=f"Sampling at {side}²",
    )


def apart(a: Tensor, b: Tensor) -> float:
    """The root mean square of the difference of pictures, averaged to the coarser size."""
    side = min(a.shape[-1], b.shape[-1])
    a, b = (adaptive_avg_pool2d(x, side) for x in (a, b))
    return float((a - b).square().mean().sqrt())


def band(pictures: Float[Tensor, "n 3 h w"], low: float, high: float = math.inf) -> float:
    """The root mean square of what pictures have at the frequencies in a band, cycles a side.

    Pictures are mirrored at their sides first, as the cosine basis does: the jump between opposite
    sides of a picture that is taken for periodic has all frequencies.
    """
    even = torch.cat([pictures, pictures.flip(-1)], -1).double()
    even = torch.cat([even, even.flip(-2)], -2)
    side = even.shape[-1]
    k = torch.fft.fftfreq(side, 1 / side, dtype=torch.float64).abs() / 2
    largest = torch.maximum(k[:, None], k[None, :])
    inside = (largest > low) & (largest <= high)
    power = torch.fft.fft2(even).abs().square() / side**4
    return float((power * inside).sum((-1, -2)).mean().sqrt())


def bands(low: float, high: float) -> str:
    """The name of a band of frequencies."""
    return f"above {low:g} cycles" if high == math.inf else f"at {low:g} to {high:g} cycles"


def coupling(pipeline: InftyDiff, count: int) -> tuple[list[Claim], dict[int, Tensor]]:
    """Whether one seed is one face at every size, and what is above the training grid's band."""
    drawn = {side: samples(pipeline, count, side) for side in SIZES}
    claims = [
        Claim("rms of 128² to 64²", apart(drawn[128], drawn[64]), 0.01),
        Claim("rms of 256² to 64²", apart(drawn[256], drawn[64]), 0.01),
        Claim("rms of 256² to 128²", apart(drawn[256], drawn[128])),
        Claim("rms of 32² to 64²", apart(drawn[32], drawn[64]), 0.02),
        Claim("rms of another seed to this one, 64²", apart(drawn[64], drawn[64].roll(1, 0))),
    ]
    values = {}
    for side in (32, 64):
        x = pipeline.sample(on=pipeline.grid(side), seeds=range(count), oversample=1)
        values[side] = x.to_image()
        name = f"rms of {side}² drawn on its own grid to 128²"
        claims.append(Claim(name, apart(values[side], drawn[128])))
    real = truth("test", count, 256)
    for low, high in ((16, 32), (32, 64), (64, math.inf)):
        name = f"amplitude of 256² {bands(low, high)} over the truth's"
        ratio = band(drawn[256], low, high) / band(real, low, high)
        claims.append(Claim(name, ratio, 2.0 if low == 64 else None))
    return claims, drawn


def reconstruction(pipeline: InftyDiff, count: int) -> dict[str, dict[str, float]]:
    """How far faces are that were encoded from a quarter of the points of 64², at every size."""
    seen, grid = truth("test", count, SIDE), pipeline.grid(SIDE)
    at = random_subset(grid, grid.size // 4, batch=count, generator=generator(0))
    latent = pipeline.encode(Function.from_image(seen).restrict(at))
    drawn = {
        side: draw(
            pipeline,
            pipeline.grid(side),
            range(count),
            solver=DDIM(),
            times=timesteps(pipeline.config.steps),
            title=f"Decoding at {side}²",
            latent=latent,
        )
        for side in (FINE, 256)
    }
    for side in (32, SIDE):  # what is asked for below 128² is averages over cells of 128²
        drawn[side] = adaptive_avg_pool2d(drawn[FINE], side)
    rows = {}
    for side in SIZES:
        real = truth("test", count, side)
        rows[str(side)] = {"psnr": psnr(drawn[side], real), "rms": apart(drawn[side], real)}
        print(f"reconstruction at {side}²: {rows[str(side)]['psnr']:.2f} dB", flush=True)
    return rows


def filtered(pipeline: InftyDiff, count: int) -> list[Claim]:
    """What mollifying real faces and undoing it costs, with nothing generated in between."""
    network = EfficientNetLite0()
    real = features(network, as_images(truth("test", REFERENCE + count, SIDE)), title="Real faces")
    fine = truth("test", REFERENCE + count, FINE)[REFERENCE:]
    claims = []
    for cells in (1.0, 0.5):
        process = MollifiedProcess(gaussian_mollifier(cells / SIDE), noise=WhiteNoise(1 / SIDE))
        plain = InftyDiff(dataclasses.replace(pipeline.config, process=process, prior=None))
        x = plain.process.constant_signal(Function.from_image(fine))
        clean = coarsen(plain.deconvolve(x), plain.grid(SIDE)).to_image()
        found = compare(
            features(network, as_images(clean), title="Filtered faces"),
            real[:REFERENCE],
            generator=generator(0),
            resamples=2,
        )
        name = f"kernel distance of real faces, T undone, width {cells:g} of a cell of 64²"
        claims.append(Claim(name, found.kernel.value))
    return claims


def measure(name: str, runs: Path, output: Path | None) -> bool:
    """Measure weights, print what was found, and write it down; whether all bounds hold."""
    pipeline, recipe = load_pipeline(weights(name)), RECIPES[name]
    real = truth("test", REFERENCE + JUDGED, SIDE)
    begun = time.perf_counter()
    pictures = samples(pipeline, JUDGED, SIDE)
    found: dict[str, Any] = {
        "machine": machine(),
        "steps": read_progress(runs / recipe.runs[0]).step,
        "seconds": {run: seconds(runs / run) for run in recipe.runs},
        "parameters": parameters(pipeline),
        "seconds a face of 64²": (time.perf_counter() - begun) / JUDGED,
        "scores": scores(pictures, real, JUDGED),
    }
    kernel = found["scores"]["pictures"]["kernel"]["value"]
    claims = [Claim(f"kernel distance at 64², {JUDGED} against {REFERENCE}", kernel, 0.15)]
    claims += filtered(pipeline, JUDGED)
    more, drawn = coupling(pipeline, FACES_SHOWN)
    claims += more
    if pipeline.encoder is not None:
        found["reconstruction"] = reconstruction(pipeline, RECONSTRUCTED)
    found["claims"] = [dataclasses.asdict(claim) for claim in claims]
    print(*claims, sep="\n")
    if output is not None:
        output.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        panel = Panel(
            "",
            [f"{side} × {side}" for side in SIZES],
            [f"seed {n}" for n in range(4)],
            [[drawn[side][n] for side in SIZES] for n in range(4)],
        )
        row = "one noise a row" if pipeline.encoder is None else "one noise and one latent a row"
        save_figure(
            output.with_suffix(".png"),
            [panel],
            heading=f"{name}: {row}, read on four grids",
            caption=f"DDIM, {pipeline.config.steps} steps.",
        )
    return all(claim.holds for claim in claims)


def write_card(name: str, figures: Path) -> None:
    """Put what was measured on the model card of weights."""
    found = json.loads(figures.read_text(encoding="utf-8"))
    rows = {claim["name"]: f"{claim['value']:.4f}" for claim in found["claims"]}
    hours = sum(found["seconds"].values()) / 3600
    rows["training"] = f"{found['steps']} steps, {hours:.1f} hours; {found['machine']['processor']}"
    for side, row in found.get("reconstruction", {}).items():
        rows[f"reconstruction from a quarter of the points of 64², at {side}²"] = (
            f"{row['psnr']:.1f} dB, rms {row['rms']:.3f}"
        )
    pipeline = load_pipeline(weights(name))
    text = card(name, rows).text(pipeline.config, parameters=parameters(pipeline))
    (weights(name) / "README.md").write_text(text, encoding="utf-8")


def main() -> None:
    """Do what the words say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="what", required=True)
    part = parts.add_parser("train", help="train both models and the prior")
    part.add_argument("runs", type=Path)
    part = parts.add_parser("choose", help="try filters on held-out faces")
    part.add_argument("run", type=Path)
    part.add_argument("--count", type=int, default=300)
    part = parts.add_parser("save", help="save a model in sixteen bits in the package")
    part.add_argument("name", choices=RECIPES)
    part.add_argument("runs", type=Path)
    part.add_argument("--floor", type=float, default=0.1)
    part.add_argument("--ratio", type=float, default=0.3)
    part = parts.add_parser("measure", help="measure weights of the package")
    part.add_argument("name", choices=RECIPES)
    part.add_argument("runs", type=Path, help="the folder of the runs")
    part.add_argument("--json", type=Path)
    part = parts.add_parser("card", help="write the figures on the weights' card")
    part.add_argument("name", choices=RECIPES)
    part.add_argument("figures", type=Path)
    options = parser.parse_args()
    if options.what == "train":
        train(options.runs)
    elif options.what == "choose":
        choose(options.run, options.count)
    elif options.what == "save":
        save(options.name, options.runs, options.floor, options.ratio)
    elif options.what == "card":
        write_card(options.name, options.figures)
    else:
        sys.exit(not measure(options.name, options.runs, options.json))


if __name__ == "__main__":
    main()
