"""Beginning with the weights of another model: what fits is taken, and the rest is named."""

from dataclasses import dataclass
from typing import final

import torch

from inftydiff._typing import instance
from inftydiff.pipelines import InftyDiff

__all__ = ["Taken", "take_weights"]

SHOWN = 6
"""The most names that a report lists."""


@final
@dataclass(frozen=True)
class Taken:
    """The names of the weights that were taken over, and of those that were not.

    Args:
        taken: the names of the weights that were taken.
        other: those that both models have in different shapes.
        new: those that the new model alone has.
        unused: those that the old model alone has.
    """

    taken: tuple[str, ...]
    other: tuple[str, ...]
    new: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.taken)} weights are taken."]
        for names, what in (
            (self.other, "of another shape begin anew"),
            (self.new, "that the model had not begin anew"),
            (self.unused, "are not wanted"),
        ):
            if names:
                more = "" if len(names) <= SHOWN else f" and {len(names) - SHOWN} more"
                lines.append(f"{len(names)} {what}: {', '.join(names[:SHOWN])}{more}.")
        return "\n".join(lines)


@torch.no_grad()
def take_weights(model: InftyDiff, source: InftyDiff) -> Taken:
    """Copy into a model the weights of another one that fit, by name and shape.

    Args:
        model: the model that is changed.
        source: the model that they come from.

    Returns:
        What was taken, and what was not.

    Raises:
        TypeError: if one is no model.
        ValueError: if nothing fits.

    Example:
        >>> from inftydiff.pipelines import preset
        >>> grey, colour = (InftyDiff(preset("tiny", channels=n)) for n in (1, 3))
        >>> take_weights(grey, colour).other
        ('network.gathering.lifting.weight', 'network.projection.bias', 'network.projection.weight')
    """
    instance(model, InftyDiff, "A model")
    instance(source, InftyDiff, "The model that weights are taken from")
    mine, theirs = model.state_dict(), source.state_dict()
    both = sorted(mine.keys() & theirs.keys())
    fits = tuple(name for name in both if mine[name].shape == theirs[name].shape)
    if not fits:
        raise ValueError(
            f"None of the {len(theirs)} weights fits: the networks are "
            f"{type(source.network).__name__} and {type(model.network).__name__}. Give a model "
            "of the same network, or none."
        )
    for name in fits:
        mine[name].copy_(theirs[name])
    return Taken(
        fits,
        tuple(name for name in both if name not in fits),
        tuple(sorted(mine.keys() - theirs.keys())),
        tuple(sorted(theirs.keys() - mine.keys())),
    )
