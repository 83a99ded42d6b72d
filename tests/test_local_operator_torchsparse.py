"""The sums that TorchSparse computes are dense convolutions, read where there are points.

TorchSparse is run where it is installed, on a CUDA device. Everywhere else a stand-in for it
follows its conventions, which are those of ``get_kernel_offsets`` in its sources.
"""

import sys
from dataclasses import dataclass, field
from importlib import metadata
from itertools import product
from types import ModuleType, SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from inftydiff.operators.local import torchsparse_kernels
from inftydiff.operators.local.torchsparse_kernels import available, convolve, depthwise

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
def test_channel_by_channel_by_the_fork(dim, size, generator):
    if not torch.cuda.is_available():
        pytest.skip("TorchSparse needs a CUDA device")
    backend = pytest.importorskip("torchsparse.backend")
    if "depthwise_convolution_forward_cuda" not in dir(backend):
        pytest.skip("this TorchSparse is not the fork with a depthwise convolution")
    weight = torch.randn(size**dim, 8, generator=generator)
    check(depthwise, weight, torch.diag_embed, dim, generator, "cuda", 1e-4)


@dataclass
class SparseTensor:
    feats: torch.Tensor
    coords: torch.Tensor
    _caches: object = field(default_factory=object)


def add_up(tensor, weight, kernel_size, batch_first):
    """The sum over v(c + n), where n runs through the offsets with the first axis fastest."""
    order = [0, 1, 2, 3] if batch_first else [3, 0, 1, 2]
    coords = tensor.coords[:, order]
    assert coords.dtype == torch.int32
    assert coords.shape == (len(tensor.feats), 4)
    assert coords.min() >= 0
    x, y, z = (range(-(size // 2), size // 2 + 1) for size in kernel_size)
    offsets = torch.tensor([(0, i, j, k) for k, j, i in product(z, y, x)], dtype=torch.int32)
    seen = coords.unsqueeze(1) + offsets.unsqueeze(1).unsqueeze(1) == coords.unsqueeze(0).unsqueeze(
        2
    ).transpose(1, 2)
    return torch.einsum("kcy,yi,kio->co", seen.all(-1).float(), tensor.feats, weight)


@pytest.fixture
def install(monkeypatch):
    """Install a stand-in of some version, with or without a depthwise convolution."""

    def install(version, depthwise=True):
        def conv3d(input, weight, kernel_size, *, config, training):
            assert isinstance(input._caches, Cache)
            assert config == {
                "dataflow": "implicit",
                "kmap_mode": "hashmap_on_the_fly",
                "ifsort": False,
            }
            assert training == (input.feats.requires_grad or weight.requires_grad)
            return SparseTensor(add_up(input, weight, kernel_size, True), input.coords)

        def conv3d_of_the_fork(input, weight, kernel_size, *, depthwise):
            assert depthwise
            assert weight.shape[1] == 1
            matrices = torch.diag_embed(weight.squeeze(1))
            return SparseTensor(add_up(input, matrices, kernel_size, False), input.coords)

        class Cache:
            pass

        shared = {"dataflow": "of the user", "ifsort": True}
        contents = {
            "torchsparse": {"SparseTensor": SparseTensor},
            "torchsparse.utils": {},
            "torchsparse.utils.tensor_cache": {"TensorCache": Cache},
            "torchsparse.backend": {"depthwise_convolution_forward_cuda": None}
            if depthwise
            else {},
            "torchsparse.nn": {},
            "torchsparse.nn.functional": {
                "conv3d": conv3d if version.startswith("2.1") else conv3d_of_the_fork,
                "conv_config": SimpleNamespace(get_default_conv_config=lambda: shared),
                "Dataflow": SimpleNamespace(ImplicitGEMM="implicit"),
            },
        }
        for name, names in contents.items():
            module = ModuleType(name)
            vars(module).update(names)
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(torchsparse_kernels, "available", lambda: version)
        monkeypatch.setattr(torchsparse_kernels, "DEVICE", "cpu")
        return shared

    return install


@CASES
def test_matrices_by_the_stand_in(dim, size, generator, install):
    shared = install("2.1.0+torch24cu121")
    weight = torch.randn(size**dim, 2, 3, generator=generator)
    check(convolve, weight, torch.Tensor.clone, dim, generator, "cpu", 1e-5)
    assert shared == {"dataflow": "of the user", "ifsort": True}


@CASES
def test_channel_by_channel_by_the_stand_in(dim, size, generator, install):
    install("2.0.0b0")
    weight = torch.randn(size**dim, 2, generator=generator)
    check(depthwise, weight, torch.diag_embed, dim, generator, "cpu", 1e-5)


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
