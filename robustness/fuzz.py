"""Try every public callable, every kind of file and every command with what nobody meant them for.

From a clean clone, with the ``test`` extra installed::

    python -m robustness.fuzz                    # 20,000 calls, 2,000 files, 300 command lines
    python -m robustness.fuzz --quick            # a tenth of that, in about two minutes
    python -m robustness.fuzz --tree ../old      # the package of another tree
    python -m robustness.fuzz --only files:17    # one try again, with all that it found

*Calls* are good calls of all that is public, one or two of whose values are replaced by hostile
ones, and questions whose answer is known by a second route. *Files* are good ones of every kind
that the library reads, changed in one place. *Command lines* have hostile words, paths and
surroundings. Try number n of a seed is always the same.

A crash is any error outside the documented ones (see :mod:`robustness.fuzz_judge`), the end of the
process, or one that does not name the file. A hang is a try of over ten seconds, not counting those
in which the machine was busy elsewhere, or one that takes more than it is worth (two seconds and
500 MB for reading a model). A silent answer is one that is not finite, is cut off, or differs by
the route. The last line is the total, and the status is 1 unless nothing was found.

It runs on Linux, where a process can be forked, bounded and watched.
"""

import argparse
import json
import os
import platform
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from robustness.fuzz_findings import PARTS, Finding, Tally

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
FULL = {"calls": 20_000, "files": 2_000, "commands": 300}
QUICK = {"calls": 2_000, "files": 200, "commands": 30}

SHOWN = 40
"""The most groups of findings that are printed; the report has all."""


def main(argv: list[str] | None = None) -> int:
    """Fuzz, print the total, and return 1 if anything was found."""
    asked = _parsed(argv)
    if not sys.platform.startswith("linux"):
        print("fuzz: it watches its processes by /proc and runs on Linux; nothing was tried.")
        return 0
    usual = QUICK if asked.quick else FULL
    counts = {part: getattr(asked, part) for part in PARTS}
    counts = {part: usual[part] if n is None else n for part, n in counts.items()}
    if asked.only:
        part, _, number = asked.only.partition(":")
        numbers = {part: [int(number)]}
    else:
        numbers = {part: list(range(count)) for part, count in counts.items()}
    begun = time.monotonic()
    tally, facts = _fuzz(numbers, asked)
    facts |= {"seconds": round(time.monotonic() - begun), "seed": asked.seed}
    if asked.report:
        tally.report(asked.report, **facts)
    if asked.save:
        asked.save.write_text(json.dumps(_summary(tally, facts), indent=2) + "\n")
    _print(tally, facts, asked.only is not None)
    return int(bool(tally.findings))


def _parsed(argv: list[str] | None) -> argparse.Namespace:
    about = (__doc__ or "").split("\n\n")[0]
    parser = argparse.ArgumentParser(prog="python -m robustness.fuzz", description=about)
    for part in PARTS:
        parser.add_argument(f"--{part}", type=int, help=f"{FULL[part]}, or {QUICK[part]} if quick")
    parser.add_argument("--quick", action="store_true", help="fewer tries, for every change")
    parser.add_argument("--seed", type=int, default=0, help="of all choices")
    parser.add_argument("--minutes", type=float, default=60.0, help="end after so many")
    parser.add_argument("--processes", type=int, default=2, help="that make tries")
    parser.add_argument("--tree", type=Path, default=ROOT, help="the tree whose package is tried")
    parser.add_argument("--only", metavar="PART:NUMBER", help="make one try")
    parser.add_argument("--report", type=Path, help="write all findings to this JSON file")
    parser.add_argument("--save", type=Path, help="write the numbers to this JSON file")
    return parser.parse_args(argv)


