"""What the local operator refuses, and that it says what is wrong."""

from collections.abc import Iterator

import jaxtyping
import pytest
import torch
from functions import function, grid, scattered, subset, values
from local_operators import box_grid, device_of, every_backend

from inftydiff.operators import Function, Grid, Identity, LocalOperator
from inftydiff.operators.domain import Point
from inftydiff.operators.local import _torchsparse_kernels as torchsparse_kernels
from inftydiff.operators.local import backend as backend_module
from inftydiff.operators.local import local_operator, neighbours, reference
from inftydiff.operators.local.backend import BACKENDS
from inftydiff.processes import WhiteNoise

GRID = box_grid(4, 5)
NEAR = neighbours(GRID, size=3, cell=GRID.spacing)
MANY = neighbours(subset(GRID, 6, 0, 2), size=3, cell=GRID.spacing)


@pytest.fixture(autouse=True)
def _unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("size", [0, 2, 6, -1])
def test_a_size_without_a_centre(size):
    with pytest.raises(ValueError, match=r"size must be"):
        neighbours(GRID, size=size, cell=GRID.spacing)


@pytest.mark.parametrize("cell", [(0.1,), (0.1, 0.1, 0.1)])
def test_a_cell_of_another_dimension(cell):
    with pytest.raises(ValueError, match=f"got {len(cell)} for 2 axes"):
        neighbours(GRID, size=3, cell=cell)
    with pytest.raises(ValueError, match=f"got {len(cell)} for 2 axes"):
        LocalOperator(values(0, 2, 3, 3), cell)


@pytest.mark.parametrize("boundary", ["periodic", "absorbing", ("reflecting", "periodic")])
def test_a_box_with_other_sides(boundary):
    on = grid(4, 5, boundary=boundary)
    some, anywhere = subset(on, 6, 0), scattered(on.domain, 6, 0)
    for points in (on, some):
        with pytest.raises(ValueError, match=r"box with reflecting sides.* Got Box\(.*"):
            neighbours(points, size=3, cell=0.1)
    operator = LocalOperator(values(0, 2, 3, 3), 0.1)
    for points in (on, some, anywhere):
        for A in (operator, operator.adjoint):
            with pytest.raises(ValueError, match="box with reflecting sides"):
                A(function(points, 0))


def test_a_point():
    with pytest.raises(ValueError, match=r"box with reflecting sides.* Got Point\(\)"):
        neighbours(Grid((), Point()), size=3, cell=0.1)


@pytest.mark.parametrize("side", [0.0, -0.1, float("nan"), float("inf")])
def test_a_cell_without_volume(side):
    with pytest.raises(ValueError, match="reference cell must be a finite number above 0"):
        neighbours(GRID, size=3, cell=(0.1, side))


ANYWHERE = scattered(GRID.domain, 5, 0)
PLACES = [GRID, subset(GRID, 6, 0), ANYWHERE]
META = torch.device("meta")


def test_a_backend_that_does_not_exist():
    for on in PLACES:
        with pytest.raises(ValueError, match="one of 'reference', 'dense', .*; got 'cudnn'"):
            neighbours(on, size=3, cell=0.1, backend="cudnn")
    with pytest.raises(ValueError, match="one of torch, numba, triton, or 'dense'; got 'cudnn'"):
        neighbours([ANYWHERE], size=3, cell=0.1, backend="cudnn")


@pytest.mark.parametrize("library", ["numba", "triton", "torchsparse"])
def test_a_backend_whose_library_is_missing(library, monkeypatch):
    monkeypatch.setattr(backend_module, "installed_backends", dict)
    hint = {
        "numba": r'pip install "inftydiff\[local\]"\.$',
        "triton": "pip install triton",
        "torchsparse": "build it from its repository",
    }[library]
    for on in PLACES[1:]:
        with pytest.raises(ModuleNotFoundError, match=f"'{library}' needs .*: {hint}") as error:
            neighbours(on, size=3, cell=0.1, backend=library)
        assert error.value.name == library


