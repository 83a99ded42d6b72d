"""Super-resolution and inpainting of faces by a trained model, beside what needs none.

Run it by ``python benchmarks/tasks.py MODEL``; ``--help`` lists the options. The truth is the
vector faces themselves, of the test split, drawn at each size. Pictures of 32² are made finer, to
64² and 128², beside bicubic interpolation; and a centred square of half the area is completed at
128², beside the biharmonic fill. Errors are root mean squares of values in [-1, 1], of the hidden
part where one is hidden. Kernel distances are unbiased ones of EfficientNet features to other
faces, with 95 % intervals; those of the truth itself are the floor. The spectra are variances of
the answers' coefficients over those of the truth's, by wave number.
"""

import argparse
import json
import math
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu
from timing import machine
from torch import Tensor
from torch.nn.functional import interpolate

from inftydiff import DDIM, Function, MomentMatching, ReconstructionGuidance, timesteps
from inftydiff.cli.figures import Panel, hidden_grey, save_figure, spread_picture
from inftydiff.cli.inpaint import box_mask
from inftydiff.data import Images, face_seeds, faces
from inftydiff.evaluation import EfficientNetLite0, features, score
from inftydiff.evaluation.features import as_bytes
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines.tasks import Sampling, TaskResult, inpaint, super_resolve
from inftydiff.processes.empirical import empirical_spectrum

COARSE, FINE = 32, 128
SHOWN = 4
MIDDLE = (
    0.5 - math.sqrt(0.125),
    0.5 - math.sqrt(0.125),
    0.5 + math.sqrt(0.125),
    0.5 + math.sqrt(0.125),
)
"""A centred square of half the area."""


def biharmonic(pictures: Tensor, known: Tensor) -> Tensor:
    """Fill what is not known so that the Laplacian of the Laplacian is zero there.

    The Laplacian is that of five points, reflected at the sides.

    Args:
        pictures: of shape ``(n, c, h, w)``.
        known: booleans of shape ``(h, w)``.
    """

    def second(n: int) -> sparse.spmatrix:
        steps = sparse.diags([np.ones(n - 1)], [1], shape=(n, n)) - sparse.eye(n)
        steps = steps.tolil()
        steps[n - 1] = 0
        steps = steps.tocsr()
        return -(steps.T @ steps)

    rows, columns = known.shape
    laplacian = sparse.kron(second(rows), sparse.eye(columns)) + sparse.kron(
        sparse.eye(rows), second(columns)
    )
    square = (laplacian @ laplacian).tocsr()
    inside = (~known).flatten().numpy()
    hidden, shown = np.flatnonzero(inside), np.flatnonzero(~inside)
    values = pictures.double().flatten(2).numpy().reshape(-1, rows * columns)
    right = -square[hidden][:, shown] @ values[:, shown].T
    filled = values.copy()
    filled[:, hidden] = splu(square[hidden][:, hidden].tocsc()).solve(right).T
    return torch.from_numpy(filled).reshape(pictures.shape).to(pictures)


def rms(error: Tensor) -> float:
    """The root mean square of errors."""
    return error.double().square().mean().sqrt().item()


