"""Mutations of saved weights, and of the settings and the digests beside them."""

import json
import random
import struct
from pathlib import Path
from typing import Any

import torch

from robustness.fuzz_mutations import Mutation, Unfit, resigned, safetensors_of

__all__ = ["WEIGHTS"]


def header(draw: random.Random, folder: Path, file: Path) -> str:
    """Change what the header of a file of safetensors says."""
    record, data = safetensors_of(file)
    names = [name for name in record if name != "__metadata__"]
    name = draw.choice(names)
    how = draw.choice(
        ["shape", "dtype", "offsets", "missing", "extra", "metadata", "length", "wide", "negative"]
    )
    entry = dict(record[name])
    if how == "shape":
        entry["shape"] = draw.choice([[], [0], [1, *entry["shape"]], [2**62, 2**62], ["a"], None])
    elif how == "wide":
        entry["shape"] = [20000, 20000]
    elif how == "negative":
        entry["shape"] = [-1]
    elif how == "dtype":
        entry["dtype"] = draw.choice(["I64", "F16", "BOOL", "X", None, "F64"])
    elif how == "offsets":
        entry["data_offsets"] = draw.choice([[0, 2**40], [-4, 4], [4, 0], [0], None, [0, 4]])
    record = {**record, name: entry}
    if how == "missing":
        del record[name]
    if how == "extra":
        record["../x"] = {"dtype": "F32", "shape": [0], "data_offsets": [len(data), len(data)]}
    if how == "metadata":
        record["__metadata__"] = draw.choice(
            [{"format": "pt"}, {"sha256": "0" * 64}, {"a": 1}, None]
        )
    text = json.dumps(record).encode()
    size = len(text)
    if how == "length":
        size = draw.choice([0, 1, 2**63, 2**40, len(text) - 1])
    file.write_bytes(struct.pack("<Q", size) + text + data)
    if draw.random() < 0.5:
        resigned(folder)
    return f"{how} of {name} in its header"


def weights(draw: random.Random, folder: Path, file: Path) -> str:
    """Save other weights, with the right digests: not finite, of another type, of another shape."""
    from safetensors.torch import load_file, save_file

    if file.suffix != ".safetensors":
        raise Unfit
    tensors = load_file(file)
    how = draw.choice(
        [
            "nan",
            "inf",
            "int64",
            "bool",
            "half",
            "float64",
            "loud",
            "wide",
            "none",
            "renamed",
            "complex",
        ]
    )
    names = [name for name in sorted(tensors) if tensors[name].is_floating_point()]
    name = draw.choice(names)
    changed: Any = {
        "nan": lambda v: torch.full_like(v, torch.nan),
        "inf": lambda v: torch.full_like(v, torch.inf),
        "int64": lambda v: v.long(),
        "bool": lambda v: v.bool(),
        "half": lambda v: v.half(),
        "float64": lambda v: v.double(),
        "loud": lambda v: torch.full_like(v, 1e37),
        "wide": lambda v: torch.zeros(*v.shape, 2),
        "complex": lambda v: v + 0j,
    }.get(how, lambda v: v)
    every = how in ("int64", "half", "float64") and draw.random() < 0.5
    for one in names if every else [name]:
        tensors[one] = changed(tensors[one]).contiguous()
    if how == "none":
        del tensors[name]
    if how == "renamed":
        tensors[f"_orig_mod.{name}"] = tensors.pop(name)
    save_file(tensors, file, metadata=_metadata(file))
    resigned(folder)
    return f"{how} weights in {'all' if every else name}"


def wide_config(draw: random.Random, folder: Path, file: Path) -> str:
    """State a network that is much larger than the weights beside it, without digests."""
    configs = sorted(folder.rglob("config.json"))
    if not configs:
        raise Unfit
    config = configs[-1] if draw.random() < 0.7 else draw.choice(configs)
    record = json.loads(config.read_text())
    network = record.get("pipeline", record)["network"]
    key, value = draw.choice(
        [("local_blocks", 10**9), ("width", 20000), ("grid_channels", 20000), ("blocks_per_level",
         10**8),
         ("grid", [10**6, 10**6]), ("kernel_size", 10**6 + 1), ("embedding", 10**7), ("channels",
          10**7),
         ("channel_multipliers", [1] * 10**5), ("latent", 10**8), ("attention", list(range(10**5))),
          ("head_dim", 10**9),
         ("cell", 1e-9)]
    )  # fmt: skip
    outside = key in ("channels", "latent") and record.get("version") != 1
    (record.get("pipeline", record) if outside else network)[key] = value
    config.write_text(json.dumps(record))
    resigned(folder)
    return f"config.json with {key} = {str(value)[:20]}"


def _metadata(file: Path) -> dict[str, str] | None:
    return safetensors_of(file)[0].get("__metadata__")


WEIGHTS: tuple[Mutation, ...] = (header, weights, weights, wide_config)
