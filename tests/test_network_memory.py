"""One forward pass of the face model on a grid of 2048² points stays within 8 GiB.

The pass runs in an interpreter of its own, whose peak Linux tells.
"""

import subprocess
import sys

import pytest

SCRIPT = """
import re
from pathlib import Path
import torch
from inftydiff import Function, Grid
from inftydiff.models import MultiscaleNetwork, faces_64

torch.manual_seed(0)
network = MultiscaleNetwork(faces_64())
x = Function(Grid((2048, 2048)), torch.randn(1, 2048**2, 3))
with torch.no_grad():
    image = network(x, torch.tensor([0.5]))
assert image.values.shape == x.values.shape
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_a_forward_pass_on_four_million_points():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) / 2**20 < 8
