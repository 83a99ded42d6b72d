"""Kernels are run by the OpenMP that torch brought, whatever else a process has loaded."""

import sys
from pathlib import Path

import pytest
import torch

from inftydiff.operators.local import _thread_pool as thread_pool

HOME = Path("/my environment/lib/python3.12/site-packages/torch")
SITE = HOME.parent
SYSTEM = "/usr/lib/x86_64-linux-gnu/libgomp.so.1.0.0"
OTHERS = f"{SITE}/scikit_learn.libs/libgomp-a34b3233.so.1.0.0"


def maps(*paths: str) -> str:
    """Three stretches of memory a library, among others that have no name."""
    lines = ["55d0c0a00000-55d0c0a21000 rw-p 00000000 00:00 0", "7f00 r-xp 00000000 00:00 0 [vdso]"]
    for path in (*paths, f"{HOME}/lib/libtorch_cpu.so", "/opt/libgomp/other.so"):
        lines += [f"7f1c{i}000-7f1c{i}fff r-xp 00000000 08:01 26{i}   {path}" for i in range(3)]
    return "\n".join(lines)


@pytest.mark.parametrize("own", [f"{HOME}/lib/libgomp.so.1", f"{SITE}/torch.libs/libgomp-98.so.1"])
def test_torch_s_own_comes_first_and_another_package_s_last(own):
    for loaded in ([OTHERS, SYSTEM, own], [own, OTHERS, SYSTEM]):
        assert thread_pool._libraries(maps(*loaded), HOME) == [own, SYSTEM, OTHERS]


def test_without_torch_s_own():
    assert thread_pool._libraries(maps(OTHERS, SYSTEM), HOME) == [SYSTEM, OTHERS]
    assert thread_pool._libraries(maps(), HOME) == []


def test_a_path_with_spaces_is_whole():
    path = f"{HOME}/lib/libgomp.so.1"
    assert " " in path
    assert thread_pool._libraries(maps(path), HOME) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is loaded")
def test_what_is_loaded_here():
    home = Path(torch.__file__).parent
    brought = {str(path) for path in home.glob("lib/libgomp*")}
    loaded = thread_pool._libraries(Path("/proc/self/maps").read_text(), home)
    assert all(Path(path).exists() for path in loaded)
    if not brought.isdisjoint(loaded):
        assert loaded[0] in brought
