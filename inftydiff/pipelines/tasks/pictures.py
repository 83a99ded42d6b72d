"""What tasks ask of the pictures that they are given."""

from inftydiff.operators import Function, Grid
from inftydiff.operators.discretisation import described
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks.grids import require_domain

__all__ = ["require_channels", "require_pictures"]


def require_pictures(model: InftyDiff, x: Function) -> Grid:
    """The grid of pictures, refusing what a model cannot take.

    Args:
        model: the model.
        x: pictures, values of shape ``(pictures, points, channels)``.

    Raises:
        TypeError: if they do not live on a grid.
        ValueError: if they live on another domain than the model's functions, have other channels,
            or there is not one axis of pictures.
    """
    if not isinstance(x.on, Grid):
        raise TypeError(
            f"A picture lives on a Grid; got a function on {described(x.on)}. Take from_sensors."
        )
    require_domain(model, x.on)
    require_channels(model, x)
    return x.on


def require_channels(model: InftyDiff, x: Function) -> None:
    """Refuse functions that have not the model's channels and one axis of pictures.

    Raises:
        ValueError: if so.
    """
    if len(x.batch) != 1 or x.channels != model.config.channels:
        raise ValueError(
            f"This model's functions have values of shape (pictures, points, "
            f"{model.config.channels}); got {tuple(x.values.shape)}."
        )
