"""A component of another installed package is imported when its kind is chosen, and not before."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from plugged import NETWORK, install

from inftydiff._components import find, from_record, installed, kind_of, to_record
from inftydiff.models import NetworkConfig, tiny
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, preset
from inftydiff.processes import ProcessConfig, Schedule, WhiteProcess

MODULES = ("plugin_a", "plugin_b", "plugin_inner")


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch):
    """Plug-ins of a test are none of the next one."""
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in MODULES:
        sys.modules.pop(name, None)


def with_network(network) -> InftyDiffConfig:
    return replace(preset("tiny", resolution=16), network=network)


def record_of(kind: str, **fields) -> str:
    record = json.loads(preset("tiny", resolution=16).to_json())
    return json.dumps(record | {"network": {"kind": kind, **fields}})


def test_a_plugin_is_imported_when_its_kind_is_chosen(monkeypatch, tmp_path):
    points = {"affine": "plugin_a:AffineConfig", "other": "plugin_b:Other"}
    install(monkeypatch, tmp_path, points, plugin_a=NETWORK, plugin_b="raise OSError('never')")
    there = [point.name for point in installed()]
    assert [name for name in there if name in points] == ["affine", "other"]
    assert InftyDiffConfig.from_json(preset("tiny", resolution=16).to_json())
    assert kind_of(tiny()) == "multiscale"
    assert kind_of(object()) is None
    with pytest.raises(ValueError, match="of the kind 'affin'; the nearest is 'affine'"):
        find("network", "affin")
    assert not sys.modules.keys() & set(MODULES)

    config = InftyDiffConfig.from_json(record_of("affine", width=5))
    assert type(config.network).__name__ == "AffineConfig"
    assert config.network.width == 5
    assert sys.modules.keys() & set(MODULES) == {"plugin_a"}
    assert kind_of(config.network) == "affine"
    assert json.loads(config.to_json())["network"] == {"kind": "affine", "width": 5}
    assert InftyDiffConfig.from_json(config.to_json()) == config
    assert sys.modules.keys() & set(MODULES) == {"plugin_a"}


def test_a_model_of_a_plugin_is_saved_and_loaded(monkeypatch, tmp_path):
    points = {"affine": "plugin_a:AffineConfig"}
    install(monkeypatch, tmp_path / "site", points, plugin_a=NETWORK)
    config = with_network(find("network", "affine")(width=4))
    model = InftyDiff(config).eval()
    model.save_pretrained(tmp_path / "model")
    loaded = InftyDiff.from_pretrained(tmp_path / "model")
    assert loaded.config == config
    draw = {"on": model.grid(8), "seeds": [3, 4], "times": torch.tensor([1.0, 0.5, 0.0])}
    assert torch.equal(loaded.sample(**draw).values, model.sample(**draw).values)

    monkeypatch.undo()
    sys.modules.pop("plugin_a")
    with pytest.raises(ValueError, match="'affine'.*or install the package that it comes from"):
        InftyDiff.from_pretrained(tmp_path / "model")


def test_a_new_process_finds_it(monkeypatch, tmp_path):
    points = {"affine": "plugin_a:AffineConfig"}
    install(monkeypatch, tmp_path, points, plugin_a=NETWORK)
    program = (
        "import sys\n"
        "from inftydiff.pipelines import InftyDiff, InftyDiffConfig\n"
        "assert 'plugin_a' not in sys.modules\n"
        "config = InftyDiffConfig.from_json(sys.stdin.read())\n"
        "print(type(InftyDiff(config).network).__module__, end='')\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=record_of("affine"),
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("plugin_a", "")


def test_a_kind_whose_plugin_is_not_installed_says_so():
    with pytest.raises(ValueError, match="of the kind 'fourier_net'") as error:
        InftyDiffConfig.from_json(record_of("fourier_net"))
    said = str(error.value)
    assert said.startswith("No network that is installed is of the kind 'fourier_net'")
    assert "Known are diffusers_unet, multiscale, neuraloperator_fno" in said
    assert "or install the package that it comes from: its entry point in the group" in said
    assert "'inftydiff.components'" in said


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import a_module_that_is_nowhere", "ModuleNotFoundError: No module named"),
        ("def", "SyntaxError: "),
        ("x = 1", "AttributeError: .*Config"),
        ("raise KeyError", "KeyError: "),
    ],
    ids=["raises", "lacks", "syntax", "without", "silent"],
)
def test_a_plugin_that_cannot_be_imported_is_one_error(monkeypatch, tmp_path, text, reason):
    install(monkeypatch, tmp_path, {"mine": "plugin_a:Config"}, plugin_a=text)
    said = f"component 'mine' of someones 1.2 cannot be imported from plugin_a:Config: {reason}"
    for _ in range(2):
        with pytest.raises(ValueError, match=said):
            InftyDiffConfig.from_json(record_of("mine"))
    assert InftyDiff(preset("tiny", resolution=16))  # what does without it is as it was


def test_a_broken_plugin_does_not_stop_another_of_a_like_name(monkeypatch, tmp_path):
    points = {"a_broken": "plugin_b:AffineConfig", "affine": "plugin_a:AffineConfig"}
    install(
        monkeypatch,
        tmp_path,
        points,
        plugin_a="from plugin_inner import AffineConfig",
        plugin_b="raise RuntimeError('broken')",
        plugin_inner=NETWORK,
    )
    config = InftyDiffConfig.from_json(record_of("affine"))
    assert kind_of(config.network) == "affine"
    assert InftyDiffConfig.from_json(config.to_json()) == config
    assert "plugin_b" not in sys.modules


def test_two_plugins_of_one_name_are_told_of(monkeypatch, tmp_path):
    points = {"affine": "plugin_a:AffineConfig"}
    install(monkeypatch, tmp_path / "a", points, plugin_a=NETWORK)
    points = {"affine": "plugin_b:AffineConfig"}
    install(monkeypatch, tmp_path / "b", points, package="anothers", plugin_b=NETWORK)
    with pytest.raises(ValueError, match="'affine' is given by someones 1.2 and anothers 1.2"):
        find("network", "affine")
    assert not sys.modules.keys() & set(MODULES)


def test_a_kind_of_the_package_is_the_package_s(monkeypatch, tmp_path):
    points = {"multiscale": "plugin_a:AffineConfig", "cosine": "plugin_a:AffineConfig"}
    install(monkeypatch, tmp_path, points, plugin_a=NETWORK)
    assert InftyDiffConfig.from_json(preset("tiny", resolution=16).to_json()).network.width
    assert find("network", "multiscale") is type(tiny())
    assert "plugin_a" not in sys.modules


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("class Config: pass", "frozen dataclass; got the class Config. Make it one"),
        (
            "from dataclasses import dataclass\n@dataclass\nclass Config: x: int = 1",
            "frozen dataclass, so that it is a value; Config is not frozen",
        ),
        ("def Config(): pass", "of someones 1.2 must be a frozen dataclass; got"),
        ("Config = 3", "of someones 1.2 must be a frozen dataclass; got"),
    ],
    ids=["class", "thawed", "function", "number"],
)
def test_a_plugin_is_a_frozen_dataclass(monkeypatch, tmp_path, text, said):
    install(monkeypatch, tmp_path, {"mine": "plugin_a:Config"}, plugin_a=text)
    with pytest.raises(ValueError, match=said):
        InftyDiffConfig.from_json(record_of("mine"))


@pytest.mark.parametrize("base", [Schedule, ProcessConfig])
def test_a_plugin_of_another_family_is_refused(monkeypatch, tmp_path, base):
    text = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass Config: pass"
    install(monkeypatch, tmp_path, {"mine": "plugin_a:Config"}, plugin_a=text)
    with pytest.raises(ValueError, match="'mine' makes a Config, which is none. Choose another"):
        from_record(base, {"kind": "mine"})


def test_fields_of_a_plugin_are_checked_as_those_of_the_package(monkeypatch, tmp_path):
    points = {"affine": "plugin_a:AffineConfig"}
    install(monkeypatch, tmp_path, points, plugin_a=NETWORK)
    with pytest.raises(ValueError, match="AffineConfig has no field 'widht'; .* 'width'"):
        from_record(NetworkConfig, {"kind": "affine", "widht": 3})
    with pytest.raises(ValueError, match="AffineConfig.width is an integer; got 'wide'"):
        from_record(NetworkConfig, {"kind": "affine", "width": "wide"})


def test_annotations_that_cannot_be_resolved_are_told_of(monkeypatch, tmp_path):
    text = NETWORK.replace("width: int", "width: 'Unknown'")
    install(monkeypatch, tmp_path, {"affine": "plugin_a:AffineConfig"}, plugin_a=text)
    with pytest.raises(ValueError, match="The annotations of AffineConfig .*Unknown"):
        from_record(NetworkConfig, {"kind": "affine", "width": 3})


def test_a_class_with_a_kind_of_its_own_is_found_by_that(monkeypatch, tmp_path):
    text = NETWORK.replace("@dataclass", "@component('network', 'linear_map')\n@dataclass")
    text = "from inftydiff._components import component\n" + text
    install(monkeypatch, tmp_path, {"affine": "plugin_a:AffineConfig"}, plugin_a=text)
    with pytest.raises(ValueError, match="'affine' .* is of the kind 'linear_map'"):
        find("network", "affine")


def test_a_schedule_of_a_plugin_is_a_part_of_a_process(monkeypatch, tmp_path):
    text = (
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Straight:\n"
        "    floor: float = 0.1\n"
        "    def alpha(self, t): return 1.0 - (1.0 - self.floor) * t\n"
        "    def sigma(self, t): return 1.0 * t\n"
    )
    install(monkeypatch, tmp_path, {"straight": "plugin_a:Straight"}, plugin_a=text)
    process = WhiteProcess(schedule=find("schedule", "straight")(0.2))
    record = to_record(process)
    assert record["schedule"] == {"kind": "straight", "floor": 0.2}
    assert from_record(ProcessConfig, record) == process