@pytest.fixture
def _everything_installed(monkeypatch):
    """Claim that every library is there."""
    monkeypatch.setattr(backend_module, "installed_backends", lambda: dict.fromkeys(BACKENDS, ""))


installed = pytest.mark.usefixtures("_everything_installed")


@installed
def test_dense_takes_a_lattice():
    with pytest.raises(
        ValueError, match="scattered points have none. Take one of torch, numba, triton"
    ):
        neighbours(ANYWHERE, size=3, cell=0.1, backend="dense")


@installed
@pytest.mark.parametrize("on", PLACES)
def test_numba_takes_a_cpu(on):
    with pytest.raises(ValueError, match="'numba' runs on the CPU; the points are on meta"):
        neighbours(on, size=3, cell=0.1, device=META, backend="numba")


@installed
@pytest.mark.parametrize("value", [None, "0", "true"])
@pytest.mark.parametrize("on", PLACES)
def test_triton_takes_cuda(on, value, monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    if value is not None:
        monkeypatch.setenv("TRITON_INTERPRET", value)
    with pytest.raises(ValueError, match="runs on CUDA; the points are on cpu.*INTERPRET=1"):
        neighbours(on, size=3, cell=0.1, device="cpu", backend="triton")


@installed
@pytest.mark.parametrize("on", PLACES)
def test_torchsparse_takes_cuda(on):
    with pytest.raises(ValueError, match="'torchsparse' runs on CUDA; the points are on cpu"):
        neighbours(on, size=3, cell=GRID.spacing, backend="torchsparse")


@pytest.fixture
def _torchsparse_on_cpu(monkeypatch):
    """Let TorchSparse take the CPU, to see what else it refuses."""
    monkeypatch.setattr(torchsparse_kernels, "DEVICE", "cpu")


@installed
@pytest.mark.usefixtures("_torchsparse_on_cpu")
def test_torchsparse_takes_subsets_of_the_reference_lattice():
    for on, cell in ((GRID, GRID.spacing), (subset(GRID, 6, 0), 0.35)):
        with pytest.raises(ValueError, match="takes a Subset of the grid whose spacing is"):
            neighbours(on, size=3, cell=cell, backend="torchsparse")


@installed
@pytest.mark.usefixtures("_torchsparse_on_cpu")
def test_torchsparse_takes_no_scattered_points():
    with pytest.raises(
        ValueError, match="'torchsparse' works on a lattice, and scattered points have none"
    ):
        neighbours(ANYWHERE, size=3, cell=0.1, backend="torchsparse")


@pytest.mark.parametrize(
    ("near", "shape", "message"),
    [
        (NEAR, (19, 2), r"\(\*batch, 20, channels\); got \(19, 2\)"),
        (NEAR, (20, 2, 2), r"\(\*batch, 20, channels\); got \(20, 2, 2\)"),
        (MANY, (6, 2), r"\(\*batch, 2, 6, channels\); got \(6, 2\)"),
        (MANY, (3, 6, 2), r"\(\*batch, 2, 6, channels\); got \(3, 6, 2\)"),
        (NEAR, (20, 3), "2 channels, the values have 3"),
    ],
)
def test_values_of_another_shape(near, shape, message):
    with pytest.raises(ValueError, match=message):
        local_operator(values(0, *shape), values(1, 2, 3, 3), near)


@every_backend
@pytest.mark.parametrize("window", [(5, 5), (3,), (3, 5), (), (2, 2, 3, 3)])
def test_a_table_of_another_window(window, backend):
    on = subset(GRID, 6, 0)
    near = neighbours(on, size=3, cell=0.1, device=device_of(backend), backend=backend)
    v, weight = (x.to(near.mass.device) for x in (values(0, 6, 2), values(1, 2, *window)))
    with pytest.raises(ValueError, match=r"of shape \(channels, 3, 3\), or \(images, channels"):
        local_operator(v, weight, near)


@pytest.mark.parametrize("shape", [(3, 3, 3), (2, 3, 3, 3), (3, 2, 3, 3)])
def test_a_table_of_other_channels(shape):
    channels = shape[-3]
    with pytest.raises(ValueError, match=f"{channels} channels, the values have 4"):
        local_operator(values(0, 20, 4), values(1, *shape), NEAR)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64, torch.bool])
