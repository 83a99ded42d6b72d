"""The network of another package is trained, killed, resumed, saved, loaded and sampled."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from infty_fno import FNO, FNOConfig

from inftydiff import Box, Function, Grid, timesteps
from inftydiff.data import Images
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, load_pipeline, preset
from inftydiff.testing import laws_for
from inftydiff.training import held_out_loss

SMALL = FNOConfig(modes=3, width=6, layers=2)
WORDS = [
    *("--preset", "tiny", "--network.kind", "infty_fno", "--network.modes", "3"),
    *("--network.width", "6", "--network.layers", "2", "--resolution", "16", "--images", "24"),
    *("--held-out", "4", "--batch-size", "4", "--minutes", "None", "--checkpoint-steps", "2"),
    *("--keep", "99"),
]


def called(*words):
    """A command of inftydiff in a process of its own."""
    command = [sys.executable, "-m", "inftydiff.cli", *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def done(*words):
    """Return the output of a command that has ended well."""
    process = called(*words)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return out


def model(**changes):
    config = dataclasses.replace(preset("tiny", resolution=16), network=SMALL, **changes)
    pipeline = InftyDiff(config)
    with torch.no_grad():
        for parameter in pipeline.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, dtype=parameter.dtype))
    return pipeline.eval()


@pytest.fixture(autouse=True)
def _seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_the_package_is_short():
    source = Path(sys.modules["infty_fno"].__file__)
    assert len(source.read_text().splitlines()) <= 120


def test_from_the_command_line(tmp_path):
    run = tmp_path / "run"
    process = called("train", "faces", *WORDS, "--max-steps", 10_000, "--out", run)
    end = time.monotonic() + 300.0
    while not list(run.glob("step-*")) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    said = process.communicate()
    reached = max(int(path.name[5:]) for path in run.glob("step-*")), said
    done("train", "faces", *WORDS, "--max-steps", reached[0] + 4, "--resume", "--out", run)
    record = json.loads((run / f"step-{reached[0] + 4:08d}" / "config.json").read_text())
    assert record["pipeline"]["network"] == {
        "kind": "infty_fno",
        **{"modes": 3, "width": 6, "layers": 2},
    }
    assert record["training"]["points"] is None
    for size in (12, 24):
        out = tmp_path / f"{size}.npy"
        done("sample", run, "--size", size, "--count", 2, "--steps", 2, "--out", out)
        assert np.load(out).shape == (2, 3, size, size)
    assert "infty_fno: a plug-in, of infty-fno 0.1.0" in done("info")


def test_saved_and_loaded_it_draws_the_same(tmp_path):
    pipeline = model()
    loaded = InftyDiff.from_pretrained(pipeline.save_pretrained(tmp_path / "model"))
    assert loaded.config == pipeline.config
    assert InftyDiffConfig.from_json(pipeline.config.to_json()).network == SMALL
    for size in (16, 24):
        a, b = (m.sample(on=m.grid(size), seeds=[3, 4]).values for m in (pipeline, loaded))
        assert torch.equal(a, b)
    assert torch.equal(
        load_pipeline(tmp_path / "model").network.layers[0].spectral,
        pipeline.network.layers[0].spectral,
    )


def test_a_part_of_the_points_is_refused():
    pipeline, data = model(), Images(torch.zeros(2, 3, 16, 16))
    with pytest.raises(ValueError, match="reads whole grids, and is trained on them; got points"):
        held_out_loss(pipeline, data, points=0.5)
    assert held_out_loss(pipeline, data) > 0.0


def test_latents_are_refused():
    config = dataclasses.replace(preset("tiny"), network=SMALL, latent=4)
    with pytest.raises(ValueError, match="'infty_fno' takes no latent"):
        InftyDiff(config)


MIXED = Box((1.0, 0.5), boundary=("periodic", "absorbing"))


@pytest.mark.parametrize(
    "grid", [Grid((16,)), Grid((16, 16)), Grid((8, 10), MIXED), Grid((4, 5, 6))], ids=repr
)
def test_it_keeps_the_laws_of_neural_operators(grid):
    network = SMALL.build(3, grid.domain).eval()
    torch.nn.init.normal_(network.project.weight)
    for law in laws_for(network, on=grid):
        law()


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (7, 40)])
def test_it_reads_grids_of_fewer_cells_than_modes(shape):
    pipeline = model()
    x = pipeline.sample(on=Grid(shape, pipeline.config.domain), seeds=[0], times=timesteps(2))
    assert x.values.isfinite().all()


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_a_finer_grid_is_answered_alike(dim):
    network = FNO(SMALL, 1, dim).double()
    torch.nn.init.normal_(network.project.weight)
    domain = Box((1.0,) * dim, boundary="periodic")

    def answer(n):
        on = Grid((n,) * dim, domain)
        wave = (2.0 * torch.pi * on.points).sin().sum(-1, keepdim=True)[None]
        x = Function(on, wave)
        with torch.no_grad():
            return network(x, torch.tensor([0.4]).double()).integral()

    coarse, fine, finest = (answer(n) for n in (9, 18, 36))
    assert (fine - finest).abs().max() < (coarse - finest).abs().max() + 1e-12
    assert (fine - finest).abs().max() < 0.05 * finest.abs().max().clamp(min=1.0)
