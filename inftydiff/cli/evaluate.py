"""``inftydiff evaluate``: how far a model's pictures are from real ones."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, final

import torch
import tyro

from inftydiff._typing import positive, whole
from inftydiff._writing import whole_file
from inftydiff.cli.candidates import FEWER, Candidate, ModelCandidate, PictureCandidate, Size
from inftydiff.cli.command import Command, require_writable
from inftydiff.cli.drawing import SolverArguments
from inftydiff.cli.real import Real, RealArray, RealFaces, RealFolder, is_array
from inftydiff.data import Images
from inftydiff.data.array import Layout
from inftydiff.evaluation import EfficientNetLite0, Scores, features, low_passed, score
from inftydiff.processes._seeds import seeds_from

__all__ = ["Evaluate"]


@final
@dataclass(frozen=True)
class Evaluate(Command):
    """Measure how far a model's pictures, or any pictures, are from real ones.

    Prints the Fréchet and the unbiased kernel distance with intervals, beside the clean floor:
    what as many other real pictures get. The same words print the same numbers.

    Args:
        what: a run folder, of which the newest checkpoint is taken, one checkpoint, or pictures: a
            folder of image files, or a .npy or .npz file.
        data: the real pictures: "faces", a folder of image files, or a .npy or .npz file.
        count: how many pictures to judge. The Fréchet distance depends on it, and on REFERENCE.
        reference: how many real pictures to compare them with; COUNT more make the clean floor.
        size: pixels along the longest side, or rows and columns; by default 64, or an array's own.
        style: the style of faces.
        split: which faces are the real ones: "validation" to choose a model or a filter by, "test"
            to report.
        layout: the axes of arrays: pictures (n), channels (c), rows (h), columns (w);
            by default nchw where there are one to four channels.
        seed: the seed of the first picture that a model draws.
        how: how a model draws them.
        noise_to_signal: of the Wiener filter that ends sampling; by default the model's.
        low_pass: judge once more after a Gaussian of this width, in units of the longest side, took
            the finest detail off both sides; 0.016 is one cell of 64.
        network_size: pixels along the longest side that the feature network sees.
        resamples: how many resamples the intervals come from.
        json: a file for all of it.
        overwrite: replace what is there.
    """

    what: tyro.conf.Positional[Path]
    data: str = "faces"
    count: int = 500
    reference: int = 1000
    size: tuple[int] | tuple[int, int] | None = None
    style: str = "toon-head"
    split: Literal["test", "validation", "train"] = "test"
    layout: Layout | None = None
    seed: int = 0
    how: Annotated[SolverArguments, tyro.conf.arg(name="")] = field(default_factory=SolverArguments)
    noise_to_signal: float | None = None
    low_pass: float | None = None
    network_size: int = 128
    resamples: int = 100
    json: Path | None = None
    overwrite: bool = False

    def run(self, words: Sequence[str]) -> None:
        self.check()
        network = EfficientNetLite0(self.network_size)
        network(torch.zeros(1, 1, 1, 1))  # refuses before the work if the weights are missing
        source = self.source()
        candidate = self.candidate(source)
        real = source.take(self.reference + self.count, candidate.shape, advice=FEWER)
        begin = time.perf_counter()
        pictures = candidate.pictures()
        seconds = time.perf_counter() - begin
        every = {"": None} if self.low_pass is None else {"": None, "low_pass": self.low_pass}
        found: dict[str, Scores] = {}
        begin = time.perf_counter()
        for name, width in every.items():
            found[name] = self.judge(network, pictures, real, width)
            title = "" if width is None else f"\nWithout detail finer than {width:g}: "
            print(f"{title}{found[name]}")
        judging = time.perf_counter() - begin
        rows, columns = candidate.shape
        print(
            f"{rows} × {columns} pixels; {candidate.verb} {1e3 * seconds / self.count:.0f} ms a "
            f"picture, judged in {judging:.0f} s"
        )
        if self.json is not None:
            with whole_file(self.json) as partial:
                partial.write_text(self.record(words, candidate, found), encoding="utf-8")

    def check(self) -> None:
        """Refuse what can be told from the words alone.

        Raises:
            ValueError: if a setting is out of range, or the file cannot be written.
        """
        for value, name in ((self.count, "--count"), (self.reference, "--reference")):
            if whole(value, name) < 2:
                raise ValueError(f"{name} must be at least 2; got {value}.")
        if whole(self.resamples, "--resamples") < 2:
            raise ValueError(f"--resamples must be at least 2; got {self.resamples}.")
        seeds_from(self.seed, self.count, "--seed")
        for ratio, name in (
            (self.noise_to_signal, "--noise-to-signal"),
            (self.low_pass, "--low-pass"),
        ):
            if ratio is not None:
                positive(ratio, name)
        if self.json is not None:
            if self.json.exists() and not self.overwrite:
                raise ValueError(f"{self.json} exists. Choose another --json, or --overwrite.")
            require_writable(self.json.parent)

    def source(self) -> Real:
        """Where the real pictures come from.

        Raises:
            ValueError: if there is no such source.
        """
        if self.data == "faces":
            return RealFaces(self.style, self.split)
        path = Path(self.data)
        return RealArray.read(path, self.layout) if is_array(path) else RealFolder(path)

    def candidate(self, source: Real) -> Candidate:
        """What is judged, of the size of the real pictures unless another is asked for.

        Raises:
            ValueError: if there is no such thing, or it cannot have this size.
        """
        size: Size | None = self.size
        if size is None and not is_array(self.what):
            size = source.shape
        if PictureCandidate.holds(self.what):
            return PictureCandidate.read(self.what, self.count, size, self.layout)
        return ModelCandidate.load(
            self.what,
            size,
            seeds=range(self.seed, self.seed + self.count),
            how=self.how,
            noise_to_signal=self.noise_to_signal,
        )

    def judge(
        self, network: EfficientNetLite0, pictures: Images, real: Images, low_pass: float | None
    ) -> Scores:
        """The scores of pictures against the first real ones, the rest being the clean floor."""
        sides = {"Features": pictures, "Real features": real}
        if low_pass is not None:
            sides = {title: low_passed(side, low_pass) for title, side in sides.items()}
        judged, true = (features(network, side, title=title) for title, side in sides.items())
        return score(
            judged,
            true[: self.reference],
            true[self.reference :],
            network=network.name,
            generator=torch.Generator().manual_seed(0),
            resamples=self.resamples,
        )

    def record(self, words: Sequence[str], candidate: Candidate, found: dict[str, Scores]) -> str:
        """The scores and what they belong to, as JSON."""
        content: dict[str, Any] = {
            "command": ["evaluate", *words],
            "judged": candidate.name,
            "shape": list(candidate.shape),
            "scores": found[""].record(),
        }
        if "low_pass" in found:
            content["low_pass"] = {"width": self.low_pass, "scores": found["low_pass"].record()}
        return json.dumps(_with_gaps(content), indent=2, allow_nan=False) + "\n"


def _with_gaps(content: Any) -> Any:
    """The content, with None in place of numbers that are not finite, as of too few pictures."""
    if isinstance(content, dict):
        return {name: _with_gaps(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_with_gaps(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content
