"""Command lines: a good one of each command, and what can be hostile about it.

A line is a list of words; its options are replaced or added, its paths made strange, and its
surroundings (the environment, the standard streams) taken away.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

__all__ = ["CORNERS", "Line", "draw_line", "good_lines", "prepared"]

NUMBERS = ["0", "-1", "1", "2.5", "nan", "inf", "-inf", "1e300", "1e-300", "1000000000", str(2**31),
           str(2**63), str(2**64), "1" + "0" * 400, "", " ", "x", "None", "True", "0x10", "1,2",
           "١", "1e3"]  # fmt: skip
WORDS = [
    "",
    " ",
    "x",
    "None",
    "--help",
    "-1",
    "$x^{",
    "é",
    "x" * 5000,
    "\n",
    "..",
    "nhwc",
    "skip",
    "DDIM",
]
PATHS = ["", "nowhere", "nowhere/deep/er", "a b", "$x^{", "∞-пример", "a\nb", "--dash", "-", ".",
         "/",
         "/dev/null", "/proc/self/mem", "full.txt", "pipe", "closed", "x" * 300, "gs://bucket/x",
         "out.npy", "out.npy/", "out.NPY", "~", "%s", "{x}", "a;b", "[x]"]  # fmt: skip
STRANGE = ["a b", "$x^{", "∞-пример", "a\nb", "-dash", "_{x}^$", "%d", "[x]", "'", "\\alpha"]
"""Names that a folder can well have."""

STREAMS = ("", "", "", "closed input", "closed output", "broken pipe", "closed error")
SURROUNDINGS: tuple[Mapping[str, str | None], ...] = (
    {}, {}, {}, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "ascii", "LANG": "C"},
    {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"HOME": None},
    {"COLUMNS": "1"}, {"COLUMNS": "0"}, {"TMPDIR": "/nowhere"},
    {"HOME": "/nowhere", "XDG_CACHE_HOME": "/nowhere"},
    {"MPLCONFIGDIR": "/nowhere", "TERM": "dumb"}, {"NO_COLOR": "1", "LINES": "1"},
)  # fmt: skip


@final
@dataclass(frozen=True)
class Line:
    """A command line with its surroundings.

    Args:
        words: the command and its words; ``@`` stands for the folder it is run in.
        variables: of the environment; None takes one away.
        stream: what is wrong with a standard stream, or an empty word.
        fresh: whether it is run in a new process.
        said: what is hostile about it.
    """

    words: tuple[str, ...]
    variables: Mapping[str, str | None] = field(default_factory=dict)
    stream: str = ""
    fresh: bool = False
    said: str = ""


def good_lines(n: Mapping[str, Any]) -> dict[str, list[str]]:
    """A quick line of each command, whose status is 0.

    Args:
        n: the namespace of the examples, which has files for them.
    """
    model, array = str(n["model_folder"]), str(n["array_file"])
    latents = str(n["model_folder"].parent / "autoencoder")
    few = ["--steps", "1", "--samples", "1", "--count", "2"]
    small = [
        "--preset",
        "tiny",
        "--max-steps",
        "1",
        "--minutes",
        "0.2",
        "--batch-size",
        "2",
        "--warmup",
        "1",
    ]
    return {
        "sample": ["sample", model, "--size", "8", "--count", "2", "--steps", "1", "--seed", "5",
                   "--solver.kind", "ddim", "--solver.eta", "0.5", "--out", "@/out"],
        "sample array": ["sample", model, "--size", "8", "8", "--count", "2", "--steps", "1",
                         "--solver.kind", "ddpm", "--spacing", "log_snr", "--tile", "8",
                         "--out", "@/out.npy"],
        "sample labels": ["sample", latents, "--size", "8", "--count", "1", "--steps", "1",
                          "--label", "1", "--guidance", "1.5", "--out", "@/out"],
        "train": ["train", array, *small, "--held-out", "2", "--out", "@/out", "--layout", "nchw",
                  "--process.mollifier.width", "0.1", "--workers", "0", "--seed", "0", "--points",
                  "0.25", "--learning-rate", "0.001", "--ema", "0.99"],
        "train kinds": ["train", array, *small, "--held-out", "2", "--out", "@/out", "--layout",
                        "nchw", "--process.kind", "noise_only", "--process.mollifier.kind",
                        "matern", "--process.mollifier.smoothness", "1.5",
                        "--process.mollifier.length-scale", "0.2", "--process.schedule.kind",
                        "shifted_cosine", "--process.schedule.shift", "2", "--predict.kind",
                        "signal", "--network.kind", "multiscale", "--clip", "None"],
        "train folder": ["train", str(n["picture_folder"]), *small, "--held-out", "2",
                         "--resolution", "8", "--out", "@/out", "--channels", "3", "--lazy"],
        "train fields": ["train", str(n["good"] / "netcdf" / "a.nc"), *small, "--held-out", "1",
                         "--out", "@/out", "--variables", "t2m", "--missing", "285"],
        "train-prior": ["train-prior", latents, array, "--prior.width", "8", "--prior.layers", "2",
                        "--max-steps", "1", "--batch-size", "2", "--held-out", "2", "--draws", "1",
                        "--warmup", "1", "--seen", "0.5", "--prior.condition", "None",
                        "--drop-condition", "0.1", "--out",
                        "@/out"],
        "evaluate": ["evaluate", array, "--data", array, "--count", "6", "--reference", "6",
                     "--network-size", "32", "--resamples", "10", "--low-pass", "0.1", "--json",
                     "@/a.json"],
        "info": ["info"],
        "inpaint": ["inpaint", model, array, "--box", "0.25", "0.25", "0.75", "0.75",
                    "--start-time", "0.7", "--noise-std", "0.02", "--seed", "0", "--out", "@/out",
                    *few],
        "super-resolve": ["super-resolve", model, array, "--size", "8", "--taken-at", "4",
                          "--noise-std", "0.02",
                          "--out", "@/out", *few],
        "interpolate": ["interpolate", latents, "--seeds", "1", "2", "--size", "8", "--count", "3",
                        "--steps", "1", "--out", "@/out"],
        "reconstruct": ["reconstruct", latents, "--data", array, "--count", "2", "--points", "0.5",
                        "--sizes", "8", "16", "--steps", "1", "--out", "@/out"],
        "vary": ["vary", model, array, "--start-time", "0.5", "--out", "@/out", *few],
        "from-sensors": ["from-sensors", model, array, "--points", "0.5", "--points-seed", "0",
                         "--added-noise", "0.1", "--noise-std", "0.02", "--out", "@/out", *few],
    }  # fmt: skip


def draw_line(draw: random.Random, good: Mapping[str, list[str]], number: int) -> tuple[str, Line]:
    """A command's name, and a line of it with something hostile.

    Args:
        draw: the source of choices.
        good: the good lines.
        number: of the try; the first are the good lines themselves.
    """
    names = list(good)
    if number < len(names):
        return names[number], Line(tuple(good[names[number]]), said="the good line")
    if number < len(names) + len(CORNERS):
        name, more, variables, fresh = CORNERS[number - len(names)]
        said = ", ".join([*more, *(f"{key}={value}" for key, value in variables.items())])
        return name, Line((*good[name], *more), variables, "", fresh, said)
    name = draw.choice(names)
    words = list(good[name])
    fresh = draw.random() < 0.08
    variables = draw.choice(SURROUNDINGS) if draw.random() < 0.5 else {}
    stream = draw.choice(STREAMS) if draw.random() < 0.4 else ""
    said = []
    if draw.random() < 0.2:  # a good line in a strange place
        strange = draw.choice(STRANGE)
        words = [word.replace("@", f"@/{strange}") for word in words]
        said.append(f"in a folder called {strange!r}")
    elif draw.random() < 0.9 and len(words) > 1:
        for _ in range(draw.choice([1, 1, 1, 2])):
            said.append(_edit(draw, words))
    said += [f"{key}={value}" for key, value in variables.items()] + [stream] * bool(stream)
    line = Line(tuple(words), variables, stream, fresh, ", ".join(said) or "a good line")
    return name, line


CORNERS: tuple[tuple[str, tuple[str, ...], Mapping[str, str | None], bool], ...] = (
    ("train folder", ("--resolution", "0"), {}, False),
    ("train", ("--process.mollifier.width", "1e300"), {}, False),
    ("train kinds", ("--process.kind", "os.system"), {}, False),
    ("sample", ("--solver.kind",), {}, False),
    ("train folder", ("--workers", "100000"), {}, False),
    ("sample", ("--seed", str(2**64)), {}, False),
    ("sample", ("--out", "@/$x^{"), {}, False),
    ("evaluate", ("--count", "2", "--reference", "2", "--resamples", "2"), {}, False),
    ("info", (), {"PYTHONIOENCODING": "ascii"}, True),
    ("sample", (), {"PYTHONIOENCODING": "ascii"}, True),
    ("evaluate", (), {"PYTHONIOENCODING": "ascii"}, True),
)
"""Lines that random words seldom make: the command, more words, the environment, a new process."""


def _edit(draw: random.Random, words: list[str]) -> str:
    """Change an option's value, add an option, or change a word that is no option."""
    options = [i for i, word in enumerate(words) if word.startswith("--") and i + 1 < len(words)]
    how = draw.random()
    if options and how < 0.6:
        place = draw.choice(options)
        value = _value(draw, words[place], words[place + 1])
        words[place + 1] = value
        return f"{words[place]} {value[:30]!r}"
    if how < 0.75:
        place = draw.randrange(1, len(words))
        words[place] = draw.choice(PATHS)
        return f"word {place} is {words[place][:30]!r}"
    extra = draw.choice(EXTRA.get(words[0], []) + COMMON)
    value = _value(draw, extra, "")
    words += [extra, *([value] if value != "no value" else [])]
    return f"{extra} {value[:30]!r}"


