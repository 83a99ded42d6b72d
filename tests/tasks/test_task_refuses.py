"""What a task cannot do is refused, with what to do instead."""

import jaxtyping
import pytest
import torch
from autoencoders import autoencoder
from task_models import exact_model, seeded, smooth_pictures

from inftydiff import DPS, Function, Grid, MomentMatching, Scattered
from inftydiff.operators import Box
from inftydiff.pipelines import tasks
from inftydiff.processes import GuidanceDiverged

MODEL = exact_model(steps=2)
X = smooth_pictures(MODEL, 4)
POINTS = 0.5 * torch.rand(4, 2, generator=seeded())
HALF = X.on.points[:, 0] < 0.5


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def refused(match: str, task, *arguments, error=ValueError, **changes):
    with pytest.raises(error, match=match):
        task(*arguments, generator=seeded(), **changes)


def test_masks():
    refused("has the shape", tasks.inpaint, MODEL, X, torch.ones(3, 3, dtype=torch.bool))
    refused("A mask is boolean", tasks.inpaint, MODEL, X, torch.ones(4, 4), error=TypeError)
    refused("true nowhere", tasks.inpaint, MODEL, X, torch.zeros(4, 4, dtype=torch.bool))
    refused("nothing is hidden", tasks.inpaint, MODEL, X, torch.ones(4, 4, dtype=torch.bool))


@pytest.mark.parametrize("time", [0.0, -0.1, 1.1, float("nan")])
def test_start_times(time: float):
    refused(
        "A start time (lies above 0|must be a finite number)",
        tasks.inpaint,
        MODEL,
        X,
        HALF,
        start_time=time,
    )
    refused(
        "A start time (lies above 0|must be a finite number)", tasks.vary, MODEL, X, start_time=time
    )


def test_no_errors_where_some_are_needed():
    refused("noise_std", tasks.inpaint, MODEL, X, HALF, noise_std=0.0)
    refused("noise_std", tasks.super_resolve, MODEL, X, on=MODEL.grid(8), noise_std=0.0)
    refused("noise_std", tasks.inpaint, MODEL, X, HALF, noise_std=0.0, guide=MomentMatching())


def test_contradictions():
    points = Scattered(torch.tensor([[0.3, 0.3], [0.3, 0.3]]))
    readings = Function(points, torch.tensor([[[1.0] * 3, [2.0] * 3]]))
    refused(
        "contradicts itself", tasks.from_sensors, MODEL, readings, on=MODEL.grid(8), noise_std=0.0
    )


def test_other_domains_channels_and_shapes():
    wide = Function(Grid((2, 4), Box((0.5, 1.0))), torch.zeros(1, 8, 3))
    refused("functions live on Box", tasks.super_resolve, MODEL, wide, on=MODEL.grid(8))
    refused("functions live on Box", tasks.super_resolve, MODEL, X, on=wide.on)
    grey = Function(X.on, X.values[..., :1])
    refused("have values of shape", tasks.vary, MODEL, grey, start_time=0.5)
    alone = Function(X.on, X.values[0])
    refused("have values of shape", tasks.vary, MODEL, alone, start_time=0.5)
    scattered = Function(Scattered(POINTS), torch.zeros(1, 4, 3))
    refused("lives on a Grid", tasks.vary, MODEL, scattered, start_time=0.5, error=TypeError)
    outside = Function(Scattered(POINTS, domain=Box((1.0, 0.5))), torch.zeros(1, 4, 3))
    refused("Pass the domain", tasks.from_sensors, MODEL, outside, on=MODEL.grid(8))
    holes = Function(X.on, torch.full_like(X.values, torch.nan))
    refused("must be finite", tasks.super_resolve, MODEL, holes, on=MODEL.grid(8))


def test_numbers_and_names():
    refused("must be one of", tasks.super_resolve, MODEL, X, on=MODEL.grid(8), method="magic")
    refused("number of samples", tasks.super_resolve, MODEL, X, on=MODEL.grid(8), samples=0)
    refused("two of them", tasks.interpolate, autoencoder(), X, count=3)
    two = Function(X.on, X.values.expand(2, -1, -1))
    refused("at least its two ends", tasks.interpolate, autoencoder(), two, count=1)
    with pytest.raises(ValueError, match="Latents, unless given, must be one of"):
        tasks.Sampling(latent="nowhere")
    how = tasks.Sampling(latent=torch.zeros(2, 5))
    refused("one latent a picture", tasks.super_resolve, MODEL, X, on=MODEL.grid(8), how=how)


def test_models_without_latents():
    refused("take a start time below 1", tasks.vary, MODEL, X)
    two = Function(X.on, X.values.expand(2, -1, -1))
    refused("no encoder", tasks.interpolate, MODEL, two, count=3)


def test_a_spread_of_one_sample():
    one = tasks.vary(MODEL, X, samples=1, start_time=0.5, generator=seeded())
    with pytest.raises(ValueError, match="Draw more"):
        one.std  # noqa: B018


def test_guidance_that_diverges_names_the_strength_to_try():
    with pytest.raises(GuidanceDiverged, match="Try strength=") as caught:
        tasks.inpaint(MODEL, X, HALF, guide=DPS(1e6), generator=seeded())
    assert 0.0 < caught.value.strength < 1e6
