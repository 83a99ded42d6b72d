"""What a feature network cannot take, or should not have given, is refused with what to do."""

import pytest
import torch

from inftydiff.data import Images
from inftydiff.evaluation import EfficientNetLite0, FeatureNetwork, as_bytes, as_colours, features


class Constant:
    """Gives the same whatever the pictures."""

    name = "constant"

    def __init__(self, value):
        self.value = value

    def __call__(self, images):
        return self.value


PICTURES = Images(torch.zeros(3, 3, 4, 4, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("images", "match"),
    [
        (torch.zeros(1, 2, 4, 4), "1 or 3 channels; got 2"),
        (torch.full((1, 3, 4, 4), 255.0), r"\[-1, 1\]; got 255 to 255.*Clamp"),
        (torch.full((1, 3, 4, 4), torch.nan), "finite"),
    ],
)
def test_pictures(images, match):
    for take in (as_colours, EfficientNetLite0(32)):
        with pytest.raises(ValueError, match=match):
            take(images)


def test_sizes():
    with pytest.raises(ValueError, match="at least 32; got 31"):
        EfficientNetLite0(31)


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        (torch.zeros(3, 5, 2, 2), ValueError, r"\(n, d\), here n = 3; got \(3, 5, 2, 2\)"),
        (torch.zeros(2, 5), ValueError, r"here n = 3; got \(2, 5\)"),
        (torch.zeros(3, 5, dtype=torch.int64), TypeError, "floating-point features; got torch.int"),
        (torch.full((3, 5), torch.inf), ValueError, "Features of constant must be finite"),
    ],
)
def test_features(value, error, match):
    assert isinstance(Constant(value), FeatureNetwork)
    with pytest.raises(error, match=match):
        features(Constant(value), PICTURES)


def test_samples_that_are_not_finite():
    with pytest.raises(ValueError, match="finite"):
        as_bytes(torch.full((1, 1, 2, 2), torch.nan))


def test_features_do_not_depend_on_the_batch(generator):
    pixels = torch.randint(256, (7, 3, 8, 8), generator=generator).to(torch.uint8)
    network = EfficientNetLite0(32)
    whole = features(network, Images(pixels))
    assert whole.dtype == torch.float64
    assert torch.allclose(whole, features(network, Images(pixels), batch=2), atol=1e-4)
