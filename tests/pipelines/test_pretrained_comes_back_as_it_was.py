"""A saved model is loaded with its weights and configuration, and draws the same samples."""

import json
import subprocess
import sys

import pytest
import torch
from autoencoders import autoencoder, autoencoder_config, seeded
from networks import randomised
from safetensors import safe_open
from training_runs import run, same

from inftydiff.pipelines import InftyDiff, InftyDiffConfig, ModelCard, load_pipeline, preset
from inftydiff.pipelines._pretrained import is_pretrained


def single(model: InftyDiff) -> InftyDiff:
    return model.to(torch.float32)


def sampled(model: InftyDiff) -> torch.Tensor:
    return model.sample(on=model.grid(8), batch=2, generator=seeded(3)).values


@pytest.mark.thorough
@pytest.mark.parametrize("latents", [True, False])
def test_there_and_back(tmp_path, latents):
    plain = InftyDiff(preset("tiny", resolution=16))
    model = single(autoencoder(kl_weight=0.1) if latents else randomised(plain))
    folder = model.save_pretrained(tmp_path / "model")
    loaded = InftyDiff.from_pretrained(folder)
    assert same(model, loaded)
    assert loaded.config == model.config
    assert not loaded.training
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    assert torch.equal(sampled(model), sampled(loaded))
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_the_weights_are_no_part_of_the_file(tmp_path):
    model = single(autoencoder())
    loaded = InftyDiff.from_pretrained(model.save_pretrained(tmp_path))
    file = tmp_path / "model.safetensors"
    with file.open("r+b") as opened:
        opened.write(bytes(file.stat().st_size))
    assert same(model, loaded)
    assert all(weight.data_ptr() % 64 == 0 for weight in loaded.state_dict().values())


def test_the_configuration_is_that_of_the_json_form(tmp_path):
    model = single(autoencoder())
    text = (model.save_pretrained(tmp_path) / "config.json").read_text()
    assert InftyDiffConfig.from_json(text) == model.config
    assert json.loads(text)["version"] == 2


def test_a_loaded_model_trains(tmp_path):
    model = single(autoencoder())
    loaded = InftyDiff.from_pretrained(model.save_pretrained(tmp_path))
    x0 = loaded.start(on=loaded.grid(16), batch=1, generator=seeded())
    loaded.loss(x0, torch.tensor([0.5]), generator=seeded()).sum().backward()
    assert loaded.network.projection.weight.grad.abs().max() > 0.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_the_precision_is_half_the_size(tmp_path, dtype):
    model = single(autoencoder())
    whole, half = (
        (model.save_pretrained(tmp_path / str(d), dtype=d) / "model.safetensors")
        for d in (None, dtype)
    )
    with safe_open(half, framework="pt") as file:
        stored = {name: file.get_tensor(name).dtype for name in file.keys()}  # noqa: SIM118
    kept = {name for name, found in stored.items() if found == torch.float32}
    assert kept == {"prior.mean", "prior.spread"}
    assert half.stat().st_size < 0.7 * whole.stat().st_size
    loaded = InftyDiff.from_pretrained(half.parent)
    assert all(parameter.dtype == torch.float32 for parameter in loaded.parameters())
    assert torch.equal(loaded.prior.mean, model.prior.mean)
    for a, b in zip(loaded.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b.to(dtype).float())


def test_the_dtype_is_the_parameters(tmp_path):
    folder = autoencoder().save_pretrained(tmp_path)
    assert InftyDiff.from_pretrained(folder).network.projection.weight.dtype == torch.float32
    double = InftyDiff.from_pretrained(folder, dtype=torch.float64)
    assert same(double, autoencoder())
    half = InftyDiff.from_pretrained(folder, dtype=torch.bfloat16)
    assert half.network.projection.weight.dtype == torch.bfloat16
    assert half.prior.spread.dtype == torch.float32
    assert sampled(half).isfinite().all()