def _fuzz(numbers: dict[str, list[int]], asked: argparse.Namespace) -> tuple[Tally, dict[str, Any]]:
    """Share the tries among processes, and gather what they find."""
    scratch = Path(tempfile.mkdtemp(prefix="inftydiff-fuzz-"))
    tally = Tally(dict.fromkeys(PARTS, 0))
    facts: dict[str, Any] = {}
    processes = 1 if asked.only else max(1, asked.processes)
    lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
    workers = []
    try:
        paths = _paths(scratch, asked.tree)
        for share in range(processes):
            record = {
                "seed": asked.seed,
                "scratch": str(scratch / str(share)),
                "tries": {part: some[share::processes] for part, some in numbers.items()},
                "until": time.time() + 60.0 * asked.minutes,
            }
            workers.append(_started(record, paths, scratch / f"{share}.log", lines))
        bar = _bar(sum(map(len, numbers.values())))
        living = processes
        while living:
            line = lines.get()
            if line is None:
                living -= 1
            elif "finding" in line:
                tally.add([Finding(**line["finding"])])
            elif "part" in line:
                tally.tried[line["part"]] += 1
                bar.update()
            else:
                facts = line
        bar.close()
        for share, worker in enumerate(workers):
            if worker.wait():
                said = (scratch / f"{share}.log").read_text(errors="replace")
                raise RuntimeError(f"A process of the fuzzer ended early:\n{said[-4000:]}")
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        shutil.rmtree(scratch, ignore_errors=True)
    return tally, facts


def _paths(scratch: Path, tree: Path) -> Path:
    """A folder with the package of a tree and this fuzzer, and nothing else of either tree."""
    folder = scratch / "path"
    folder.mkdir()
    package = tree.resolve() / "inftydiff"
    if not package.is_dir():
        raise SystemExit(f"fuzz: --tree is a folder with the package inftydiff; got {tree}.")
    (folder / "inftydiff").symlink_to(package)
    (folder / "robustness").symlink_to(Path(__file__).resolve().parent)
    return folder


def _started(
    record: dict[str, Any], paths: Path, log: Path, lines: "queue.Queue[dict[str, Any] | None]"
) -> "subprocess.Popen[str]":
    """A process that makes tries, whose lines go to a queue."""
    home = paths.parent / "home"
    home.mkdir(exist_ok=True)
    surroundings = {
        "PYTHONPATH": str(paths), "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"),
        "INFTYDIFF_CACHE": str(home / "faces"), "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg",
        "HF_HUB_OFFLINE": "1", "TMPDIR": str(paths.parent), "PYTHONHASHSEED": "0",
    }  # fmt: skip
    asked = log.with_suffix(".json")
    asked.write_text(json.dumps(record))
    with log.open("w") as errors:
        worker = subprocess.Popen(
            [sys.executable, "-m", "robustness.fuzz_worker", str(asked)],
            cwd=paths.parent, env={**os.environ, **surroundings}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
        )  # fmt: skip

    def read() -> None:
        assert worker.stdout is not None
        for line in worker.stdout:
            lines.put(json.loads(line))
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return worker


def _bar(count: int) -> Any:
    from tqdm import tqdm

    return tqdm(total=count, unit=" tries", disable=not sys.stderr.isatty())


def _summary(tally: Tally, facts: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a run, and the machine."""
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "total": tally.total,
        "tried": tally.tried,
        "found": tally.counts,
        "groups": len(tally.groups()),
        "callables": len(facts.get("surface", ())),
        "reached": len(facts.get("reached", ())),
        "seconds": facts.get("seconds"),
        "seed": facts.get("seed"),
        "machine": {
            "cores": os.cpu_count(),
            "processor": processor,
            "python": platform.python_version(),
            "torch": facts.get("torch"),
        },
    }


def _print(tally: Tally, facts: dict[str, Any], whole: bool) -> None:
    groups = tally.groups()
    for count, finding in groups[: None if whole else SHOWN]:
        width = None if whole else 160
        print(f"{finding.kind} x {count}: {finding.target}: {finding.argument[:width]}")
        print(f"    {finding.error[:width]}\n    {finding.reproduce[:width]}")
    if len(groups) > SHOWN and not whole:
        print(f"… and {len(groups) - SHOWN} more groups; --report FILE writes all.")
    surface, reached = facts.get("surface", []), facts.get("reached", {})
    missed = sorted(set(surface) - set(reached))
    print(f"{len(reached)} of {len(surface)} public callables are called by an example; not:")
    print(f"    {', '.join(missed) or 'none'}")
    print(tally.total, flush=True)


if __name__ == "__main__":
    sys.exit(main())
