"""A task answers on any grid, of any proportions, with the known values put back exactly."""

import dataclasses

import pytest
import torch
from autoencoders import autoencoder
from hypothesis import given
from hypothesis import strategies as st
from task_models import exact_model, seeded, smooth_pictures

from inftydiff import DDIM, Box, Function, Grid, Scattered
from inftydiff.operators.cells import coarsen
from inftydiff.pipelines import tasks
from inftydiff.pipelines.tasks._grids import grid_between, refines

MODEL = exact_model(steps=3)
WIDE = exact_model(steps=3, domain=Box((0.5, 1.0)), training_resolution=16)


def halves(grid: Grid) -> torch.Tensor:
    """True in one half."""
    return grid.points[:, 1] < 0.5


@pytest.mark.thorough
@pytest.mark.parametrize("size", [4, 8, 12, 20])
@pytest.mark.parametrize("model", [MODEL, WIDE], ids=["square", "wide"])
def test_tasks_answer_where_they_are_asked(size: int, model):
    x, on = smooth_pictures(model, 8, count=2), model.grid(size)
    mask = halves(x.on)
    points = Scattered(torch.tensor([[0.2, 0.3], [0.4, 0.7]]), domain=model.config.domain)
    readings = Function(points, torch.ones(2, 2, 3, dtype=torch.float64))
    answers = [
        tasks.inpaint(model, x, mask, on=on, samples=3, generator=seeded()),
        tasks.super_resolve(model, x, on=on, samples=3, generator=seeded()),
        tasks.super_resolve(model, x, on=on, samples=3, method="encoder", generator=seeded()),
        tasks.from_sensors(model, readings, on=on, samples=3, generator=seeded()),
        tasks.vary(model, x, on=on, samples=3, start_time=0.5, generator=seeded()),
    ]
    for answer in answers:
        assert answer.on == on
        assert tuple(answer.samples.values.shape) == (2, 3, on.size, 3)
        assert tuple(answer.mean.values.shape) == (2, on.size, 3)
        assert answer.std.values.isfinite().all()


@pytest.mark.parametrize("size", [8, 16, 24])
def test_known_values_are_put_back(size: int):
    x, on = smooth_pictures(MODEL, 8), MODEL.grid(size)
    mask = halves(x.on)
    answer = tasks.inpaint(MODEL, x, mask, on=on, samples=2, generator=seeded())
    back = coarsen(answer.samples, x.on).values
    torch.testing.assert_close(back[:, :, mask], x.values[:, None, mask].expand(-1, 2, -1, -1))
    assert (back - x.values.unsqueeze(1))[:, :, ~mask].abs().max() > 1e-3
    answer = tasks.super_resolve(MODEL, x, on=on, samples=2, generator=seeded())
    back = coarsen(answer.samples, x.on).values
    torch.testing.assert_close(back, x.values.unsqueeze(1).expand(-1, 2, -1, -1))


def test_what_is_hidden_does_not_matter():
    x = smooth_pictures(MODEL, 8)
    mask = halves(x.on)
    other = Function(x.on, torch.where(mask.unsqueeze(-1), x.values, 7.0))
    one, two = (
        tasks.inpaint(MODEL, each, mask, samples=2, generator=seeded()).samples.values
        for each in (x, other)
    )
    assert torch.equal(one, two)


@given(known=st.integers(1, 20), wanted=st.integers(1, 40), trained=st.none() | st.integers(1, 40))
def test_the_grid_between_refines_what_is_known_and_is_no_coarser(known, wanted, trained):
    model = dataclasses.replace(MODEL.config, training_resolution=trained)
    at, on = MODEL.grid(known), MODEL.grid(wanted)
    pipeline = exact_model(training_resolution=model.training_resolution)
    found = grid_between(pipeline, at, on)
    assert refines(found, at)
    assert found.shape[0] >= max(wanted, trained or 1)
    least = -(-max(wanted, trained or 1) // known) * known
    assert found.shape[0] <= 1.5 * least


def test_samples_do_not_depend_on_how_many_are_computed_at_a_time():
    x = smooth_pictures(MODEL, 8, count=2)
    found = [
        tasks.inpaint(
            MODEL,
            x,
            halves(x.on),
            samples=2,
            generator=seeded(),
            how=tasks.Sampling(solver=DDIM(), points=points),
        ).samples.values
        for points in (1, 64 * 3, 1 << 16)
    ]
    torch.testing.assert_close(found[0], found[2])
    torch.testing.assert_close(found[1], found[2])


def test_the_start_time_says_how_near_the_hidden_part_stays():
    x = smooth_pictures(MODEL, 8)
    mask, distances = halves(x.on), []
    for t in (0.02, 0.3, 0.9):
        answer = tasks.inpaint(MODEL, x, mask, samples=4, start_time=t, generator=seeded())
        difference = (answer.samples.values - x.values.unsqueeze(1))[:, :, ~mask]
        distances.append(difference.square().mean().sqrt().item())
    assert distances[0] < distances[1] < distances[2]
    assert distances[0] < 0.1


@pytest.mark.thorough
def test_latents_are_those_of_what_is_known_or_drawn_or_given():
    model = autoencoder()
    x = Function(model.grid(16), torch.rand(2, 256, 3, generator=seeded()).double())
    mask = halves(x.on)
    given_ones = torch.zeros(2, 5, dtype=torch.float64)
    answers = [
        tasks.inpaint(
            model, x, mask, samples=2, generator=seeded(), how=tasks.Sampling(latent=latent)
        ).samples.values
        for latent in ("known", "prior", given_ones)
    ]
    assert (answers[0] - answers[1]).abs().max() > 1e-6
    assert (answers[1] - answers[2]).abs().max() > 1e-6
    twice = tasks.Sampling(latent="prior", rounds=2)
    again = tasks.inpaint(model, x, mask, samples=2, generator=seeded(), how=twice)
    assert (again.samples.values - answers[1]).abs().max() > 1e-6


def test_a_way_leads_from_one_latent_to_the_other():
    model = autoencoder()
    x = Function(model.grid(16), torch.rand(2, 256, 3, generator=seeded()).double())
    way = tasks.interpolate(model, x, count=3, samples=2, generator=seeded(1))
    assert tuple(way.samples.values.shape) == (3, 2, 256, 3)
    for end, latent in ((0, model.encode(x)[:1]), (2, model.encode(x)[1:])):
        start = model.start(on=x.on, batch=2, generator=seeded(1))
        expected = model.decode(
            latent.expand(2, -1), on=x.on, generator=seeded(), start=start, oversample=1
        )
        torch.testing.assert_close(way.samples.values[end], expected.values)


def test_weights_want_gradients_after_as_before():
    model = autoencoder()
    model.network.requires_grad_(True)
    wanted = [p.requires_grad for p in model.parameters()]
    x = Function(model.grid(16), torch.rand(1, 256, 3, generator=seeded()).double())
    tasks.vary(model, x, generator=seeded())
    assert [p.requires_grad for p in model.parameters()] == wanted