def test_a_model_saved_again_is_replaced_and_other_files_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    single(autoencoder(0)).save_pretrained(tmp_path)
    other = single(autoencoder(1))
    other.save_pretrained(tmp_path)
    assert same(InftyDiff.from_pretrained(tmp_path), other)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 4


def test_the_card_says_what_its_maker_says(tmp_path):
    card = ModelCard(
        name="faces-64",
        license="cc0-1.0",
        command="inftydiff train faces --minutes 60",
        credits=["Toon Head by Johan Melin, CC BY 4.0"],
        figures={"KID, N = 500": 0.15, "a | b": "c\nd"},
    )
    text = (single(autoencoder()).save_pretrained(tmp_path, card=card) / "README.md").read_text()
    front, body = text.split("---")[1], text.split("---", 2)[2]
    assert 'license: "cc0-1.0"' in front
    assert "library_name: inftydiff" in front
    for said in ("# faces-64", card.command, card.credits[0], "| KID, N = 500 | 0.15 |"):
        assert said in body
    assert "| a \\| b | c d |" in body
    count = sum(parameter.numel() for parameter in autoencoder().parameters())
    assert f"| parameters | {count:,} |" in body


def test_the_same_loader_takes_checkpoints_and_saved_models(tmp_path):
    trained = run(tmp_path / "run", max_steps=1)
    saved = trained.save_pretrained(tmp_path / "saved")
    assert same(load_pipeline(saved), load_pipeline(tmp_path / "run"))
    assert is_pretrained(saved)
    assert not is_pretrained(tmp_path / "run")
    assert not is_pretrained(tmp_path / "run" / "step-00000001")


def test_a_checkpoint_is_not_overwritten(tmp_path):
    trained = run(tmp_path / "run", max_steps=1)
    with pytest.raises(ValueError, match="not that of a saved model"):
        trained.save_pretrained(tmp_path / "run" / "step-00000001")


def test_what_is_stored_must_be_finite(tmp_path):
    model = single(autoencoder())
    with torch.no_grad():
        model.network.projection.bias[0] = 1e6
    with pytest.raises(ValueError, match=r"not finite: network\.projection\.bias"):
        model.save_pretrained(tmp_path / "model", dtype=torch.float16)
    assert not (tmp_path / "model").exists()


@pytest.mark.thorough
def test_folders_are_read_without_the_hub(tmp_path):
    folder = InftyDiff(autoencoder_config()).save_pretrained(tmp_path)
    code = (
        "import sys; sys.modules['huggingface_hub'] = None\n"
        "from inftydiff.pipelines import InftyDiff\n"
        "assert 'safetensors' not in sys.modules\n"
        f"print(InftyDiff.from_pretrained({str(folder)!r}).config.channels)\n"
        "try: InftyDiff.from_pretrained('nobody/nothing')\n"
        "except ModuleNotFoundError as error: print('inftydiff[train]' in str(error))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3", "True"]


def test_names_are_fetched_from_the_hub(tmp_path, monkeypatch):
    folder = single(autoencoder()).save_pretrained(tmp_path / "there")
    asked = {}

    def fetched(name, **keywords):
        asked.update(keywords, name=name)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    monkeypatch.chdir(tmp_path)
    keywords = {"revision": "v1", "token": "hf_…", "cache_dir": tmp_path, "local_files_only": True}
    loaded = InftyDiff.from_pretrained("someone/faces", **keywords)
    assert same(loaded, autoencoder().float())
    assert asked["name"] == "someone/faces"
    assert keywords.items() <= asked.items()
    assert not any(name.endswith((".bin", ".pt")) for name in asked["allow_patterns"])
    assert same(load_pipeline("someone/faces"), autoencoder().float())


def test_a_folder_goes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = single(autoencoder())
    model.save_pretrained("mine/model")
    assert same(InftyDiff.from_pretrained("mine/model"), model)
    with pytest.raises(ValueError, match="does not exist"):  # and is not looked for on the Hub
        InftyDiff.from_pretrained("mine/modell")
    with pytest.raises(ValueError, match="does not exist"):
        load_pipeline("mine/modell")