class Judge:
    """Errors, kernel distances and spectra of answers, beside the truth."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.network = EfficientNetLite0(options.network_size)
        self.style, self.count, self.others = options.style, options.count, options.reference
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def truth(self, size: int) -> Tensor:
        """The faces that are asked for, at a size, of shape ``(count, 3, size, size)``."""
        return draw(self.style, size, 0, self.count)

    def distances(self, pictures: Tensor, size: int) -> dict[str, object]:
        """The kernel distance of pictures to other faces."""
        if size not in self.kept:
            other = draw(self.style, size, self.count, self.others)
            self.kept[size] = (self.features(other), self.features(self.truth(size)))
        real, true = self.kept[size]
        generator = torch.Generator().manual_seed(0)
        seen = self.features(pictures)
        found = score(seen, real, true, network=self.network.name, generator=generator)
        kernel = found.pictures.kernel
        return {"kernel": kernel.value, "low": kernel.low, "high": kernel.high}

    def features(self, pictures: Tensor) -> Tensor:
        """What the network sees."""
        return features(self.network, Images(as_bytes(pictures)))

    def __call__(self, pictures: Tensor, region: Tensor | None = None) -> dict[str, object]:
        """All figures of one answer a face.

        Args:
            pictures: the answers, of shape ``(count, 3, size, size)``.
            region: where the error is taken; everywhere if it is None.
        """
        truth = self.truth(pictures.shape[-1])
        error = pictures - truth
        given, true = (empirical_spectrum(Function.from_image(p)) for p in (pictures, truth))
        ratio = given.variances / true.variances.clamp(min=1e-12)
        return {
            "rms": rms(error if region is None else error[..., region]),
            **self.distances(pictures, pictures.shape[-1]),
            "spectrum": [float(f"{each:.4g}") for each in ratio.tolist()],
            "waves": (given.waves / math.pi).round(decimals=3).tolist(),
        }


def draw(style: str, size: int, first: int, count: int) -> Tensor:
    """Faces of the test split, in [-1, 1]."""
    images = faces(style, face_seeds("test", first + count), size, progress=False)
    return torch.stack([images[i] for i in range(first, first + count)])


def answers(judge: Judge, result: TaskResult, region: Tensor | None = None) -> dict[str, object]:
    """The figures of single samples and of their mean."""
    samples, mean = result.samples.to_image().float(), result.mean.to_image().float()
    return {
        "sample": judge(samples[:, 0], region),
        "mean": judge(mean, region),
        "misfit": None if result.misfit is None else rms(result.misfit),
    }


def report(title: str, name: str, figures: dict[str, object], seconds: float | None) -> None:
    """Print one line an answer."""
    for kind, each in figures.items():
        if isinstance(each, dict):
            took = "" if seconds is None else f"   {seconds:.1f} s a picture"
            print(
                f"{title:28s} {name:24s} {kind:7s} rms {each['rms']:.4f}   kernel "
                f"{each['kernel']:.4f} [{each['low']:.4f}, {each['high']:.4f}]{took}",
                flush=True,
            )


def main() -> None:
    """Run every experiment, print it, and write it down if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--count", type=int, default=64, help="how many faces")
    parser.add_argument("--reference", type=int, default=256, help="how many other faces")
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--steps", type=int, help="by default the model's own")
    parser.add_argument("--style", default="toon-head")
    parser.add_argument("--network-size", type=int, default=128)
    parser.add_argument("--only", nargs="+", help="names of answers, such as projection")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--figures", type=Path, help="write pictures to this folder")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = load_pipeline(options.model)
    if options.precision == "bfloat16":
        model.compute_dtype = torch.bfloat16
    judge, found = Judge(options), {"machine": machine(), "options": vars(options) | {"json": None}}
    sheets: dict[str, list[list[Tensor]]] = {}

    def run(title: str, name: str, task, region: Tensor | None = None) -> TaskResult | None:
        if options.only and name not in options.only:
            return None
        begin = perf_counter()
        try:
            result = task(torch.Generator().manual_seed(0))
        except ValueError as error:
            print(f"{title:28s} {name:24s} {error}")
            found[title][name] = {"error": str(error)}
            return None
        seconds = (perf_counter() - begin) / options.count / options.samples
        found[title][name] = answers(judge, result, region) | {"seconds": seconds}
        report(title, name, found[title][name], seconds)
        return result

    for size in (2 * COARSE, FINE):
        title = f"super-resolution to {size}²"
        found[title], low = {}, judge.truth(COARSE)
        bicubic = interpolate(low, size=(size, size), mode="bicubic", align_corners=False)
        for name, pictures in (("truth", judge.truth(size)), ("bicubic", bicubic.clamp(-1, 1))):
            found[title][name] = {"sample": judge(pictures)}
            report(title, name, found[title][name], None)
        shown = None
        for name, changes in ways(model, options).items():
            result = run(
                title,
                name,
                lambda generator, changes=changes, size=size, low=low: super_resolve(
                    model,
                    Function.from_image(low, model.config.domain),
                    on=model.grid(size),
                    samples=options.samples,
                    generator=generator,
                    **{"how": sampling(options), **changes},
                ),
            )
            shown = shown or result
        if shown is not None:
            sheets[title] = image_grid(low, bicubic, shown, judge.truth(size))

    title, known = "inpainting of the middle half", box_mask(MIDDLE, (FINE, FINE))
    found[title], truth = {}, judge.truth(FINE)
    filled = biharmonic(truth, known)
    for name, pictures in (("truth", truth), ("biharmonic", filled)):
        found[title][name] = {"sample": judge(pictures, ~known)}
        report(title, name, found[title][name], None)
    shown = None
    for name, changes in completions(model).items():
        result = run(
            title,
            name,
            lambda generator, changes=changes: inpaint(
                model,
                Function.from_image(truth, model.config.domain),
                known,
                samples=options.samples,
                generator=generator,
                **{"how": sampling(options), **changes(options)},
            ),
            ~known,
        )
        shown = shown or result
    if shown is not None:
        sheets[title] = image_grid(hidden_grey(truth, known), filled, shown, truth)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1, ensure_ascii=False, default=str) + "\n")
    if options.figures is not None:
        for title, rows in sheets.items():
            save(options.figures, title, rows)
        plot_spectra(options.figures / "tasks_spectra.png", found)


