"""The sums that TorchSparse computes are dense convolutions, read where there are points.

TorchSparse is run where it is installed, on a CUDA device; everywhere else a stand-in for it.
"""

from functools import partial
from importlib import metadata

import pytest
import torch
import torch.nn.functional as F
import torchsparse_stand_in
from torch.testing import assert_close

from inftydiff.operators.local import _torchsparse_kernels as torchsparse_kernels
from inftydiff.operators.local._pairs import PairsForm
from inftydiff.operators.local._torchsparse_kernels import (
    available,
    convolve,
    depthwise,
    kernel_maps,
    pairs,
)

SHAPES = {1: (30,), 2: (5, 8), 3: (3, 4, 5)}


def points(generator, dim):
    """Coordinates of some cells of two samples' lattices, in no order, beginning below zero."""
    cells = torch.cartesian_prod(*map(torch.arange, (2, *SHAPES[dim])))
    some = torch.randperm(len(cells), generator=generator)[: 2 * len(cells) // 3]
    return cells[some] - torch.tensor([0, *range(4, 4 - dim, -1)])


def dense(values, weight, coordinates):
    """The convolution of the lattices, in float64, read at the points."""
    dim = coordinates.shape[1] - 1
    index = tuple((coordinates - coordinates.amin(0)).unbind(-1))
    lattice = values.new_zeros(2, *SHAPES[dim], values.shape[-1], dtype=torch.float64)
    lattice = lattice.index_put(index, values.double()).movedim(-1, 1)
    size = round(len(weight) ** (1 / dim))
    filters = weight.double().flip(0).unflatten(0, (size,) * dim).movedim((-1, -2), (0, 1))
    apply = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[dim]
    return apply(lattice, filters, padding=size // 2).movedim(1, -1)[index]


def check(run, weight, expand, dim, generator, device, tolerance):
    """Compare with the dense convolution; ``expand`` makes matrices of the weight."""
    coordinates = points(generator, dim)
    values = torch.randn(len(coordinates), weight.shape[1], generator=generator)
    size = round(len(weight) ** (1 / dim))
    ours = [x.to(device).requires_grad_() for x in (values, weight)]
    theirs = [x.double().requires_grad_() for x in (values, weight)]
    image = run(*ours, coordinates.to(device), size, dim)
    expected = dense(theirs[0], expand(theirs[1]), coordinates)
    grad = torch.randn(image.shape, generator=generator)
    gradients = torch.autograd.grad(image, ours, grad.to(device))
    truths = torch.autograd.grad(expected, theirs, grad.double())
    assert image.dtype == torch.float32
    for result, truth in zip((image, *gradients), (expected, *truths), strict=True):
        assert_close(result.double().cpu(), truth, rtol=tolerance, atol=tolerance)


def by_pairs(values, weight, coordinates, size, dim):
    """The sum with a number a channel over the pairs that TorchSparse finds."""
    found = pairs(kernel_maps(coordinates, size, dim), coordinates, size, dim)
    form, ones = PairsForm(found, "torch", dim), torch.ones(len(values), device=values.device)
    return form(values.unsqueeze(0), weight.T.unflatten(1, (size,) * dim), ones).squeeze(0)


CASES = pytest.mark.parametrize(("dim", "size"), [(1, 5), (2, 1), (2, 3), (2, 7), (3, 3)])


@pytest.mark.filterwarnings("default")  # TorchSparse may be older than PyTorch
@CASES
def test_matrices_by_torchsparse(dim, size, generator, monkeypatch):
    if not torch.cuda.is_available():
        pytest.skip("TorchSparse needs a CUDA device")
    torchsparse = pytest.importorskip("torchsparse", minversion="2.1")
    monkeypatch.setattr(torchsparse.backends, "allow_tf32", False)
    weight = torch.randn(size**dim, 8, 16, generator=generator)
    check(convolve, weight, torch.Tensor.clone, dim, generator, "cuda", 1e-4)


@pytest.mark.filterwarnings("default")  # TorchSparse may be older than PyTorch
@CASES
def test_pairs_by_torchsparse(dim, size, generator):
    if not torch.cuda.is_available():
        pytest.skip("TorchSparse needs a CUDA device")
    pytest.importorskip("torchsparse", minversion="2.1")
    weight = torch.randn(size**dim, 8, generator=generator)
    check(by_pairs, weight, torch.diag_embed, dim, generator, "cuda", 1e-4)


@pytest.mark.filterwarnings("default")  # TorchSparse may be older than PyTorch
@CASES
def test_channel_by_channel_by_the_fork(dim, size, generator):
    if not torch.cuda.is_available():
        pytest.skip("TorchSparse needs a CUDA device")
    backend = pytest.importorskip("torchsparse.backend")
    if "depthwise_convolution_forward_cuda" not in dir(backend):
        pytest.skip("this TorchSparse is not the fork with a depthwise convolution")
    weight = torch.randn(size**dim, 8, generator=generator)
    check(depthwise, weight, torch.diag_embed, dim, generator, "cuda", 1e-4)


@pytest.fixture
def install(monkeypatch):
    """Install a stand-in of some version, with or without a depthwise convolution."""
    return partial(torchsparse_stand_in.install, monkeypatch)


@CASES
def test_matrices_by_the_stand_in(dim, size, generator, install):
    stand_in = install("2.1.0+torch24cu121")
    before = dict(stand_in.shared)
    weight = torch.randn(size**dim, 2, 3, generator=generator)
    check(convolve, weight, torch.Tensor.clone, dim, generator, "cpu", 1e-5)
    assert stand_in.shared == before


@CASES
def test_channel_by_channel_by_the_stand_in(dim, size, generator, install):
    install("2.0.0b0")
    weight = torch.randn(size**dim, 2, generator=generator)
    check(depthwise, weight, torch.diag_embed, dim, generator, "cpu", 1e-5)


@CASES
def test_pairs_by_the_stand_in(dim, size, generator, install):
    install("2.1.0")
    weight = torch.randn(size**dim, 2, generator=generator)
    check(by_pairs, weight, torch.diag_embed, dim, generator, "cpu", 1e-5)


@pytest.mark.parametrize("version", ["2.1.0", "2.0.0b0"])
def test_a_map_is_made_once(version, generator, install):
    stand_in = install(version)
    coordinates = points(generator, 2)
    values = torch.randn(len(coordinates), 2, generator=generator)
    new = version == "2.1.0"
    weight = torch.randn(9, 2, 2, generator=generator)
    weight = weight if new else weight[..., 0]
    maps = kernel_maps(coordinates, 3, 2) if new else {}
    run = convolve if new else depthwise
    expected = run(values, weight, coordinates, 3, 2)
    before = stand_in.maps_made
    with torch.no_grad():
        images = [run(values, weight, coordinates, 3, 2, maps) for _ in range(3)]
    images.append(run(values.requires_grad_(), weight, coordinates, 3, 2, maps))
    assert stand_in.maps_made == before + (not new)
    for image in images:
        assert torch.equal(image, expected)


def test_no_points(install):
    nowhere = torch.zeros(0, 3, dtype=torch.int64)
    install("2.1.0")
    assert convolve(torch.zeros(0, 2), torch.zeros(9, 2, 5), nowhere, 3, 2).shape == (0, 5)
    install("2.0.0b0")
    assert depthwise(torch.zeros(0, 2), torch.zeros(9, 2), nowhere, 3, 2).shape == (0, 2)


VALUES, WEIGHT, CELLS = torch.zeros(4, 2), torch.zeros(9, 2, 2), torch.zeros(4, 3).int()


@pytest.mark.parametrize("version", [None, "1.4.0", "2.0.0b0"])
def test_says_what_to_install_for_matrices(version, monkeypatch):
    monkeypatch.setattr(torchsparse_kernels, "available", lambda: version)
    found = "none is installed" if version is None else f"version {version} is installed"
    with pytest.raises(
        ModuleNotFoundError, match=rf"TorchSparse 2\.1, and {found}.*not on PyPI"
    ) as e:
        convolve(VALUES, WEIGHT, CELLS, 3, 2)
    assert "pip install git+https://github.com/mit-han-lab/torchsparse.git" in str(e.value)
    assert e.value.name == "torchsparse"


@pytest.mark.parametrize("version", [None, "2.0.0b0", "2.1.0"])
def test_says_what_to_install_for_channels(version, monkeypatch, install):
    if version is not None:
        install(version, depthwise=False)
    monkeypatch.setattr(torchsparse_kernels, "available", lambda: version)
    with pytest.raises(ModuleNotFoundError, match="fork of TorchSparse 2.0.*not on PyPI") as e:
        depthwise(VALUES, WEIGHT[:, 0], CELLS, 3, 2)
    assert "pip install git+https://github.com/samb-t/torchsparse.git" in str(e.value)


def test_the_version_is_that_of_the_distribution(monkeypatch):
    def version(name):
        if name in known:
            return known[name]
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", version)
    known = {}
    assert available() is None
    known["torchsparse"] = "2.1.0"
    assert available() == "2.1.0"


def test_refuses_other_devices(monkeypatch):
    for function, weight, version in (
        (convolve, WEIGHT, "2.1.0"),
        (depthwise, WEIGHT[:, 0], "2.0.0b0"),
    ):
        monkeypatch.setattr(torchsparse_kernels, "available", lambda v=version: v)
        with pytest.raises(ValueError, match="CUDA devices only; got values on cpu"):
            function(VALUES, weight, CELLS, 3, 2)


@pytest.mark.parametrize(
    ("error", "message", "change"),
    [
        (ValueError, "odd number of offsets", {"size": 2, "weight": WEIGHT[:4]}),
        (ValueError, "odd number of offsets", {"size": -1}),
        (ValueError, "one to three axes", {"dim": 4}),
        (ValueError, r"shape \(4, 3\).*got \(4, 2\)", {"coordinates": CELLS[:, 1:]}),
        (ValueError, r"size\*\*dim = 9 taps; got 7", {"weight": WEIGHT[:7]}),
        (TypeError, "float64", {"values": VALUES.double(), "weight": WEIGHT.double()}),
        (TypeError, "float32 and torch.float16", {"weight": WEIGHT.half()}),
    ],
)
def test_refuses_what_does_not_fit(error, message, change):
    arguments = {"values": VALUES, "weight": WEIGHT, "coordinates": CELLS, "size": 3, "dim": 2}
    arguments |= change
    with pytest.raises(error, match=message):
        convolve(**arguments)
    with pytest.raises(error, match=message):
        depthwise(**arguments | {"weight": arguments["weight"][:, 0]})
