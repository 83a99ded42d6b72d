"""The low pass convolves with a Gaussian, reflected at the edges, to a step of eight bits."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from inftydiff.data import Images
from inftydiff.evaluation import low_passed


def test_it_is_scipy_s(generator):
    pixels = torch.randint(256, (70, 2, 24, 36), generator=generator).to(torch.uint8)
    found = low_passed(Images(pixels), width=1.5 / 36).pixels
    wanted = gaussian_filter(pixels.double().numpy(), (0, 0, 1.5, 1.5), mode="reflect", truncate=8)
    assert np.abs(found.double().numpy() - wanted).max() <= 1.0
    assert found.double().std() < 0.3 * pixels.double().std()


def test_the_width_is_checked():
    with pytest.raises(ValueError, match="above 0"):
        low_passed(Images(torch.zeros(1, 1, 4, 4, dtype=torch.uint8)), width=0.0)
