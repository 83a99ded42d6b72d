"""A network on images is a neural operator on the functions on a grid."""

import pytest
import torch
from networks import functions, grid_16, subset_of, times

from inftydiff import Box, Function, Grid
from inftydiff.models import (
    Capabilities,
    MultiscaleNetwork,
    NeuralOperator,
    functionalise,
    tiny,
)


class Convolution(torch.nn.Module):
    """A convolution, times one plus the time."""

    def __init__(self):
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 2, 3, padding=1).double()

    def forward(self, images: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (1 + t[:, None, None, None]) * self.convolution(images)


class Shrink(torch.nn.Module):
    def forward(self, images: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return images[..., ::2]


@pytest.mark.parametrize("grid", [grid_16, Grid((6, 10), Box((0.6, 1.0)))])
def test_functions_go_through_as_images(grid: Grid):
    module, x, t = Convolution(), functions(grid), times()
    out = functionalise(module)(x, t)
    assert out.on is grid
    assert torch.equal(out.to_image(), module(x.to_image(), t))


def test_the_module_is_told_the_time_it_counts():
    module, x, t = Convolution(), functions(grid_16), times()
    out = functionalise(module, clock=lambda t: 1000 * t - 1)(x, t)
    assert torch.equal(out.to_image(), module(x.to_image(), 1000 * t - 1))


def test_the_answer_has_the_dtype_of_what_is_read():
    x, module = functions(grid_16), Convolution()
    single = functionalise(Convolution().float())
    single.module.load_state_dict(module.state_dict())
    out = single(x, times())
    assert out.values.dtype == torch.float64
    assert torch.allclose(out.values, functionalise(module)(x, times()).values, atol=1e-5)


def test_it_says_that_it_reads_whole_grids():
    assert not functionalise(Convolution()).capabilities.subsets
    said = Capabilities(dims=(2,), subsets=False, mixed_precision=False)
    assert functionalise(Convolution(), capabilities=said).capabilities is said


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"time": "clock"}, "argument.*channel.*clock"),
        ({"multiple": 0}, "multiples of"),
        ({"capabilities": Capabilities()}, "reads whole grids, and nothing besides"),
        (
            {"capabilities": Capabilities(subsets=False, inputs=("latent",))},
            "reads whole grids, and nothing besides",
        ),
    ],
)
def test_what_it_cannot_be_is_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        functionalise(Convolution(), **changes)


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (2, 3)])
def test_sides_that_are_no_multiples_are_refused(shape):
    network = functionalise(Convolution(), multiple=4)
    x = functions(Grid(shape, Box((1.0, 1.0))))
    with pytest.raises(ValueError, match=f"multiples of 4 cells; got {shape[0]} × {shape[1]}"):
        network(x, times())
    x = functions(Grid((4, 12), Box((1.0, 1.0))))
    assert torch.equal(network(x, times()).values, functionalise(network.module)(x, times()).values)


def test_its_parameters_are_trained():
    assert len(list(functionalise(Convolution()).parameters())) == 2


def test_what_we_ship_are_neural_operators():
    assert isinstance(functionalise(Convolution()), NeuralOperator)
    assert isinstance(MultiscaleNetwork(tiny(), 3), NeuralOperator)


@pytest.mark.parametrize(
    ("x", "keywords", "error", "match"),
    [
        (
            functions(subset_of(grid_16, 9)),
            {},
            ValueError,
            "takes functions on a Grid; got one on Subset",
        ),
        (functions(grid_16), {"on": Grid((4, 4))}, ValueError, "answers where its input is known"),
        (functions(grid_16), {"latent": torch.zeros(2, 1)}, TypeError, "no latent"),
        (functions(grid_16), {"condition": functions(grid_16)}, TypeError, "no condition"),
        (
            Function(grid_16, functions(grid_16).values[0]),
            {},
            ValueError,
            "batch, points, channels",
        ),
    ],
)
def test_what_images_cannot_hold_is_refused(x, keywords, error, match):
    with pytest.raises(error, match=match):
        functionalise(Convolution())(x, times(), **keywords)


def test_an_answer_of_another_size_is_refused():
    with pytest.raises(ValueError, match="must answer with images of shape"):
        functionalise(Shrink())(functions(grid_16), times())
