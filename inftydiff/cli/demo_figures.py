r"""The demo's two figures: samples at several sizes, and the forward and the reverse process.

In the first each row is one noise, read on one grid a column. The second shows white diffusion
beside mollified. Above, one face and one draw of white noise: :math:`\alpha x_0 + \sigma\xi` and
:math:`\alpha T x_0 + \sigma T\xi`. Below, a sampling run of a trained model: its states, and its
estimates of :math:`x_0`.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff import DiffusionProcess, Function, Grid, timesteps
from inftydiff._components import kind_of
from inftydiff.cli.drawing import draw
from inftydiff.cli.figures import Panel, save_figure
from inftydiff.operators import HeatMultiplier, SpectralOperator
from inftydiff.operators.cells import coarsen
from inftydiff.pipelines import InftyDiff
from inftydiff.processes._seeds import generator_of

__all__ = ["save_process_figure", "save_sizes_figure"]


def save_sizes_figure(
    path: Path, pipeline: InftyDiff, sizes: Sequence[int], seeds: Sequence[int], *, caption: str
) -> dict[str, float]:
    """Draw the samples and write the figure.

    Args:
        path: the file.
        pipeline: a trained model.
        sizes: cells along the longest side, one a column.
        seeds: one a row.
        caption: what stands below, before the solver.

    Returns:
        The seconds that sampling took, by the sizes that were read off the same samples. Those
        below the training grid are averages of one sample on it.
    """
    times = timesteps(pipeline.config.steps)
    grids = {size: pipeline.grid(size) for size in sizes}
    together: dict[Grid, list[int]] = {}
    for size, on in grids.items():
        together.setdefault(pipeline.sampling_grid(on), []).append(size)
    columns: dict[int, Float[Tensor, "n c h w"]] = {}
    seconds = {}
    for fine, read in together.items():
        name = ", ".join(f"{size}²" for size in read)
        begin = time.perf_counter()
        drawn = draw(pipeline, fine, seeds, times=times, title=f"Sampling at {max(fine.shape)}²")
        seconds[name] = time.perf_counter() - begin
        whole = Function.from_image(drawn, fine.domain)
        columns |= {size: coarsen(whole, grids[size]).to_image() for size in read}
    number = {2: "two grids", 3: "three grids", 4: "four grids"}.get(len(sizes), "every grid")
    save_figure(
        path,
        [
            Panel(
                "",
                [f"{size} × {size}" for size in sizes],
                [f"seed {seed}" for seed in seeds],
                [[columns[size][row] for size in sizes] for row in range(len(seeds))],
            )
        ],
        heading=f"One noise a row, read on {number}",
        caption=f"{caption}; DDIM, {len(times) - 1} steps.",
    )
    return seconds


STAGES = 5
NAMES = {
    "mollified": ("mollified", "α T x₀ + σ T ξ"),
    "noise_only": ("mollified noise", "α x₀ + σ T ξ"),
    "white": ("white", "α x₀ + σ ξ"),
    "trace_class": ("coloured noise", "α x₀ + σ N ξ"),
    "blurring": ("blurring", "α S(t) x₀ + σ ξ"),
}
GENERAL = "α S x₀ + σ N ξ"
"""The formula of other processes."""


def save_process_figure(
    path: Path, pipeline: InftyDiff, face: Float[Tensor, "c h w"], *, seed: int
) -> None:
    """Write the figure.

    Args:
        path: the file.
        pipeline: a trained model.
        face: a picture in [-1, 1].
        seed: of the noise.
    """
    config = pipeline.config
    x0 = Function.from_image(face.unsqueeze(0), config.domain)
    own = pipeline.process
    kind = kind_of(config.process) or type(config.process).__name__
    processes = {
        NAMES["white"]: DiffusionProcess.white(own.schedule, noise=own.noise),
        NAMES.get(kind, (kind.replace("_", " "), GENERAL)): own,
    }
    forward = Panel(
        "Forward: a held-out face and one draw of noise, from t = 0 to t = 1",
        [f"t = {stage / STAGES:.1f}" for stage in range(STAGES + 1)],
        [f"{name}\n{formula}" for name, formula in processes],
        [_forward(process, x0, seed) for process in processes.values()],
    )
    states, estimates, times = _reverse(pipeline, x0, seed)
    reverse = Panel(
        "Reverse: a sample of the trained model, from t = 1 to t = 0",
        [f"t = {t:.1f}" for t in times],
        ["state\nx(t)", "estimate\nof x₀"],
        [states, estimates],
    )
    save_figure(
        path,
        [forward, reverse],
        heading="The diffusion of a function",
        caption=_caption(own),
        side=192,
    )


def _caption(process: DiffusionProcess) -> str:
    """Return the caption: the operators of the process, and the treatment of the pictures."""
    cut = "Values beyond [−1, 1] are cut."
    match process.signal:
        case SpectralOperator(multiplier=HeatMultiplier(width=width)):
            return (
                f"T smooths by a Gaussian of standard deviation {width:.4g} of the side. Estimates "
                f"have T undone by a Wiener filter. {cut}"
            )
    return cut


def _forward(process: DiffusionProcess, x0: Function, seed: int) -> list[Tensor]:
    """The states of one face under one draw of noise."""
    pictures = []
    for stage in range(STAGES + 1):
        t = torch.tensor([stage / STAGES], dtype=torch.float64)
        noise = process.draw_noise(
            x0.on, batch=1, channels=x0.channels, generator=generator_of(seed)
        )
        x_t = process.signal_at(t)(x0) * process.schedule.alpha(t) + noise * process.schedule.sigma(
            t
        )
        pictures.append(x_t.to_image()[0])
    return pictures


def _reverse(
    pipeline: InftyDiff, like: Function, seed: int
) -> tuple[list[Tensor], list[Tensor], list[float]]:
    """States of a sampling run, the estimates of the clean picture at them, and their times."""
    times = timesteps(STAGES * max(1, round(pipeline.config.steps / STAGES)))
    states, estimates, shown = [], [], []
    run = pipeline.trajectory(
        on=like.on,  # type: ignore[arg-type]
        batch=1,
        generator=generator_of(seed),
        times=times,
    )
    for number, state in enumerate(run):
        if number % (len(times) // STAGES) == 0:
            said = state.prediction
            clean = None if said is None else said.clean
            if clean is None:
                with torch.no_grad():
                    clean = pipeline.deconvolve(state.x if said is None else said.signal)
            states.append(state.x.to_image()[0].cpu())
            estimates.append(clean.to_image()[0].cpu())
            shown.append(state.t)
    return states, estimates, shown
