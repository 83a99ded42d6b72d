"""What the fuzzer has found is told in one line, and groups of one cause are told once."""

import json

import pytest
import the_fuzzer  # noqa: F401

from robustness.fuzz_findings import KINDS, Finding, Tally


def finding(kind="crash", target="f", error="ValueError at a.py:3: got 17.5", number=0) -> Finding:
    return Finding(kind, target, "x=None", error, f"again {number}", "calls", number)


def test_nothing_found():
    tally = Tally({"calls": 20_000, "files": 2_000, "commands": 300})
    assert tally.total == (
        "fuzz: 20000 calls, 2000 files, 300 command lines: 0 crashes, 0 hangs over 10 s, "
        "0 silent non-finite or truncated answers, 0 changed arguments, 0 followed links, "
        "0 lost files"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_counted(kind):
    tally = Tally({"calls": 1})
    tally.add([finding(kind), finding(kind)])
    assert f"2 {KINDS[kind]}" in tally.total
    assert sum(tally.counts.values()) == 2


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="kind is one of crash"):
        finding("oops")


def test_findings_of_one_cause_are_one_group(tmp_path):
    tally = Tally({"calls": 3})
    tally.add([finding(number=1), finding(error="ValueError at a.py:3: got -2e9", number=2)])
    tally.add([finding(error="KeyError at a.py:3: got 17.5"), finding(target="g")])
    assert [count for count, _ in tally.groups()] == [2, 1, 1]
    tally.report(tmp_path / "report.json", seed=0)
    record = json.loads((tmp_path / "report.json").read_text())
    assert record["total"] == tally.total
    assert len(record["findings"]) == 4
    assert {group["count"] for group in record["groups"]} == {1, 2}
