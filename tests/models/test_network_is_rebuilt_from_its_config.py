"""A network is its configuration, which JSON can hold, and its parameters."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from networks import functions, grid_16, network, times

from inftydiff.models import MultiscaleConfig, MultiscaleNetwork, faces_64, tiny


@pytest.mark.parametrize("config", [faces_64(), tiny(), MultiscaleConfig()])
def test_json_keeps_a_config(config: MultiscaleConfig):
    assert MultiscaleConfig(**json.loads(json.dumps(asdict(config)))) == config


def test_a_rebuilt_network_answers_alike():
    net, x, t = network(), functions(grid_16), times()
    rebuilt = MultiscaleNetwork(MultiscaleConfig(**json.loads(json.dumps(asdict(net.config)))), 3)
    rebuilt.double().eval().load_state_dict(net.state_dict())
    assert torch.equal(rebuilt(x, t).values, net(x, t).values)


def test_a_copied_config_is_checked_again():
    with pytest.raises(ValueError, match="divisible by 2"):
        replace(tiny(), grid=(7, 8))
