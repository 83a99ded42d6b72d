"""One forward pass of the face model: 2048² points within 8 GiB, and 4096² in tiles within as much.

Each pass runs in an interpreter of its own, whose peak Linux tells.
"""

import subprocess
import sys

import pytest

SCRIPT = """
import re, sys
from pathlib import Path
import torch
from inftydiff import Function, Grid
from inftydiff.models import MultiscaleNetwork, faces_64, tiled

side, tile = map(int, sys.argv[1:])
torch.manual_seed(0)
network = MultiscaleNetwork(faces_64(), 3)
x = Function(Grid((side, side)), torch.randn(1, side**2, 3))
with torch.no_grad():
    image = (tiled(network, tile) if tile else network)(x, torch.tensor([0.5]))
assert image.values.shape == x.values.shape
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
@pytest.mark.parametrize(
    ("side", "tile"), [(2048, 0), (4096, 1024)], ids=["four million points", "sixteen, in tiles"]
)
def test_a_forward_pass(side: int, tile: int):
    command = [sys.executable, "-c", SCRIPT, str(side), str(tile)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) / 2**20 < 8
