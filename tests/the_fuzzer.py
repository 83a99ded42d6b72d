"""The fuzzer's modules, which lie beside the package and not in it, for the tests of them."""

import sys
from pathlib import Path

__all__ = ["ROOT"]

ROOT = Path(__file__).resolve().parents[1]
"""The tree, of which ``robustness`` is a folder."""

if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
