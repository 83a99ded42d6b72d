"""The latent prior is the perceptron of its formula, of each latent by itself."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from networks import randomised

from inftydiff import Function, Grid
from inftydiff.models import LatentPriorConfig, NeuralOperator, SkipMLP
from inftydiff.models.embedding import timestep_embedding
from inftydiff.operators.domain import Point

PLACE = Grid((), Point())
LATENT, CONDITION = 5, 3


def prior(seed: int = 0, *, layers: int = 4, condition: int | None = CONDITION) -> SkipMLP:
    config = LatentPriorConfig(width=16, layers=layers, condition=condition)
    return randomised(SkipMLP(LATENT, config), seed)


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def at(z: torch.Tensor) -> Function:
    return Function(PLACE, z.unsqueeze(1))


def by_hand(net: SkipMLP, z, t, condition, known) -> torch.Tensor:
    e = net.embed_time[2](F.silu(net.embed_time[0](timestep_embedding(t, 64))))
    if net.config.condition is not None:
        marks = known.double()[:, None]
        e = e + torch.cat([condition * marks, marks], 1) @ net.embed_condition.weight.mT
        e = e + net.embed_condition.bias
    h = z
    for number, layer in enumerate(net.layers):
        h = torch.cat([h, z], 1) if number else h
        h = (h @ layer.linear.weight.mT + layer.linear.bias) * (1 + layer.scale(F.silu(e)))
        h = (h - h.mean(1, keepdim=True)) / (h.var(1, keepdim=True, unbiased=False) + 1e-5).sqrt()
        h = F.silu(h * layer.norm.weight + layer.norm.bias)
    return torch.cat([h, z], 1) @ net.last.weight.mT + net.last.bias


@given(seed=st.integers(0, 2**31), layers=st.integers(2, 5), conditioned=st.booleans())
def test_it_is_the_formula(seed: int, layers: int, conditioned: bool):
    net = prior(seed, layers=layers, condition=CONDITION if conditioned else None)
    z, t, c = drawn(3, LATENT, seed=seed), torch.tensor([0.1, 0.5, 1.0]).double(), drawn(3, 3)
    known = torch.tensor([True, False, True])
    keywords = {"latent": c, "known": known} if conditioned else {}
    answer = net(at(z), t, **keywords)
    assert answer.on == PLACE
    torch.testing.assert_close(
        answer.values.squeeze(1), by_hand(net, z, t, c, known), rtol=1e-9, atol=1e-9
    )


def test_no_condition_is_a_condition_that_is_not_known():
    net, z, t = prior(), drawn(4, LATENT), drawn(4).sigmoid()
    unknown = torch.zeros(4, dtype=torch.bool)
    a = net(at(z), t).values
    b = net(at(z), t, latent=drawn(4, 3), known=unknown).values
    assert torch.equal(a, b)


def test_zeros_as_a_condition_are_one_that_is_known():
    net, z, t = prior(), drawn(2, LATENT), drawn(2).sigmoid()
    a, b = net(at(z), t).values, net(at(z), t, latent=torch.zeros(2, 3).double()).values
    assert (a - b).abs().min() > 1e-9


def test_the_condition_is_used_of_those_that_know_it():
    net, z, t = prior(), drawn(2, LATENT), drawn(2).sigmoid()
    known = torch.tensor([True, False])
    a, b = (net(at(z), t, latent=drawn(2, 3, seed=s), known=known).values for s in (1, 2))
    assert (a[0] - b[0]).abs().min() > 1e-9
    assert torch.equal(a[1], b[1])


def test_a_latent_alone_has_the_same_answer():
    net, z, t, c = prior(), drawn(3, LATENT), drawn(3).sigmoid(), drawn(3, 3)
    together = net(at(z), t, latent=c).values
    for i in range(3):
        alone = net(at(z[i : i + 1]), t[i : i + 1], latent=c[i : i + 1]).values
        torch.testing.assert_close(alone[0], together[i], rtol=1e-10, atol=1e-10)


def test_a_new_prior_answers_zero():
    net = SkipMLP(LATENT, LatentPriorConfig(width=16, layers=3)).double()
    assert not net(at(drawn(2, LATENT)), drawn(2).sigmoid()).values.any()


def test_it_is_a_neural_operator_and_keeps_the_dtype():
    net = prior().float()
    assert isinstance(net, NeuralOperator)
    assert net(at(drawn(2, LATENT)), drawn(2).sigmoid()).values.dtype == torch.float64


@pytest.mark.parametrize(
    ("x", "keywords", "error", "match"),
    [
        (at(drawn(2, 4)), {}, ValueError, r"functions on Point\(\) with 5 channels; got 4"),
        (Function(Grid((1, 1)), drawn(2, 1, 5)), {}, ValueError, r"with 5 channels; got 5 on Box"),
        (Function(PLACE, drawn(1, 5)), {}, ValueError, r"\(batch, points, channels\)"),
        (at(drawn(2, 5)), {"latent": drawn(2, 2)}, ValueError, r"on 3 features a sample; got"),
        (at(drawn(2, 5)), {"condition": at(drawn(2, 5))}, TypeError, "takes no condition"),
        (at(drawn(2, 5)), {"on": Grid((2, 2))}, ValueError, r"functions on Point\(\)"),
    ],
)
def test_what_it_cannot_read_is_refused(x, keywords, error, match):
    with pytest.raises(error, match=match):
        prior()(x, torch.tensor([0.1, 0.2]), **keywords)


def test_a_prior_without_a_condition_refuses_one():
    with pytest.raises(TypeError, match="takes no condition"):
        prior(condition=None)(at(drawn(2, 5)), drawn(2).sigmoid(), latent=drawn(2, 3))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"layers": 1}, "at least two layers"),
        ({"width": 0}, "width must be"),
        ({"condition": 0}, "features of a condition"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_sizes_out_of_range_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        LatentPriorConfig(**changes)


def test_dropout_acts_in_training_alone():
    config = LatentPriorConfig(width=16, layers=3, dropout=0.5)
    net = randomised(SkipMLP(LATENT, config))
    z, t = at(drawn(2, LATENT)), drawn(2).sigmoid()
    assert torch.equal(net(z, t).values, net(z, t).values)
    torch.manual_seed(0)
    net.train()
    assert not torch.equal(net(z, t).values, net(z, t).values)
