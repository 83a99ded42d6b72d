"""A random subset depends on its generator alone, and a batch of four starts a batch of eight."""

import torch

from inftydiff.operators import Grid, Subset, random_subset

GRID = Grid((8, 8))


def draw(seed: int, batch: int | None = 4) -> Subset:
    return random_subset(GRID, 16, batch=batch, generator=torch.Generator().manual_seed(seed))


def test_the_same_seed_gives_the_same_points():
    assert draw(0) == draw(0)
    assert draw(0) != draw(1)


def test_a_generator_goes_on():
    generator = torch.Generator().manual_seed(0)
    first, second = (random_subset(GRID, 16, generator=generator) for _ in range(2))
    assert first != second


def test_a_smaller_batch_is_the_start_of_a_larger_one():
    assert torch.equal(draw(0, 8).index[:4], draw(0, 4).index)
    assert torch.equal(draw(0, None).index, draw(0, 4).index[0])


def test_the_global_generator_is_neither_used_nor_moved():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = draw(0)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert draw(0) == one
