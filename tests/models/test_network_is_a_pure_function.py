"""A network in evaluation is a function of its arguments: it draws nothing and changes nothing."""

import torch
from networks import functions, grid_16, network, subset_of, times


def test_evaluation_is_deterministic_and_leaves_the_global_generator_alone():
    net, x, t = network(dropout=0.5), functions(subset_of(grid_16, 90)), times()
    state = torch.get_rng_state()
    first = net(x, t).values
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(7)
    assert torch.equal(net(x, t).values, first)
    torch.set_rng_state(state)


def test_training_drops_features_where_asked():
    net, x, t = network(dropout=0.5), functions(grid_16), times()
    assert not torch.equal(net.train()(x, t).values, net(x, t).values)


def test_inputs_are_not_changed():
    x, t = functions(subset_of(grid_16, 90)), times()
    before = x.values.clone(), t.clone(), x.on.index.clone()
    network()(x, t)
    after = x.values, t, x.on.index
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))


def test_the_answer_lives_where_it_was_asked():
    x = functions(subset_of(grid_16, 90))
    assert network()(x, times()).on is x.on
    assert network()(x, times(), on=x.on).on is x.on
