"""The targets: every command and function that writes or reads for long, on tiny data.

In the words, ``{F}`` is the folder of what is made once, and ``{T}`` the folder of a trial.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

__all__ = ["STAGES", "TARGETS", "Target", "target"]

MODEL = "--preset tiny --latent 4 --steps 2 --prior.width 8 --prior.layers 2"
RUN = "--batch-size 4 --held-out 4 --minutes None --precision float32 --keep 2"
OFTEN = "--checkpoint-steps 1 --validate-every 1 --log-every 1 --sample-every 2"
TRAIN = f"{MODEL} {RUN} {OFTEN}"
FEW = "--count 1 --samples 2 --steps 2 --taken-at 16"

STAGES: tuple[str, ...] = (
    f"train {{F}}/data.npy --out {{F}}/run {TRAIN} --max-steps 2",
    f"train-prior {{F}}/run {{F}}/data.npy --out {{F}}/prior {RUN} --max-steps 2",
)
"""The commands that make what the others read; a saved model follows."""


@final
@dataclass(frozen=True)
class Target:
    """Something to disturb.

    Args:
        name: its name.
        words: the command, or the name of a function of ``faults_calls`` and its arguments.
        old: more words, by which smaller outputs are made that lie there before; empty if there are
            none.
        copies: what lies in the folder of a trial before, by its name in ``{F}`` and in ``{T}``.
        run: the run folder in ``{T}``, if it is one.
        call: whether the words are those of a function.
        often: how often it is chosen, in proportion.
    """

    name: str
    words: str
    old: str = ""
    copies: tuple[tuple[str, str], ...] = ()
    run: str | None = None
    call: bool = False
    often: int = 2

    def job(self, fixture: Path, trial: Path, *more: str) -> dict[str, Any]:
        """The job for the server of processes, with more words at its end."""
        words = [w.replace("{F}", str(fixture)).replace("{T}", str(trial)) for w in self.split()]
        if self.call:
            return {"call": words[0], "args": dict(word.split("=") for word in words[1:])}
        return {"argv": [*words, *more]}

    def split(self) -> list[str]:
        """The words."""
        return self.words.split()

    def again(self) -> tuple[str, ...]:
        """The words to add when it is called once more after it was disturbed."""
        if self.run is not None and "--resume" not in self.words:
            return ("--resume",)
        return ("--overwrite",) if self.words.startswith("sample") else ()


TARGETS: tuple[Target, ...] = (
    Target(
        "train", f"train {{F}}/data.npy --out {{T}}/run {TRAIN} --max-steps 4", run="run", often=4
    ),
    Target(
        "train --resume",
        f"train {{F}}/data.npy --out {{T}}/run {TRAIN} --max-steps 5 --resume",
        copies=(("run", "run"),),
        run="run",
        often=6,
    ),
    Target(
        "train on fields",
        f"train {{F}}/fields.zarr --out {{T}}/run {TRAIN} --max-steps 3 --variables t2m wind",
        run="run",
    ),
    Target(
        "train on pictures",
        f"train {{F}}/pictures --lazy --resolution 16 --out {{T}}/run {TRAIN} --max-steps 3",
        run="run",
        often=1,
    ),
    Target(
        "train-prior",
        f"train-prior {{F}}/run {{F}}/data.npy --out {{T}}/run {RUN} {OFTEN} --max-steps 4",
        run="run",
    ),
    Target(
        "sample to .npy",
        "sample {F}/prior --size 24 --count 4 --out {T}/a.npy --overwrite",
        old="--seed 7 --size 6",
        often=4,
    ),
    Target(
        "sample to a folder",
        "sample {F}/prior --size 12 --count 3 --out {T}/samples --overwrite",
        old="--seed 7 --size 4",
        often=3,
    ),
    Target("sample to a new folder", "sample {F}/prior --size 12 --count 3 --out {T}/samples"),
    Target(
        "inpaint",
        f"inpaint {{F}}/prior {{F}}/data.npy {FEW} --box .2 .2 .7 .7 --out {{T}}/out --overwrite",
        old="--seed 7 --taken-at 8",
    ),
    Target(
        "super-resolve",
        f"super-resolve {{F}}/prior {{F}}/data.npy {FEW} --size 32 --out {{T}}/out --overwrite",
        old="--seed 7 --size 12 --taken-at 8",
        often=1,
    ),
    Target(
        "from-sensors",
        "from-sensors {F}/prior {F}/readings.csv --samples 2 --steps 2 --out {T}/out --overwrite",
        old="--seed 7 --size 4",
    ),
    Target(
        "interpolate",
        "interpolate {F}/prior {F}/data.npy --steps 2 --out {T}/out --overwrite",
        old="--seed 7 --size 8",
        often=1,
    ),
    Target(
        "reconstruct",
        "reconstruct {F}/prior --data {F}/data.npy --steps 2 --out {T}/out --overwrite",
        old="--seed 7 --sizes 8",
        often=1,
    ),
    Target(
        "evaluate",
        "evaluate {F}/prior --data {F}/data.npy --count 12 --reference 16 --network-size 32 "
        "--resamples 20 --size 16 --json {T}/e.json --overwrite",
        old="--seed 7",
        often=1,
    ),
    Target(
        "demo",
        "demo --rows 1 --sizes 8 --steps 2 --out {T}/demo --overwrite",
        old="--seed 7",
        often=1,
    ),
    Target(
        "save_pretrained",
        "save_model source={F}/prior out={T}/model",
        copies=(("model", "model"),),
        call=True,
        often=3,
    ),
    Target(
        "faces",
        "draw_faces cache={T}/cache out={F}/faces.npy",
        call=True,
        often=1,
    ),
)


def target(name: str) -> Target:
    """The target of this name."""
    return next(found for found in TARGETS if found.name == name)
