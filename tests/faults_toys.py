"""A toy package whose commands write well or badly, for tests of the command that makes faults."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the package ``robustness`` lies

from robustness.faults_bench import Bench, Reference
from robustness.faults_run import Children
from robustness.faults_targets import Target
from robustness.faults_verdict import snapshot

__all__ = ["NEW", "Bench", "Children", "Target", "bench", "toy"]

NEW = b"[1, 2, 3]"

COMMANDS = '''
"""Commands that replace a file: badly, in place, or well, beside it and renamed."""
import os
import signal
import sys
import time
from pathlib import Path


def main(argv):
    how, file = argv[0], Path(argv[1])
    if how == "sleep":
        time.sleep(60)
    if how == "raise":
        raise RuntimeError("an error that no one expects")
    if how == "silent":
        return 0
    try:
        if how == "bad":
            with open(file, "wb") as opened:
                opened.write(b"[1, 2")
                opened.flush()
                os.fsync(opened.fileno())
                opened.write(b", 3]")
        else:
            partial = file.with_suffix(".partial")
            try:
                with open(partial, "wb") as opened:
                    opened.write(b"[1, 2, 3]")
                os.replace(partial, file)
            finally:
                partial.unlink(missing_ok=True)
    except OSError as error:
        print(f"inftydiff: {file} cannot be written: {error.strerror}", file=sys.stderr)
        return 2
    return 0
'''


def toy(folder: Path) -> Path:
    """Write the toy package into a folder, and return that."""
    package = folder / "inftydiff" / "cli"
    package.mkdir(parents=True)
    (folder / "inftydiff" / "__init__.py").write_text("", encoding="utf-8")
    (package / "__init__.py").write_text(COMMANDS, encoding="utf-8")
    (package / "__main__.py").write_text(
        "import sys\nfrom inftydiff.cli import main\nsys.exit(main(sys.argv[1:]))\n", "utf-8"
    )
    return folder


def bench(children: Children, scratch: Path, how: str) -> tuple[Bench, Target]:
    """A bench with one target, a command of the toy package that replaces a good file."""
    made = Bench(children, scratch, seed=0)
    old = made.fixture / "before"
    old.mkdir(parents=True)
    (old / "a.json").write_text("[4]", encoding="utf-8")
    chosen = Target(how, f"{how} {{T}}/place/a.json", copies=(("before", "place"),))
    new = scratch / "new" / "place"
    new.mkdir(parents=True)
    (new / "a.json").write_bytes(NEW)
    counts = {"create": 1, "any": 3, "fsync": 1}
    made.references[how] = Reference(counts, 0.1, snapshot(new.parent), 4096)
    return made, chosen
