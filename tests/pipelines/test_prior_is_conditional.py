"""A prior trained with conditions draws each class by itself, both without, and obeys guidance."""

import dataclasses

import pytest
import torch
from autoencoders import LATENT, autoencoder, seeded
from hypothesis import given
from hypothesis import strategies as st
from networks import randomised
from torch.testing import assert_close
from training_runs import SETTINGS, model, same

from inftydiff import Grid
from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines._latent_prior import LatentPrior
from inftydiff.training import train_prior
from inftydiff.training._objective import Microbatch
from inftydiff.training.latents import LatentObjective, Latents

FEATURES, CLASSES = 4, 2
PRIOR = LatentPriorConfig(width=16, layers=3, condition=CLASSES)
MEANS = torch.tensor([[3.0, 0.0, 1.0, -1.0], [1.0, 0.0, 1.0, -1.0]])
SPREAD = 0.5
GRID = Grid((16, 16))


def pipeline() -> InftyDiff:
    """A model with an encoder whose parts are random."""
    return randomised(InftyDiff(model(latent=FEATURES))).float()


def labelled(count: int = 40, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents about one of two means, in turn, and their classes as zeros and a one."""
    classes = torch.arange(count) % CLASSES
    noise = torch.randn(count, FEATURES, generator=seeded(seed)) * SPREAD
    return MEANS[classes] + noise, torch.nn.functional.one_hot(classes, CLASSES).float()


def run(out, *, prior=PRIOR, data=None, resume=False, drop=0.2, held_out=True, **changes):
    config = dataclasses.replace(SETTINGS, **({"batch_size": 8} | changes))
    (z, c), (others, theirs) = labelled() if data is None else data, labelled(8, 1)
    return train_prior(
        pipeline(),
        z,
        others if held_out else None,
        prior,
        config,
        out,
        conditions=c,
        validation_conditions=theirs if held_out else None,
        drop_condition=drop,
        resume=resume,
        progress=False,
    )


@pytest.fixture(scope="module")
def learnt(tmp_path_factory) -> InftyDiff:
    """A model whose prior has learnt the two classes, as it is read from its run folder."""
    folder = tmp_path_factory.mktemp("conditional")
    settings = {"batch_size": 256, "max_steps": 600, "warmup": 20, "learning_rate": 3e-3}
    prior = dataclasses.replace(PRIOR, width=64)
    run(folder, prior=prior, data=labelled(4000), held_out=False, ema=0.99, **settings)
    return load_pipeline(folder)


def drawn(learnt: InftyDiff, of: int | None, guidance: float = 1.0) -> torch.Tensor:
    """Two thousand latents of a class, or of any."""
    known = None if of is None else torch.eye(CLASSES)[of].expand(2000, -1)
    return learnt.draw_latents(batch=2000, generator=seeded(2), condition=known, guidance=guidance)


@pytest.mark.thorough
@pytest.mark.parametrize("of", [0, 1])
def test_a_class_has_its_own_law(learnt, of):
    z = drawn(learnt, of)
    assert_close(z.mean(0), MEANS[of], rtol=0, atol=0.15)
    assert_close(z.std(0), torch.full((FEATURES,), SPREAD), rtol=0.2, atol=0)


@pytest.mark.thorough
def test_without_a_condition_there_are_both(learnt):
    z = drawn(learnt, None)
    assert_close(z.mean(0), MEANS.mean(0), rtol=0, atol=0.2)
    first = (z[:, 0] > MEANS[:, 0].mean()).double().mean()
    assert 0.4 < first < 0.6


@pytest.mark.thorough
def test_guidance_moves_the_classes_apart(learnt):
    for of, sign in ((0, 1.0), (1, -1.0)):
        plain, guided = drawn(learnt, of), drawn(learnt, of, 3.0)
        assert sign * (guided - plain)[:, 0].mean() > 0.2
        assert (guided - plain)[:, 1:].mean(0).abs().max() < 0.2


@pytest.mark.thorough
def test_samples_of_a_condition_are_decoded_from_latents_of_it():
    prior = LatentPriorConfig(width=12, layers=3, condition=CLASSES)
    model, c = autoencoder(prior=prior), torch.eye(CLASSES).double()
    g = seeded(4)
    start = model.start(on=GRID, batch=2, generator=g)  # the noise first, then the latents
    latent = model.draw_latents(batch=2, generator=g, condition=c, guidance=2.0)
    expected = model.decode(latent, on=GRID, generator=g, start=start)
    found = model.sample(on=GRID, batch=2, generator=seeded(4), condition=c, guidance=2.0)
    assert torch.equal(found.values, expected.values)
    *_, last = model.trajectory(on=GRID, batch=2, generator=seeded(4), condition=c, guidance=2.0)
    assert torch.equal(model.deconvolve(last.x).values, expected.values)
    other = model.sample(on=GRID, batch=2, generator=seeded(4), condition=c.flip(0), guidance=2.0)
    assert (other.values - found.values).abs().max() > 1e-6


@pytest.mark.thorough
@given(seed=st.integers(0, 2**31), drop=st.floats(0.1, 0.9), cut=st.integers(1, 6))
def test_the_loss_is_that_of_the_conditions_shown_whatever_the_parts(seed, drop, cut):
    diffusion = randomised(LatentPrior(FEATURES, PRIOR), seed)
    z, c = (x.double() for x in labelled(7, seed))
    diffusion.fit(z)
    model = autoencoder(prior=None)
    model.prior = diffusion
    items, objective = torch.cat([z, c], 1), LatentObjective(model, drop=drop)
    whole = objective(items, Microbatch(seed, 3, 0, 7))
    parts = [objective(items[a:b], Microbatch(seed, 3, a, 7)) for a, b in ((0, cut), (cut, 7))]
    assert_close(torch.cat(parts), whole, rtol=1e-6, atol=1e-6)
    shown = LatentObjective(model)(items, Microbatch(seed, 3, 0, 7))
    hidden = LatentObjective(model)(z, Microbatch(seed, 3, 0, 7))
    either = torch.minimum((whole - shown).abs(), (whole - hidden).abs())
    assert_close(either, torch.zeros_like(either), rtol=0, atol=1e-6)


@pytest.mark.parametrize("drop", [0.0, 0.25, 1.0])
def test_conditions_are_hidden_with_the_probability_asked(drop):
    model = autoencoder(prior=PRIOR)
    objective = LatentObjective(model, drop=drop)
    shown = torch.cat([objective._known(Microbatch(1, step, 0, 64), 64) for step in range(100)])
    spread = (drop * (1 - drop) / len(shown)) ** 0.5
    assert abs(1.0 - shown.double().mean() - drop) <= 5 * spread


@pytest.mark.thorough
def test_a_resumed_run_is_the_same(tmp_path):
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", max_steps=3)
    assert same(whole, run(tmp_path / "parts", resume=True))
    other = run(tmp_path / "other", drop=1.0)
    assert not same(whole, other)


def test_an_item_is_a_latent_and_its_condition():
    z, c = labelled(5)
    data = Latents(z, c)
    assert len(data) == 5
    assert torch.equal(data[3], torch.cat([z[3], c[3]]))


def test_bad_conditions_are_refused(tmp_path):
    z, c = labelled()
    with pytest.raises(ValueError, match="one condition a latent; got 20 for 40"):
        run(tmp_path, data=(z, c[:20]))
    with pytest.raises(ValueError, match="Conditions must be finite"):
        run(tmp_path, data=(z, c * float("nan")))
    with pytest.raises(ValueError, match="condition=2 .*; got 1"):
        run(tmp_path, data=(z, c[:, :1]))
    with pytest.raises(ValueError, match="condition=None .*; got 2"):
        run(tmp_path, prior=dataclasses.replace(PRIOR, condition=None))
    with pytest.raises(ValueError, match="drop_condition is a probability"):
        run(tmp_path, drop=1.5)
    with pytest.raises(ValueError, match="condition=2 .*; got 0"):
        train_prior(pipeline(), z, None, PRIOR, SETTINGS, tmp_path)
    with pytest.raises(ValueError, match="condition=2 .*; got 0"):
        train_prior(pipeline(), z, z, PRIOR, SETTINGS, tmp_path, conditions=c)
    assert not any(tmp_path.iterdir())


def test_bad_draws_are_refused():
    plain, c = InftyDiff(model()), torch.eye(CLASSES).double()
    with pytest.raises(ValueError, match="a condition is one of the latents' prior"):
        plain.sample(on=GRID, batch=2, generator=seeded(), condition=c)
    unconditional = autoencoder()
    with pytest.raises(TypeError, match="takes no condition"):
        unconditional.sample(on=GRID, batch=2, generator=seeded(), condition=c)
    with pytest.raises(ValueError, match="none is given; got guidance=2"):
        unconditional.sample(on=GRID, batch=2, generator=seeded(), guidance=2.0)
    conditional = autoencoder(prior=PRIOR)
    with pytest.raises(ValueError, match="conditioned on 2 features"):
        conditional.draw_latents(batch=2, generator=seeded(), condition=c[:, :1])
    latent = torch.zeros(2, LATENT).double()
    with pytest.raises(ValueError, match="and not both"):
        conditional.sample(on=GRID, batch=2, generator=seeded(), latent=latent, condition=c)
