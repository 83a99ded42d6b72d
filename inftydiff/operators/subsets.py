r"""Random subsets of a grid: the coordinates that a training step sees.

Of :math:`N` points, :math:`m` are taken uniformly without replacement: each set of :math:`m` points
is equally likely, and each point is taken with probability :math:`m/N`. The samples of a batch are
independent.
"""

import torch

from inftydiff._typing import check_size, generator_for, whole
from inftydiff.operators.discretisation import Grid, Subset, require_grid

__all__ = ["random_subset"]


def random_subset(
    grid: Grid, size: int, *, batch: int | None = None, generator: torch.Generator
) -> Subset:
    """Some points of a grid, drawn uniformly without replacement.

    Args:
        grid: the grid to take the points from.
        size: the number of points of one sample.
        batch: the number of samples, each with its own points; by default all share one set.
        generator: the source of randomness; the subset lives on its device.

    Returns:
        A subset whose index, of shape ``(points,)`` or ``(batch, points)``, ascends: the points are
        in row-major order. The first samples of a larger batch are those of a smaller one.

    Raises:
        ValueError: if the size or the batch is not a whole number of at least one, or the size is
            larger than the grid.
        TypeError: if the generator is not a ``torch.Generator``, or the grid no Grid.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> subset = random_subset(Grid((8, 8)), 16, batch=4, generator=g)
        >>> tuple(subset.index.shape), bool((subset.index.diff(dim=-1) > 0).all())
        ((4, 16), True)
    """
    require_grid(grid, "The grid of a random subset")
    size = whole(size, "The size of a random subset")
    samples = 1 if batch is None else whole(batch, "The batch of a random subset")
    if size > grid.size:
        raise ValueError(
            f"A subset cannot be larger than its grid: asked for {size} points of {grid.size}. "
            "Take fewer points, or a finer grid."
        )
    generator_for(generator, "random_subset")
    check_size(samples * grid.size, "The points of all samples")
    taken = torch.zeros(samples, grid.size, dtype=torch.bool, device=generator.device)
    for sample in taken:
        sample[torch.randperm(grid.size, generator=generator, device=generator.device)[:size]] = (
            True
        )
    index = taken.nonzero()[:, 1].reshape(samples, size)
    return Subset(grid, index[0] if batch is None else index)
