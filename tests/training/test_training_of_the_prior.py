"""Stage two trains the prior alone, on the latents of a model that stays as it is."""

import dataclasses

import pytest
import torch
from networks import randomised
from torch.testing import assert_close
from training_runs import SETTINGS, model, pictures, same

from inftydiff import Function, Grid
from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.training import encode_pictures, train_prior
from inftydiff.training._objective import Microbatch
from inftydiff.training.latents import LatentObjective

PRIOR = LatentPriorConfig(width=16, layers=3)
LATENT = 4


def with_latents() -> InftyDiff:
    """A model with an encoder whose parts are random."""
    return randomised(InftyDiff(model(latent=LATENT))).float()


def codes(count: int = 40, seed: int = 0) -> torch.Tensor:
    """Latents with a spread and a mean of their own in each feature."""
    g = torch.Generator().manual_seed(seed)
    spread, mean = torch.tensor([0.1, 1.0, 3.0, 10.0]), torch.tensor([5.0, 0.0, -1.0, 2.0])
    return torch.randn(count, LATENT, generator=g) * spread + mean


def run(out, *, resume=False, **changes):
    config = dataclasses.replace(SETTINGS, batch_size=8, **changes)
    return train_prior(
        with_latents(), codes(), codes(8, 1), PRIOR, config, out, resume=resume, progress=False
    )


def test_the_model_stays_and_the_prior_moves(tmp_path):
    before, after = with_latents(), run(tmp_path)
    new = after.state_dict()
    assert all(torch.equal(value, new[name]) for name, value in before.state_dict().items())
    begun = run(tmp_path / "begun", max_steps=1)
    assert any(
        not torch.equal(value, new[name])
        for name, value in begun.state_dict().items()
        if name.startswith("prior.network")
    )


def test_it_is_fitted_to_the_latents(tmp_path):
    prior = run(tmp_path, max_steps=1).prior
    assert_close(prior.mean, codes().mean(0))
    assert_close(prior.spread, codes().std(0))


def test_a_resumed_run_is_the_same(tmp_path):
    whole = run(tmp_path / "whole")
    run(tmp_path / "parts", max_steps=3)
    assert same(whole, run(tmp_path / "parts", resume=True))


def test_what_it_leaves_draws_functions(tmp_path):
    trained = run(tmp_path)
    loaded = load_pipeline(tmp_path)
    assert same(trained, loaded)
    x = loaded.sample(on=Grid((8, 8)), batch=2, generator=torch.Generator().manual_seed(0))
    assert x.values.shape == (2, 64, 3)


def test_the_loss_of_a_batch_does_not_depend_on_its_parts(tmp_path):
    objective = LatentObjective(run(tmp_path, max_steps=1)).double()
    z = codes(5).double()
    whole = objective(z, Microbatch(1, 7, 0, 5))
    parts = [objective(z[a:b], Microbatch(1, 7, a, 5)) for a, b in ((0, 2), (2, 3), (3, 5))]
    assert_close(torch.cat(parts), whole, rtol=1e-6, atol=1e-6)


@pytest.mark.thorough
def test_it_learns_the_law_of_the_latents(tmp_path):
    z = codes(4000)
    config = dataclasses.replace(
        SETTINGS, batch_size=256, max_steps=600, warmup=20, learning_rate=3e-3, ema=0.99
    )
    prior = LatentPriorConfig(width=64, layers=3)
    trained = train_prior(with_latents(), z, None, prior, config, tmp_path, progress=False).prior
    drawn = trained.sample(batch=4000, generator=torch.Generator().manual_seed(1))
    assert_close(drawn.mean(0), z.mean(0), rtol=0, atol=float(0.15 * z.std(0).max()))
    assert_close(trained.normalise(drawn).std(0), torch.ones(LATENT), rtol=0.15, atol=0)


def test_pictures_are_encoded_as_in_training():
    pipeline, data = with_latents(), pictures(5)
    full = encode_pictures(pipeline, data, points=1.0, progress=False)
    x0 = Function.from_image(torch.stack([data[i] for i in range(5)]))
    assert_close(full, pipeline.encode(x0))
    two = encode_pictures(pipeline, data, points=0.25, draws=2, batch_size=3, progress=False)
    assert two.shape == (10, LATENT)
    assert not torch.equal(two[:5], two[5:])
    one = encode_pictures(pipeline, data, points=0.25, batch_size=5, progress=False)
    assert_close(one, two[:5], rtol=1e-4, atol=1e-5)


def test_bad_calls_are_refused(tmp_path):
    with pytest.raises(ValueError, match="needs no prior"):
        train_prior(InftyDiff(model()), codes(), None, PRIOR, SETTINGS, tmp_path)
    with pytest.raises(ValueError, match=r"latents of shape \(4,\)"):
        train_prior(with_latents(), codes()[:, :2], None, PRIOR, SETTINGS, tmp_path)
    with pytest.raises(ValueError, match="no encoder"):
        encode_pictures(InftyDiff(model()), pictures(), progress=False)
    with pytest.raises(ValueError, match="points must be a finite number above 0"):
        encode_pictures(with_latents(), pictures(), points=0.0, progress=False)
    with pytest.raises(ValueError, match="no prior"):
        LatentObjective(with_latents())
