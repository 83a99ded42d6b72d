"""The Python blocks of the pages on processes and on extending run, one after the other."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.thorough
@pytest.mark.parametrize("page", ["processes", "solvers", "extending"])
def test_the_page_s_code_runs(page: str):
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    assert len(blocks) >= 2
    exec(compile("\n".join(blocks), f"<docs/{page}.md>", "exec"), {"__name__": page})
