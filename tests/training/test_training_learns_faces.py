"""A minute's training of the faces model learns, and its samples agree at two resolutions.

At 64² and, averaged over cells, at 128², one draw of noise gives one picture, while two draws give
two.
"""

import pytest
import torch
import torch.nn.functional as F

from inftydiff.data import face_seeds, faces
from inftydiff.pipelines import preset
from inftydiff.training import TrainConfig, read_progress, train


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return (a - b).square().mean().sqrt().item()


@pytest.mark.slow
def test_four_hundred_steps(tmp_path):
    data = faces(seeds=face_seeds("train", 1000), resolution=64, progress=False)
    held_out = faces(seeds=face_seeds("validation", 128), resolution=64, progress=False)
    config = TrainConfig(max_steps=400, batch_size=8, learning_rate=2e-3, decay="tail")
    model = train(preset("faces"), data, held_out, config, tmp_path, progress=False)
    loss = read_progress(tmp_path).held_out
    assert loss is not None
    assert loss < 0.5

    coarse, fine = (
        model.sample(
            on=model.grid(size), batch=4, generator=torch.Generator().manual_seed(0)
        ).to_image()
        for size in (64, 128)
    )
    averaged = F.avg_pool2d(fine, 2)
    same, other = distance(coarse, averaged), distance(coarse, averaged.roll(1, 0))
    assert same < 0.25 * other
