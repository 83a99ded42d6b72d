"""What a network cannot read is refused, and the message names it."""

from dataclasses import replace

import pytest
import torch
from networks import functions, grid_16, network, subset_of, times

from inftydiff import Function, Grid, Scattered
from inftydiff.models import tiny

NETWORK = network()
X = functions(grid_16)


@pytest.mark.parametrize(
    ("x", "t", "keywords", "error", "match"),
    [
        (Function(grid_16, X.values[0]), times(1), {}, ValueError, r"\(batch, points, channels\)"),
        (X, times(3), {}, ValueError, r"times of shape \(batch,\)"),
        (functions(grid_16, channels=2), times(), {}, ValueError, "reads 3 channels; got 2"),
        (functions(Grid((256,))), times(), {}, ValueError, "in the plane; got 1 axes"),
        (
            Function(Scattered(torch.full((5, 2), 0.1)), X.values[:, :5]),
            times(),
            {},
            ValueError,
            "nodes of .* are so far from all points",
        ),
        (X, times(), {"on": Grid((8, 8))}, ValueError, "answers where its input is known"),
        (X, times(), {"on": subset_of(grid_16, 9)}, ValueError, "interpolate the answer"),
        (X, times(), {"latent": torch.zeros(2, 4)}, TypeError, "takes no latent"),
        (X, times(), {"condition": X}, TypeError, "takes no condition"),
    ],
)
def test_bad_calls_are_refused(x, t, keywords, error, match):
    with pytest.raises(error, match=match):
        NETWORK(x, t, **keywords)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"kernel_size": 4}, "is odd; got 4"),
        ({"width": 0}, "width must be a whole number"),
        ({"scale": 0.0}, "scale must be a finite number above 0"),
        ({"cell": float("nan")}, "cell must be a finite number above 0"),
        ({"grid": (6, 7)}, "divisible by 2; got"),
        ({"grid": (8,)}, "two sides"),
        ({"attention": (5,)}, r"\[5\] cells; the levels of this U-Net have \[8, 4\]"),
        ({"dropout": 1.0}, "dropout"),
        ({"transfer_width": -1.0}, "transfer_width must be a finite number above 0"),
        ({"channel_multipliers": ()}, "at least one level"),
    ],
)
def test_bad_configs_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        replace(tiny(), **changes)
