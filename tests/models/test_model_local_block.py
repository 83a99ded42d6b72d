"""The local block is the formula it states, with gradients that agree with differences."""

import pytest
import torch
import torch.nn.functional as F
from networks import grid_16, randomised, subset_of

from inftydiff import Grid, Subset
from inftydiff.models import LocalBlock
from inftydiff.operators.local import neighbours


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def windowed_mean(v: torch.Tensor, table: torch.Tensor, on: Subset) -> torch.Tensor:
    """The local operator on a subset of the grid that the table is made for, point by point."""
    rows, columns = on.index // on.grid.shape[1], on.index % on.grid.shape[1]
    half = table.shape[-1] // 2
    out = torch.empty_like(v)
    for b in range(v.shape[0]):
        for p in range(v.shape[1]):
            down, right = rows[b, p] - rows[b], columns[b, p] - columns[b]
            near = (down.abs() <= half) & (right.abs() <= half)
            kernel = table[:, down[near] + half, right[near] + half].T
            out[b, p] = (kernel * v[b, near]).sum(0) / near.sum()
    return out


def test_the_block_is_its_formula():
    on, x, e = subset_of(grid_16, 60), normal(2, 60, 4), normal(2, 6, seed=1)
    block = randomised(LocalBlock(4, 6, size=3))
    near = neighbours(on, size=3, cell=1 / 16)
    h = x + windowed_mean(block.first_norm(x, e), 9 * block.kernel, on)
    expected = h + block.contract(F.gelu(block.expand(block.second_norm(h, e))))
    torch.testing.assert_close(block(x, e, near), expected)


def test_a_skip_is_concatenated_and_mapped_back():
    on, e = subset_of(grid_16, 60), normal(2, 6, seed=1)
    x, skip = normal(2, 60, 4), normal(2, 60, 4, seed=2)
    block = randomised(LocalBlock(4, 6, size=3, skip=True))
    plain = LocalBlock(4, 6, size=3).double()
    plain.load_state_dict({k: v for k, v in block.state_dict().items() if "entry" not in k})
    near = neighbours(on, size=3, cell=1 / 16)
    entered = torch.cat([x, skip], -1) @ block.entry.weight.T + block.entry.bias
    torch.testing.assert_close(block(x, e, near, skip), plain(entered, e, near))


@pytest.mark.parametrize("skip", [True, False])
def test_a_skip_is_given_where_it_is_taken(skip: bool):
    near = neighbours(grid_16, size=3, cell=1 / 16)
    x, e = normal(1, 256, 4), normal(1, 6)
    with pytest.raises(ValueError, match="takes no skip" if not skip else "takes a skip"):
        randomised(LocalBlock(4, 6, size=3, skip=skip))(x, e, near, None if skip else x)


def test_a_new_block_adds_features_of_the_size_of_its_input():
    block = LocalBlock(64, 6)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block = LocalBlock(64, 6).double()
    grid = Grid((32, 32))
    x = normal(1, 1024, 64)
    added = block(x, normal(1, 6), neighbours(grid, size=7, cell=1 / 32)) - x
    assert 0.3 < added.std() < 2.0


def test_gradients_agree_with_differences():
    on = subset_of(Grid((4, 4)), 7, batch=1)
    near = neighbours(on, size=3, cell=1 / 4)
    block = randomised(LocalBlock(2, 3, size=3, skip=True))
    names = [name for name, _ in block.named_parameters()]

    def apply(x, e, skip, *parameters):
        return torch.func.functional_call(
            block, dict(zip(names, parameters, strict=True)), (x, e, near, skip)
        )

    arguments = [normal(1, 7, 2), normal(1, 3, seed=1), normal(1, 7, 2, seed=2)]
    arguments += [parameter.detach().clone() for parameter in block.parameters()]
    assert torch.autograd.gradcheck(apply, [a.requires_grad_() for a in arguments])
