"""Hold that built pages load nothing from elsewhere: ``python docs/offline.py docs/_build/html``.

Links may lead anywhere. Scripts, styles, fonts and pictures must lie beside the pages.
"""

import re
import sys
from pathlib import Path

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\ssrc=["'](?:https?:)?//[^"']+"""
    r"""|<link\b(?=[^>]*\brel=["'](?:stylesheet|preload|preconnect|icon|modulepreload))"""
    r"""[^>]*\bhref=["'](?:https?:)?//[^"']+"""
    r"""|@import\s+(?:url\()?["']?(?:https?:)?//[^"')]+"""
    r"""|url\(["']?(?:https?:)?//[^"')]+"""
)


def loaded(page: str) -> list[str]:
    """Return what a page or a style loads from elsewhere."""
    return [found[0] for found in LOADED.finditer(page)]


def main() -> None:
    """Name every place that loads something, and exit with 1 if there is one."""
    places = [
        f"{file}: {what[:120]}"
        for root in sys.argv[1:]
        for pattern in ("*.html", "*.css")
        for file in sorted(Path(root).rglob(pattern))
        for what in loaded(file.read_text(encoding="utf-8"))
    ]
    print(*places, sep="\n", end="\n" if places else "")
    sys.exit(bool(places))


if __name__ == "__main__":
    main()
