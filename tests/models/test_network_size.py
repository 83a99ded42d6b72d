"""The presets have the sizes they state, counted without allocating memory."""

import pytest
import torch

from inftydiff.models import MultiscaleConfig, MultiscaleNetwork, faces_64, tiny


@pytest.mark.parametrize(
    ("config", "least", "most"), [(faces_64(), 2e6, 2.5e6), (tiny(), 1e3, 5e4)]
)
def test_presets_have_the_parameters_they_state(
    config: MultiscaleConfig, least: float, most: float
):
    with torch.device("meta"):
        net = MultiscaleNetwork(config, 3)
    assert all(parameter.is_meta for parameter in net.parameters())
    assert least < sum(parameter.numel() for parameter in net.parameters()) < most


def test_a_local_block_has_a_kernel_for_each_channel_and_no_bias_to_it():
    with torch.device("meta"):
        shapes = {n: tuple(p.shape) for n, p in MultiscaleNetwork(faces_64(), 3).named_parameters()}
    assert shapes["gathering.blocks.0.kernel"] == (48, 7, 7)
    assert shapes["decoder.0.entry.weight"] == (48, 96)
    assert shapes["gathering.position"] == (32, 32, 32)
