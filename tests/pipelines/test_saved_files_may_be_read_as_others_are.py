"""What a model or a run leaves on the disk has the modes that the user's mask leaves to files."""

import os
import stat

import pytest
from training_runs import run


@pytest.mark.skipif(os.name != "posix", reason="modes are those of Unix")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_weights_are_as_readable_as_the_rest(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        run(tmp_path / "run", max_steps=1).save_pretrained(tmp_path / "model")
    finally:
        os.umask(before)
    files = [*tmp_path.rglob("*.safetensors"), *tmp_path.rglob("*.json")]
    assert len(files) == 5
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {mode}
