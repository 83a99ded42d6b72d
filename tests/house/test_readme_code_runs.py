"""The README's Python blocks run as they stand, one after the other; only their sizes are cut."""

import re
from pathlib import Path

import torch
from PIL import Image

README = Path(__file__).parents[2] / "README.md"
SMALLER = {
    "timesteps(100)": "timesteps(2)",
    "batch=8,\n": "batch=1,\n",
    "Grid((128, 128))": "Grid((96, 96))",
    "seeds=range(4)": "seeds=range(1)",
}


def test_the_readme_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)
    code = "\n".join(blocks)
    for full, small in SMALLER.items():
        assert code.count(full) == 1
        code = code.replace(full, small)
    names = {}
    exec(compile(code, "<README>", "exec"), names)
    with Image.open("faces.png") as picture:
        assert (picture.mode, picture.size) == ("RGB", (128, 128))
    assert names["loss"].shape == (8,)
    assert torch.isfinite(names["loss"]).all()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in names["model"].parameters())
    assert names["image"].shape == (1, 3, 96, 96)
    assert torch.isfinite(names["image"]).all()
