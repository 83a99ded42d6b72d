"""The figures in the README are those that the benchmarks have written."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def figures(name: str) -> dict:
    """What a benchmark has written."""
    return json.loads((ROOT / "docs" / "_figures" / f"{name}.json").read_text(encoding="utf-8"))


def of_faces() -> str:
    kernel = figures("faces_64")["scores"]["pictures"]["kernel"]
    return f"{kernel['value']:.3f} [{kernel['low']:.3f}, {kernel['high']:.3f}]"


def of_solvers() -> str:
    found = figures("solvers")
    rough, calls = found["distances"]["rough"], found["calls"].index(15)
    return f"{rough['UniPC 3']['log_snr'][calls]:.3f}, and {rough['DDIM']['uniform'][calls]:.3f}"


def of_posteriors() -> str:
    wanted = ("moment matching", "sensors", 32)
    (row,) = (
        row
        for row in figures("posterior")["rows"]
        if (row["method"], row["observation"], row["side"]) == wanted
    )
    return f"{row['mean']:.3%}, {row['variance']:.1%}".replace("%", " %")


def of_the_local_operator() -> str:
    times = figures("local_operator")["times"]["256"]
    return f"{times['dense'] / times['1/4']:.0f} times as fast"


@pytest.mark.parametrize("of", [of_faces, of_solvers, of_posteriors, of_the_local_operator])
def test_they_are_in_its_table(of):
    assert f"| {of()} |" in README


def test_the_fuzzer_found_nothing():
    found = figures("fuzz")
    tried, row = (
        found["tried"],
        next(line for line in README.splitlines() if "hostile calls" in line),
    )
    assert not any(found["found"].values())
    for count, what in (("calls", "hostile calls"), ("files", "files"), ("commands", "command")):
        assert f"{tried[count]:,} {what}" in row
