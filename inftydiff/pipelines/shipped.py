"""The models whose weights are part of the package, by name."""

from pathlib import Path

__all__ = ["WEIGHTS_FOLDER", "shipped"]

WEIGHTS_FOLDER = Path(__file__).parent.parent / "weights"
"""One folder a model, as :mod:`inftydiff.pipelines.pretrained` writes it."""


def shipped() -> dict[str, Path]:
    """The names of the models that come with the package, and their folders.

    ``InftyDiff.from_pretrained`` and the commands take such a name where there is no file or folder
    of that name.

    Example:
        >>> sorted(shipped())
        ['faces-64', 'faces-64-two-stage']
    """
    return {card.parent.name: card.parent for card in sorted(WEIGHTS_FOLDER.glob("*/README.md"))}
