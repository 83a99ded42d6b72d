"""The U-Net takes any image that halves once a level, and all of it depends on the time."""

import pytest
import torch
from networks import randomised

from inftydiff.models import UNet


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def unet(**keywords: object) -> UNet:
    return randomised(UNet(8, 4, **{"channel_multipliers": (1, 2), "head_dim": 8} | keywords))


@pytest.mark.parametrize(("h", "w"), [(4, 4), (2, 6), (10, 4)])
@pytest.mark.parametrize("attention", [(), (1,), (0, 1)])
def test_images_keep_their_size(h: int, w: int, attention: tuple[int, ...]):
    x = images(2, 8, h, w)
    assert unet(attention=attention)(x, images(2, 4)).shape == x.shape


def test_images_that_do_not_halve_are_refused():
    with pytest.raises(ValueError, match=r"sides divisible by 2; got \(4, 5\)"):
        unet()(images(1, 8, 4, 5), images(1, 4))


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"attention": (2,)}, r"level \[2\]; this U-Net has the levels 0 to 1"),
        ({"channel_multipliers": ()}, "at least one level"),
        ({"head_dim": 3}, "width 3 do not divide 16 channels"),
    ],
)
def test_unbuildable_networks_are_refused(keywords: dict[str, object], match: str):
    with pytest.raises(ValueError, match=match):
        UNet(8, 4, **{"channel_multipliers": (1, 2), "head_dim": 8} | keywords)


def test_every_modulation_reaches_the_answer():
    net, x = unet(attention=(1,)), images(1, 8, 4, 4)
    e = images(1, 4, seed=1).requires_grad_()
    net(x, e).square().sum().backward()
    modulations = [p for n, p in net.named_parameters() if "modulation" in n]
    assert len(modulations) == 12
    assert all(p.grad.abs().max() > 1e-9 for p in modulations)


def test_every_parameter_reaches_the_answer():
    net = unet(attention=(0, 1))
    net(images(1, 8, 4, 4), images(1, 4)).square().sum().backward()
    silent = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []


def test_the_memory_format_does_not_matter():
    net, x, e = unet(attention=(1,)), images(2, 8, 4, 6), images(2, 4)
    channels_last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(net(x, e), net(channels_last, e), rtol=1e-12, atol=1e-12)


def test_a_new_network_is_linear_and_ignores_the_time():
    net = UNet(8, 4, channel_multipliers=(1, 2), attention=(0, 1), head_dim=8).double()
    x, y, e = images(1, 8, 4, 4), images(1, 8, 4, 4, seed=1), images(1, 4)
    zero = net(0 * x, e)
    torch.testing.assert_close(net(x + y, e) - zero, net(x, e) + net(y, 0 * e) - 2 * zero)


@pytest.mark.parametrize("attends", [True, False])
def test_attention_alone_carries_one_cell_to_all(attends: bool):
    net, x, e = unet(channel_multipliers=(1,)), images(1, 8, 16, 16), images(1, 4)
    if not attends:
        net.descent.middle[0].attention = torch.nn.Identity()
    changed = x.clone()
    changed[0, 0, 0, 0] += 1.0
    moved = (net(changed, e) - net(x, e)).abs()[..., -1, -1].max()
    assert (moved > 1e-9) == attends
