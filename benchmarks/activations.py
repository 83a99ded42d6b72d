"""What a step of each preset keeps for its backward pass, as ``inftydiff info`` tells it.

Run it by ``python benchmarks/activations.py``: one picture of the preset's size, a quarter of its
points, single precision, on a CPU. The largest has 2 GB of weights, and takes a minute or more.
"""

import json
from pathlib import Path

import inftydiff.cli
from inftydiff.pipelines import PRESETS, preset
from inftydiff.training import activation_bytes

FILE = Path(inftydiff.cli.__file__).with_name("activations.json")


def main() -> None:
    """Count, print and write the bytes of every preset, with and without recomputation."""
    found = {}
    for name in PRESETS:
        config = preset(name)
        size = round(1 / config.network.cell)
        kept, less = (
            activation_bytes(config, size, gradient_checkpointing=wanted)
            for wanted in (False, True)
        )
        found[name] = {"size": size, "kept": kept, "recomputed": less}
        print(f"{name:16s} {size:4d}² {kept / 2**20:9.1f} MiB, recomputed {less / 2**20:9.1f} MiB")
    FILE.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
