"""The cases of the command that makes faults follow from their seed, and its words are checked."""

import pytest
from faults_toys import Bench

from robustness import faults
from robustness.faults_links import CASES, drawn
from robustness.faults_targets import TARGETS, target


def test_a_case_draws_the_same_again(tmp_path):
    def draws(seed: int) -> list[str]:
        bench = Bench(None, tmp_path, seed)
        cases = [bench.case("disks", number) for number in range(20)]
        return [bench.choose(case).name + str(case.draw.random()) for case in cases]

    assert draws(0) == draws(0)
    assert draws(0) != draws(1)
    assert len(set(draws(0))) == 20


def test_every_link_is_drawn_once():
    every = [drawn(3, number) for number in range(len(CASES))]
    assert sorted(every) == sorted(set(CASES))
    assert every != [drawn(4, number) for number in range(len(CASES))]
    assert {target(name).name for name, _, _ in every} <= {one.name for one in TARGETS}


def test_every_target_writes_into_its_trial(tmp_path):
    for one in TARGETS:
        job = one.job(tmp_path / "made", tmp_path / "trial")
        words = [*job.get("argv", []), *job.get("args", {}).values()]
        assert any(str(tmp_path / "trial") in word for word in words)


@pytest.mark.parametrize("words", [["--only", "nothing"], ["--only", "kills,,disks"]])
def test_unknown_kinds_are_refused(words, capsys):
    assert faults.main(words) == 2
    assert "--only takes kills, disks" in capsys.readouterr().err


def test_two_hundred_kills_are_tried():
    assert faults.KINDS["kills"][2] >= 200