EXTRA: dict[str, list[str]] = {
    "train": ["--resolution", "--process.mollifier.width", "--workers", "--seed", "--clip",
              "--domain.lengths", "--process.kind", "--network.kind", "--predict.kind",
              "--process.schedule.kind", "--process.mollifier.kind", "--latent", "--from",
              "--channels.kind", "--prior.kind", "--encoder.kind", "--domain.kind",
              "--held-out", "--network.width", "--network.grid", "--network.cell",
              "--gradient-accumulation",
              "--keep", "--patience", "--sample-every", "--precision", "--minutes", "--resume",
              "--prior.width", "--process.noise.intensity", "--training-resolution", "--steps",
              "--decay",
              "--ranges", "--axes", "--missing", "--config", "--on-error", "--log-every"],
    "train-prior": ["--labels", "--seen", "--workers", "--resume", "--prior.condition", "--seed"],
    "sample": ["--tile", "--label", "--condition", "--guidance", "--overwrite", "--seed",
               "--solver.kind", "--solver.eta", "--spacing"],
    "evaluate": ["--size", "--style", "--split", "--noise-to-signal", "--seed",
                 "--solver.kind", "--spacing"],
    "inpaint": ["--mask", "--guide", "--strength", "--tile", "--taken-at", "--rounds", "--latent"],
    "from-sensors": ["--ranges", "--taken-at", "--rounds", "--tile", "--latent"],
}  # fmt: skip
COMMON = ["--out", "--seed", "--nonsense", "--overwrite", "--count", "--style", "--size"]


def _value(draw: random.Random, option: str, good: str) -> str:
    if option in ("--overwrite", "--resume", "--lazy"):
        return "no value"
    paths = ("--out", "--json", "--mask", "--ranges", "--labels", "--config", "--data")
    if option in paths:
        return draw.choice(PATHS)
    if option == "--seed" and draw.random() < 0.5:
        return draw.choice([str(2**64), str(2**63), str(2**32 + 5), "-1", str(2**64 + 5)])
    if option == "--workers":
        return draw.choice(["100000", "-1", str(2**31), "0.5", "nan"])
    numeric = not good or good[0].isdigit()
    return draw.choice(NUMBERS if numeric and draw.random() < 0.85 else WORDS)


def prepared(place: Path) -> None:
    """Put into a folder what strange paths lead to: a file, a FIFO, and a folder that is closed."""
    import os

    place.mkdir(parents=True)
    (place / "full.txt").write_text("mine")
    os.mkfifo(place / "pipe")
    (place / "closed").mkdir(mode=0o500)
