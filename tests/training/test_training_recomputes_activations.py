"""Gradient checkpointing gives the same gradients, and halves at least what is kept for them."""

import dataclasses

import pytest
import torch
from networks import randomised
from torch.testing import assert_close
from training_runs import model, pictures, run

from inftydiff.data import Images
from inftydiff.models import recompute_blocks
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, preset
from inftydiff.training._objective import Microbatch, TrainingLoss


def kept_and_gradients(config: InftyDiffConfig, data: Images, gradient_checkpointing: bool):
    """The bytes of what the backward pass keeps but for the weights, and the gradients."""
    with torch.random.fork_rng():
        pipeline = randomised(InftyDiff(config)).train()
    recompute_blocks(pipeline, gradient_checkpointing)
    weights = {weight.untyped_storage().data_ptr() for weight in pipeline.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    images = torch.stack([data[i] for i in range(2)]).double()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = TrainingLoss(pipeline, points=0.25)(images, Microbatch(0, 0, 0, 2)).mean()
    total = sum(kept.values())
    loss.backward()
    return total, {n: w.grad for n, w in pipeline.named_parameters() if w.grad is not None}


@pytest.mark.parametrize("latent", [None, 16])
def test_less_than_half_is_kept_of_the_faces_model(latent):
    config = preset("faces")
    config = dataclasses.replace(config, latent=latent)
    data = pictures(2, shape=(64, 64))
    plain, expected = kept_and_gradients(config, data, False)
    less, gradients = kept_and_gradients(config, data, True)
    assert less <= plain / 2, f"{less / 2**20:.1f} of {plain / 2**20:.1f} MiB"
    assert expected.keys() == gradients.keys()
    for name, gradient in gradients.items():
        assert_close(gradient, expected[name], rtol=1e-10, atol=1e-12, msg=name)


def test_a_run_is_the_same(tmp_path):
    plain, less = (
        run(tmp_path / str(r), max_steps=2, latent=4, gradient_checkpointing=r)
        for r in (False, True)
    )
    for a, b in zip(plain.parameters(), less.parameters(), strict=True):
        assert_close(a, b, rtol=0, atol=1e-6)


def test_dropout_is_the_same_when_it_is_recomputed_and_resumed(tmp_path):
    config = model(network=dataclasses.replace(model().network, dropout=0.5))
    plain, expected = kept_and_gradients(config, pictures(), False)
    less, gradients = kept_and_gradients(config, pictures(), True)
    assert less < plain
    for name, gradient in gradients.items():
        assert_close(gradient, expected[name], rtol=1e-10, atol=1e-12, msg=name)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    _, again = kept_and_gradients(config, pictures(), False)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(again[name], expected[name]) for name in again)
