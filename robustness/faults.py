"""Make faults, and see that nothing is lost by them: kills, full disks, links, truncation, signals.

    python -m robustness.faults                         all of it, some 15 minutes on two cores
    python -m robustness.faults --quick                 a part, about two minutes
    python -m robustness.faults --only links,disks      some kinds
    python -m robustness.faults --only kills --case 37  one case again

Every command that writes or reads for long runs on tiny data while something goes wrong, in
processes that are forked from one that has imported everything. Afterwards every file that was good
is old or new, and whole; what was said are words; links have not been followed; and the same call
goes on. The cases follow from the seed. The last line is the total, and the exit status 1 unless
nothing was found.
"""

import argparse
import dataclasses
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from robustness.faults_bench import Bench, Lacking
from robustness.faults_company import company
from robustness.faults_disks import disk, error
from robustness.faults_kills import kill
from robustness.faults_links import link
from robustness.faults_run import Children
from robustness.faults_truncations import truncation
from robustness.faults_verdict import COUNTED

__all__ = ["main"]

KINDS: dict[str, tuple[Callable[[Bench, int], None], str, int, int]] = {
    "kills": (kill, "kills", 200, 16),
    "disks": (disk, "full disks", 60, 8),
    "errors": (error, "errors of the system", 40, 6),
    "links": (link, "links", 80, 12),
    "truncations": (truncation, "truncations", 40, 8),
    "company": (company, "shared folders and closed streams", 12, 4),
}
"""Of each kind: one case, its name, how many by default and how many quickly."""


def main(argv: Sequence[str] | None = None) -> int:
    """Make the faults, print what was found, and return the exit status."""
    args = _arguments().parse_args(argv)
    only = args.only.split(",") if args.only else list(KINDS)
    if unknown := set(only) - KINDS.keys():
        print(f"--only takes {', '.join(KINDS)}; got {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    if not sys.platform.startswith("linux"):
        print("faults: skipped, as these faults are made by Linux alone")
        return 0
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    scratch.chmod(0o755)
    tree = "" if args.tree == _here() else f" --tree {args.tree}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # disks are unmounted
    children = Children(args.tree, scratch)
    bench = Bench(children, scratch, args.seed, tree, args.keep)
    began, done = time.monotonic(), Counter[str]()
    try:
        bench.make()
        print(f"made in {time.monotonic() - began:.0f} s; faults of seed {args.seed}", flush=True)
        for kind in only:
            count = getattr(args, kind)
            count = KINDS[kind][3 if args.quick else 2] if count is None else count
            for number in range(count) if args.case is None else [args.case]:
                seen = len(bench.findings)
                try:
                    KINDS[kind][0](bench, number)
                except Lacking as lacking:
                    bench.skipped.append(str(lacking))
                    continue
                done[kind] += 1
                for found in bench.findings[seen:]:
                    _tell(found)
    finally:
        children.close()
        if args.keep:
            print(f"kept in {scratch}")
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    counted = Counter(found.counted for found in bench.findings)
    made = ", ".join(f"{done[kind]} {KINDS[kind][1]}" for kind in KINDS if done[kind])
    zeros = ", ".join(f"{counted[key]} {name}" for key, name in COUNTED.items())
    total = f"faults: {made}: {zeros}"
    _write(args, bench, done, counted, total, time.monotonic() - began)
    for words, times in Counter(bench.skipped).items():
        print(f"skipped {times}: {words}")
    print(total)
    return 1 if counted else 0


def _tell(found: object) -> None:
    """Print a finding on one line."""
    record = dataclasses.asdict(found)  # type: ignore[call-overload]
    print("{counted}: {target}, {fault}: {what}  [{kind} {number}]".format(**record), flush=True)


def _write(
    args: argparse.Namespace,
    bench: Bench,
    done: Counter[str],
    counted: Counter[str],
    total: str,
    took: float,
) -> None:
    """Write the findings and the numbers, where they are asked for."""
    if args.report:
        records = [dataclasses.asdict(found) for found in bench.findings]
        args.report.write_text(json.dumps(records, indent=2) + "\n", encoding="utf-8")
    if args.save:
        numbers = {
            "total": total,
            "seed": args.seed,
            "faults": {KINDS[kind][1]: count for kind, count in done.items()},
            "found": {name: counted[key] for key, name in COUNTED.items()},
            "skipped": len(bench.skipped),
            "seconds": round(took),
            "machine": {
                "cores": os.cpu_count(),
                "processor": _processor(),
                "system": platform.system(),
                "python": platform.python_version(),
                "torch": version("torch"),
            },
        }
        args.save.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")


def _processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _here() -> Path:
    """The tree that this file lies in."""
    return Path(__file__).resolve().parents[1]


def _arguments() -> argparse.ArgumentParser:
    """The words of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m robustness.faults", description="Make faults, and see what is lost."
    )
    parser.add_argument("--tree", type=lambda text: Path(text).resolve(), default=_here())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="a part of the cases, for CI")
    parser.add_argument("--only", default="", help=f"some of {','.join(KINDS)}")
    parser.add_argument("--case", type=int, help="one case of the kinds")
    parser.add_argument("--keep", action="store_true", help="leave the folders of findings")
    parser.add_argument("--report", type=Path, help="a JSON file of all that was found")
    parser.add_argument("--save", type=Path, help="a JSON file of the numbers and the machine")
    for kind, (_, name, count, quick) in KINDS.items():
        parser.add_argument(f"--{kind}", type=int, help=f"{name}; {count}, or {quick} quickly")
    return parser


if __name__ == "__main__":
    sys.exit(main())
