"""More blur, more noise and fewer kinds of faces are further from real faces, by both distances."""

import pytest
import torch

from inftydiff.data import Images, face_seeds, faces
from inftydiff.evaluation import (
    EfficientNetLite0,
    as_bytes,
    features,
    low_passed,
    score,
)

COUNT, REFERENCE = 40, 60
NETWORK = EfficientNetLite0(96)


@pytest.fixture(scope="module")
def real():
    seeds = face_seeds("test", REFERENCE + 2 * COUNT)
    pictures = faces(seeds=seeds, resolution=32, workers=1, progress=False)
    return pictures, features(NETWORK, pictures)


def judge(pictures, real):
    every = real[1]
    return score(
        features(NETWORK, pictures),
        every[:REFERENCE],
        every[REFERENCE : REFERENCE + COUNT],
        network=NETWORK.name,
        generator=torch.Generator().manual_seed(0),
        resamples=20,
    )


def noisy(pictures, deviation):
    g = torch.Generator().manual_seed(1)
    x = torch.stack(list(pictures))
    return Images(as_bytes(x + deviation * torch.randn(x.shape, generator=g)))


@pytest.mark.thorough
def test_perturbations(real):
    other = Images(real[0].pixels[-COUNT:])
    clean = judge(other, real)
    assert clean.pictures.kernel.low < 0 < clean.pictures.kernel.high
    assert 0.7 < clean.pictures.frechet.value / clean.floor.frechet.value < 1.4
    for worse in (
        [low_passed(other, width) for width in (1 / 64, 1 / 24)],
        [noisy(other, deviation) for deviation in (0.05, 0.3)],
        [Images(other.pixels[:kinds].repeat(COUNT // kinds, 1, 1, 1)) for kinds in (8, 2)],
    ):
        found = [judge(pictures, real).pictures for pictures in worse]
        frechet = [clean.pictures.frechet.value, *(one.frechet.value for one in found)]
        kernel = [clean.pictures.kernel.value, *(one.kernel.value for one in found)]
        assert frechet == sorted(frechet)
        assert kernel == sorted(kernel)
        assert found[-1].frechet.low > clean.floor.frechet.high
        assert found[-1].kernel.low > clean.floor.kernel.high


def test_the_floor_needs_as_many_pictures():
    x = torch.zeros(5, 2)
    with pytest.raises(ValueError, match="got 4 beside 5"):
        score(x, x, x[:4], network="none", generator=torch.Generator())
