"""A training run in a process of its own: ``python training_script.py '{"out": …}'``.

The keys are those of :func:`main`; without pytest's import hook, so that it can be compiled.
"""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import torch
from torch.utils.data import Dataset
from training_runs import SETTINGS, held_out, model, pictures

from inftydiff.training import train

__all__ = ["TWO", "curve", "launched", "started"]

TWO = (
    *("-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"),
    *("--main_process_port", "0", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no"),
)
"""``--multi_gpu`` starts several processes on CPUs too, where ``--cpu`` leaves that to MPI."""


class Listed(Dataset):
    """Pictures, with a file of which of them each process read; one of them may be deadly."""

    def __init__(self, data: Dataset, file: Path | None, deadly: int | None):
        self.data, self.file, self.deadly = data, file, deadly

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == self.deadly and torch.utils.data.get_worker_info() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.file is not None:
            rank = os.environ.get("RANK", "0")
            with self.file.with_suffix(f".{rank}").open("a") as file:
                file.write(f"{index}\n")
        return self.data[index]


def main(
    out: str,
    *,
    resume: bool = False,
    latent: int | None = None,
    reads: str | None = None,
    deadly: int | None = None,
    **settings: object,
) -> None:
    """Train the tiny model on blobs."""
    config = dataclasses.replace(SETTINGS, **settings)
    data = Listed(pictures(), None if reads is None else Path(reads), deadly)
    train(model(latent=latent), data, held_out(), config, out, resume=resume, progress=False)


def started(arguments: dict, *launcher: str) -> subprocess.Popen:
    """Such a run, going."""
    command = [sys.executable, *launcher, __file__, json.dumps(arguments)]
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, str(Path(__file__).parent)])}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def curve(folder: Path) -> list[dict]:
    """The lines that a run has written of its steps."""
    return [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]


def launched(arguments: dict, *launcher: str, limit: float = 300.0) -> subprocess.CompletedProcess:
    """Such a run, done."""
    process = started(arguments, *launcher)
    try:
        out, err = process.communicate(timeout=limit)
    finally:
        process.kill()
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


if __name__ == "__main__":
    torch.set_num_threads(1)
    given = json.loads(sys.argv[1])
    main(given.pop("out"), **given)
