"""A step is AdamW on the clipped gradient of the denoising loss, and the average follows it."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import randomised
from safetensors.torch import load_file
from torch.testing import assert_close
from training_runs import SETTINGS, held_out, model, pictures, run

from inftydiff import Function, Grid, Subset, as_denoiser, denoising_loss
from inftydiff.data import Images
from inftydiff.models import MultiscaleNetwork
from inftydiff.operators.subsets import random_subset
from inftydiff.pipelines import InftyDiff
from inftydiff.processes import NoisePrediction
from inftydiff.training import TrainConfig, held_out_loss, train
from inftydiff.training._batches import BatchSampler, picture_generator, step_generator
from inftydiff.training._objective import Microbatch, TrainingLoss, low_discrepancy_times


def weights(folder):
    tensors = load_file(folder / "training.safetensors")
    return {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}


def test_three_steps_by_hand(tmp_path):
    config = dataclasses.replace(
        SETTINGS, max_steps=3, checkpoint_steps=1, warmup=5, clip_norm=0.1, ema=0.15
    )
    data = pictures()
    train(model(), data, None, config, tmp_path, progress=False)

    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        pipeline = InftyDiff(model())
    optimiser = torch.optim.AdamW(pipeline.parameters(), betas=(0.9, 0.99), weight_decay=0.01)
    order, grid = BatchSampler(len(data), 4, seed=config.seed), Grid((16, 16))
    average = None
    for step in range(3):
        x0 = Function.from_image(torch.stack([data[i] for i in order.batch(step)]))
        generators = [picture_generator(config.seed, step, number) for number in range(4)]
        taken = [random_subset(grid, 64, generator=g).index for g in generators]
        loss = denoising_loss(
            as_denoiser(pipeline.process, pipeline.network, predict=pipeline.predict),
            x0,
            low_discrepancy_times(Microbatch(config.seed, step, 0, 4), 4),
            at=Subset(grid, torch.stack(taken)),
            generator=step_generator(config.seed, step),
        )
        optimiser.zero_grad()
        (loss.mean() / pipeline.capabilities.scale**2).backward()
        torch.nn.utils.clip_grad_norm_(pipeline.parameters(), 0.1)
        optimiser.param_groups[0]["lr"] = 1e-3 * (step + 1) / 5
        optimiser.step()
        now = {k: v.detach().clone() for k, v in pipeline.state_dict().items()}
        decay = min(0.15, (1 + step) / (10 + step))
        average = (
            now if average is None else {k: decay * average[k] + (1 - decay) * now[k] for k in now}
        )
        folder = tmp_path / f"step-{step + 1:08d}"
        saved, saved_average = weights(folder), load_file(folder / "model.safetensors")
        for k in now:
            assert torch.allclose(saved[k], now[k], atol=2e-6), k
            assert torch.allclose(saved_average[k], average[k], atol=2e-6), k


def test_flips_mirror_some_pictures(tmp_path):
    plain = run(tmp_path / "a", max_steps=1)
    flipped = run(tmp_path / "b", max_steps=1, horizontal_flip=True)
    assert any(
        not torch.equal(a, b) for a, b in zip(plain.parameters(), flipped.parameters(), strict=True)
    )


@given(batch=st.integers(1, 64), seed=st.integers(0, 2**32))
def test_times_are_spread_evenly(batch, seed):
    t = low_discrepancy_times(Microbatch(seed, 0, 0, batch), batch)
    assert t.shape == (batch,)
    assert bool(((t >= 0) & (t < 1)).all())
    gaps = t.sort().values.diff()
    assert torch.allclose(gaps, torch.full_like(gaps, 1 / batch), atol=1e-6)


def test_each_time_is_uniform():
    draws = torch.stack(
        [low_discrepancy_times(Microbatch(0, step, 0, 4), 4) for step in range(2000)]
    )
    for k in (1, 2):  # Fourier coefficients of a uniform law are zero, with variance ½ / n
        wave = torch.cos(2 * math.pi * k * draws).mean(0)
        assert float(wave.abs().max()) < 5 * math.sqrt(0.5 / 2000)


@pytest.mark.parametrize("latent", [None, 4])
@pytest.mark.parametrize("kl_weight", [None, 0.1])
def test_the_loss_of_a_batch_does_not_depend_on_its_parts(latent, kl_weight):
    if latent is None and kl_weight is not None:
        return
    pipeline = randomised(InftyDiff(model(latent=latent, kl_weight=kl_weight)))
    objective = TrainingLoss(pipeline, points=0.25, horizontal_flip=True)
    images = torch.stack([pictures()[i] for i in range(5)]).double()
    whole = objective(images, Microbatch(1, 7, 0, 5))
    parts = [objective(images[a:b], Microbatch(1, 7, a, 5)) for a, b in ((0, 2), (2, 3), (3, 5))]
    assert_close(torch.cat(parts), whole, rtol=1e-10, atol=0)


def test_the_held_out_loss_is_the_same_at_every_call():
    pipeline = InftyDiff(model()).eval()
    a, b = (held_out_loss(pipeline, held_out()) for _ in range(2))
    assert a == b


def test_the_held_out_loss_of_predicting_no_noise_is_its_variance():
    pipeline = InftyDiff(model(predict=NoisePrediction())).eval()  # a new network gives zero
    process = pipeline.process
    white = process.noise.draw(
        pipeline.config.domain, batch=1, channels=1, generator=torch.Generator().manual_seed(0)
    )
    variance = process.noise_factor(white).covariance(Grid((16, 16))).diagonal()
    expected = float(variance.mean()) / pipeline.capabilities.scale**2
    loss = held_out_loss(pipeline, pictures(128), images=128, points=1.0)
    assert loss == pytest.approx(expected, rel=0.05)
    assert float(variance.min()) == pytest.approx(pipeline.capabilities.scale**2, rel=1e-4)


def test_taking_all_points_takes_the_grid(monkeypatch):
    pipeline = InftyDiff(model())
    images = torch.stack([pictures()[0], pictures()[1]])
    seen = []
    forward = MultiscaleNetwork.forward

    def listen(network, x, t, **keywords):
        seen.append(x.on)
        return forward(network, x, t, **keywords)

    monkeypatch.setattr(MultiscaleNetwork, "forward", listen)
    for points in (1.0, 0.25):
        TrainingLoss(pipeline, points=points)(images, Microbatch(0, 0, 0, 2))
    assert isinstance(seen[0], Grid)
    assert seen[1].size == 64


@pytest.mark.thorough
def test_the_loss_falls(tmp_path):
    config = dataclasses.replace(
        SETTINGS, max_steps=200, learning_rate=3e-3, warmup=5, batch_size=8
    )
    data = pictures(64)
    trained = train(model(), data, held_out(), config, tmp_path, progress=False)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        untrained = InftyDiff(model()).eval()
    others = Images(pictures(128).pixels[64:].flip(-1))
    assert held_out_loss(trained, others) < 0.9 * held_out_loss(untrained, others)


def test_bfloat16_is_close_to_float32(tmp_path):
    a = run(tmp_path / "a", precision="bf16", warmup=1)
    b = run(tmp_path / "b", warmup=1)
    assert all(w.dtype == torch.float32 for w in a.parameters())
    losses = [held_out_loss(pipeline, held_out()) for pipeline in (a, b)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_learning_rates():
    flat, cosine, tail = (
        TrainConfig(max_steps=100, warmup=10, learning_rate=1.0, decay=decay)
        for decay in ("constant", "cosine", "tail")
    )
    for config in (flat, cosine, tail):
        assert config.rate(0, 0.0) == pytest.approx(0.1)
    assert [flat.rate(50, f) for f in (0.1, 0.5, 1.0)] == [1.0, 1.0, 1.0]
    assert [cosine.rate(50, f) for f in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.5, 0.0])
    assert [tail.rate(50, f) for f in (0.5, 2 / 3, 5 / 6, 1.0)] == pytest.approx([1, 1, 0.5, 0])


def test_the_run_is_done_when_steps_or_minutes_are():
    config = TrainConfig(max_steps=100, minutes=1.0)
    assert config.fraction(50, 0.0) == 0.5
    assert config.fraction(50, 45.0) == 0.75
    assert config.fraction(0, 61.0) == 1.0