def sampling(options: argparse.Namespace, **changes: object) -> Sampling:
    """How to sample, with the number of steps that was asked for."""
    times = None if options.steps is None else timesteps(options.steps)
    return Sampling(times=times, **changes)


def ways(model: InftyDiff, options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """The ways to a finer picture; those through latents for models that have them."""
    found: dict[str, dict[str, object]] = {
        "projection": {},
        "projection, η = 0": {"how": sampling(options, solver=DDIM())},
        "moment matching": {"guide": MomentMatching(2), "noise_std": 0.05},
    }
    found["encodings"] = {"method": "encodings"}
    if model.encoder is not None:
        found["encoder"] = {"method": "encoder", "composite": False}
    return found


def completions(model: InftyDiff) -> dict[str, object]:
    """The ways to complete a picture: guides, and where latents come from."""
    if model.encoder is None:
        return {
            "projection": lambda options: {},
            "reconstruction guidance": lambda options: {"guide": ReconstructionGuidance()},
        }
    prior, known, twice = {"latent": "prior"}, {"latent": "known"}, {"latent": "prior", "rounds": 2}
    return {
        "projection": lambda options: {"how": sampling(options, **prior)},
        "projection, η = 0": lambda options: {"how": sampling(options, solver=DDIM(), **prior)},
        "twice": lambda options: {"how": sampling(options, **twice)},
        "filled latent": lambda options: {"how": sampling(options, **known)},
        "reconstruction guidance": lambda options: {
            "how": sampling(options, **prior),
            "guide": ReconstructionGuidance(),
        },
    }


def image_grid(
    observed: Tensor, rival: Tensor, result: TaskResult, truth: Tensor
) -> list[list[Tensor]]:
    """One row a face: observed, the rival's, the mean, the spread, samples, the truth."""
    samples, rows = result.samples.to_image().float(), []
    columns = [observed, rival, result.mean.to_image().float()]
    if samples.shape[1] > 1:
        std = result.std.to_image().float()
        columns.append(spread_picture(std, std.square().mean(1).sqrt().max().item()))
    columns += [*samples[:, :2].unbind(1), truth]
    for row in range(min(SHOWN, len(truth))):
        rows.append([column[row] for column in columns])
    return rows


def save(folder: Path, title: str, rows: list[list[Tensor]]) -> None:
    """Write a sheet of faces."""
    rival = "biharmonic" if title.startswith("inpainting") else "bicubic"
    middle = ["mean", "spread", "sample 1", "sample 2"][: len(rows[0]) - 3]
    if len(rows[0]) == 5:
        middle = ["mean", "sample 1"]
    panel = Panel(
        "",
        ["observed", rival, *middle, "truth"],
        [f"face {row + 1}" for row in range(len(rows))],
        rows,
    )
    name = title.replace(" ", "_").replace("²", "").replace("-", "_")
    save_figure(
        folder / f"tasks_{name}.png",
        [panel],
        heading=title.capitalize(),
        caption="Written by benchmarks/tasks.py. Spread: standard deviation, white is its largest.",
        side=FINE,
    )


def plot_spectra(path: Path, found: dict[str, object]) -> None:
    """Variances of answers over those of the truth, by wave number."""
    from matplotlib.figure import Figure

    titles = [title for title in found if title.startswith(("super", "inpainting"))]
    figure = Figure(figsize=(4.2 * len(titles), 3.4), layout="constrained")
    for axes, title in zip(np.atleast_1d(figure.subplots(1, len(titles))), titles, strict=True):
        for name, kinds in found[title].items():
            for kind in ("sample", "mean"):
                if name != "truth" and kind in kinds:
                    each = kinds[kind]
                    style = "-" if kind == "sample" else "--"
                    label = name if kind == "sample" else f"{name}, mean"
                    axes.plot(each["waves"][1:], each["spectrum"][1:], style, label=label)
        axes.axhline(1.0, color="0.6", lw=0.8)
        axes.set(title=title, xlabel="half waves a side", yscale="log", ylim=(1e-3, 10))
        axes.legend(fontsize=6)
    figure.axes[0].set_ylabel("variance / truth's")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
