"""From sums as TorchSparse gives them, subsets of the reference lattice get the definition's image.

A stand-in computes the sums; TorchSparse's own are tested with its kernels.
"""

import pytest
import torch
from local_operators import Case, outcome, truth
from torch import Tensor
from torch.testing import assert_close

from inftydiff.operators.local import backend, torchsparse_form

CASES = {
    "a line": Case((9,), (1,), 5, 2, (), 6, None, 0),
    "one subset": Case((5, 4), (1, 1), 3, 3, (2, 3), 9, None, 1),
    "a subset a sample": Case((5, 4), (1, 1), 5, 3, (2, 3), 9, 3, 2),
    "a cube": Case((3, 4, 3), (1, 1, 1), 3, 2, (2,), 14, 2, 3),
    "channels mixed": Case((5, 4), (1, 1), 3, 3, (2, 3), 9, 3, 4, 2),
}


def mixed(values: Tensor, weight: Tensor, coordinates: Tensor, size: int, dim: int) -> Tensor:
    """Add up the rows that are seen, times the matrix of their tap."""
    offsets = coordinates.unsqueeze(1) - coordinates
    taps = torch.cartesian_prod(*[torch.arange(size) - size // 2] * dim).view(-1, dim)
    same = offsets[..., 0] == 0
    seen = same & (offsets[..., 1:] == taps[:, None, None]).all(-1)
    return torch.einsum("kij,kco,jc->io", seen.to(values), weight, values)


def depthwise(values: Tensor, weight: Tensor, coordinates: Tensor, size: int, dim: int) -> Tensor:
    return mixed(values, weight.diag_embed(), coordinates, size, dim)


@pytest.fixture
def _stand_in(monkeypatch):
    """Compute in place of TorchSparse."""
    there = dict.fromkeys(backend.BACKENDS, "")
    monkeypatch.setattr(backend, "installed_backends", lambda: there)
    monkeypatch.setattr(torchsparse_form, "convolve", mixed)
    monkeypatch.setattr(torchsparse_form, "depthwise", depthwise)


@pytest.mark.usefixtures("_stand_in")
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name):
    case = CASES[name]
    near = case.map_by("torchsparse")
    assert near.backend == "torchsparse"
    assert isinstance(near.form, torchsparse_form.TorchSparseForm)
    for result, expected in zip(outcome(near, case.values, case.weight), truth(case), strict=True):
        assert_close(result, expected, rtol=0, atol=1e-12)


@pytest.mark.usefixtures("_stand_in")
def test_it_is_never_chosen():
    for case in CASES.values():
        assert case.map.backend != "torchsparse"