def test_values_that_are_not_real(dtype):
    v, weight = values(0, 20, 2), values(1, 2, 3, 3)
    for near in (NEAR, neighbours(GRID, size=3, cell=GRID.spacing, backend="torch")):
        with pytest.raises(TypeError, match=rf"floating-point.*values of {dtype}"):
            local_operator(v.to(dtype), weight, near)
        with pytest.raises(TypeError, match=rf"floating-point.*kernel of {dtype}"):
            local_operator(v, weight.to(dtype), near)


@installed
@pytest.mark.parametrize("backend", ["numba", "triton"])
@pytest.mark.parametrize(
    "dtypes", [(torch.float16, torch.float16), (torch.float32, torch.float64)], ids=str
)
def test_kernels_take_one_real_dtype(dtypes, backend):
    pairs = neighbours(subset(GRID, 6, 0), size=3, cell=GRID.spacing, backend="torch").form.pairs
    v, weight, scale = values(0, 1, 6, 2), values(1, 2, 9), values(2, 6)
    tensors = v.to(dtypes[0]), weight.to(dtypes[1]), scale.to(dtypes[1])
    with pytest.raises(TypeError, match=f"{backend}' take tensors of one dtype.* got {dtypes[0]}"):
        torch.ops.inftydiff.pair_sum(*tensors, pairs.lists(backend), 1, backend)


@pytest.mark.parametrize("window", [(), (3, 5), (4, 4)])
def test_an_operator_of_a_table_that_is_no_cube(window):
    with pytest.raises(ValueError, match=r"odd|one size on each axis"):
        LocalOperator(values(0, 2, *window), 0.1)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 3, 5), (2, 3, 4, 4)])
def test_a_mixing_operator_of_a_table_that_is_no_cube(shape):
    with pytest.raises(ValueError, match=r"odd|\(images, channels, \*window\) with one size"):
        LocalOperator(values(0, *shape), 0.1, mixing=True)


def test_a_table_that_mixes_without_saying_so():
    with pytest.raises(ValueError, match=r"With mixing=True it is \(images, channels, \*window\)"):
        LocalOperator(values(0, 4, 2, 3, 3), 0.1)


@pytest.mark.parametrize("window", [(3,), (3, 5), (2, 2)])
def test_a_reference_of_another_window(window):
    with pytest.raises(ValueError, match=r"shape \(channels, 3, 3\)|shape \(channels, 5, 5\)|odd"):
        reference(values(0, 20, 2), values(1, 2, *window), GRID.points, GRID.weights, 0.1)


def test_a_reference_of_other_channels():
    with pytest.raises(ValueError, match="3 channels, the values have 2"):
        reference(values(0, 20, 2), values(1, 3, 3, 3), GRID.points, GRID.weights, 0.1)


def test_a_random_field_has_no_point_values(generator):
    field = WhiteNoise().draw(GRID.domain, batch=1, channels=2, generator=generator)
    operator = LocalOperator(values(0, 2, 3, 3), 0.1)
    for A in (operator, operator.adjoint, operator @ Identity()):
        with pytest.raises(TypeError, match="Read a random field on a discretisation first"):
            A(field)


def test_functions_of_other_channels_or_axes():
    operator = LocalOperator(values(0, 2, 3, 3), 0.1)
    with pytest.raises(ValueError, match="2 channels, the values have 1"):
        operator(Function(GRID, values(0, 20, 1)))
    mixing = LocalOperator(values(0, 4, 2, 3, 3), 0.1, mixing=True)
    with pytest.raises(ValueError, match="2 channels, the values have 4"):
        mixing(Function(GRID, values(0, 20, 4)))
    with pytest.raises(ValueError, match="4 channels, the values have 2"):
        mixing.adjoint(Function(GRID, values(0, 20, 2)))
    with pytest.raises(ValueError, match="got 2 for 1 axes"):
        operator(Function(box_grid(20), values(0, 20, 2)))
