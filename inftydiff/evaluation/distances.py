r"""Distances between two sets of features: Fréchet's, and an unbiased kernel distance.

With means :math:`\mu` and covariances :math:`C` of the two sets the *Fréchet distance* is the
squared 2-Wasserstein distance of the Gaussians that have them,

.. math::

    |\mu_a - \mu_b|^2 + \operatorname{tr} C_a + \operatorname{tr} C_b
    - 2\operatorname{tr}\,(C_a^{1/2} C_b C_a^{1/2})^{1/2},

and the last trace is the nuclear norm :math:`\lVert A B^\top \rVert_*` of the centred features
:math:`A, B` over :math:`\sqrt{(n-1)(m-1)}`: no root of a matrix is taken, and rank-deficient
covariances (fewer pictures than features) are no special case. It is biased: two sets of one law
are apart, the more so the smaller they are.

The *kernel distance* is the unbiased estimate of the squared maximum mean discrepancy,

.. math::

    \frac{1}{n(n-1)}\sum_{i\ne j} k(a_i, a_j) + \frac{1}{m(m-1)}\sum_{i\ne j} k(b_i, b_j)
    - \frac{2}{nm}\sum_{ij} k(a_i, b_j), \qquad k(x, y) = (x\cdot y/d + 1)^3,

whose mean does not depend on the numbers of pictures; it is zero for two sets of one law, so that
single values may be negative.

Both take counts, how often each row is in its set, from which bootstrap resamples are computed
without copying features. A row's pairs with its own copies are left out of the kernel distance.

References:
    Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", NeurIPS 2017; Bińkowski et al., "Demystifying MMD GANs", ICLR 2018.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import check_finite, floating

__all__ = ["frechet_distance", "kernel_distance", "weighted_frechet", "weighted_kernel"]

ROWS = 2048
"""The number of rows of a kernel's matrix held at a time."""


def frechet_distance(first: Float[Tensor, "n d"], second: Float[Tensor, "m d"]) -> float:
    """The Fréchet distance between two sets of features, in float64.

    Args:
        first: one row a picture.
        second: one row a picture, the same features.

    Raises:
        ValueError: if a set has fewer than two rows, the features differ in number, or a value is
            not finite.

    Example:
        >>> x = torch.tensor([[-1.0], [1.0]])
        >>> frechet_distance(x, x + 3.0)
        9.0
    """
    first, second = _checked(first, second)
    return weighted_frechet(first, second, _ones(first)[0], _ones(second)[0])


def kernel_distance(first: Float[Tensor, "n d"], second: Float[Tensor, "m d"]) -> float:
    """The unbiased kernel distance between two sets of features, in float64.

    Time grows with :math:`(n + m)^2 d`; memory with the rows.

    Args:
        first: one row a picture.
        second: one row a picture, the same features.

    Raises:
        ValueError: as :func:`frechet_distance`.

    Example:
        >>> zeros, ones = torch.zeros(3, 4), torch.ones(2, 4)
        >>> kernel_distance(zeros, ones)  # k(0, 0) + k(1, 1) - 2 k(0, 1) = 1 + 8 - 2
        7.0
    """
    first, second = _checked(first, second)
    return weighted_kernel(first, second, _ones(first), _ones(second)).item()


def weighted_frechet(
    first: Float[Tensor, "n d"],
    second: Float[Tensor, "m d"],
    first_counts: Float[Tensor, "n"],
    second_counts: Float[Tensor, "m"],
) -> float:
    """The Fréchet distance between sets in which rows are as often as their counts say."""
    a_mean, a = _mean_and_root(first, first_counts)
    b_mean, b = _mean_and_root(second, second_counts)
    between = (a_mean - b_mean).square().sum()
    overlap = torch.linalg.svdvals(a @ b.T).sum()
    return (between + a.square().sum() + b.square().sum() - 2.0 * overlap).item()


def weighted_kernel(
    first: Float[Tensor, "n d"],
    second: Float[Tensor, "m d"],
    first_counts: Float[Tensor, "sets n"],
    second_counts: Float[Tensor, "sets m"],
) -> Float[Tensor, "sets"]:
    """Kernel distances between many sets, in which rows are as often as their counts say."""
    across = _sums(first, second, first_counts, second_counts)
    pairs = first_counts.sum(1) * second_counts.sum(1)
    return _within(first, first_counts) + _within(second, second_counts) - 2.0 * across / pairs


def _within(x: Float[Tensor, "n d"], counts: Float[Tensor, "sets n"]) -> Float[Tensor, "sets"]:
    """The mean of the kernel over pairs of different rows."""
    squares = counts.square()
    diagonal = squares @ (x.square().sum(1) / x.shape[1] + 1.0) ** 3
    pairs = counts.sum(1).square() - squares.sum(1)
    return (_sums(x, x, counts, counts) - diagonal) / pairs


def _sums(
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    x_counts: Float[Tensor, "sets n"],
    y_counts: Float[Tensor, "sets m"],
) -> Float[Tensor, "sets"]:
    """The sums of the kernel over all pairs of a row of one set and a row of the other."""
    total = x.new_zeros(len(x_counts))
    for rows, counts in zip(x.split(ROWS), x_counts.split(ROWS, dim=1), strict=True):
        kernel = (rows @ y.T / x.shape[1] + 1.0) ** 3
        total += (counts @ kernel * y_counts).sum(1)
    return total


def _mean_and_root(
    x: Float[Tensor, "n d"], counts: Float[Tensor, "n"]
) -> tuple[Float[Tensor, "d"], Float[Tensor, "rows d"]]:
    """The mean of a set, and a matrix R of at most d rows with RᵀR its covariance."""
    total = counts.sum()
    mean = counts @ x / total
    kept = counts > 0
    root = (x[kept] - mean) * (counts[kept] / (total - 1.0)).sqrt()[:, None]
    if len(root) > x.shape[1]:
        root = torch.linalg.qr(root, mode="r").R
    return mean, root


def _ones(x: Float[Tensor, "n d"]) -> Float[Tensor, "1 n"]:
    """Every row once."""
    return x.new_ones(1, len(x))


def _checked(
    first: Float[Tensor, "n d"], second: Float[Tensor, "m e"]
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "m e"]]:
    """Both sets in float64, refused if they cannot be compared."""
    for x in (first, second):
        if floating(x, "Features").ndim != 2 or not x.shape[1]:
            raise ValueError(f"Features have the shape (pictures, features); got {tuple(x.shape)}.")
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"Both sets must have the same features; got {first.shape[1]} and {second.shape[1]} "
            "of them. Compute both with one network."
        )
    if min(len(first), len(second)) < 2:
        raise ValueError(
            f"A distance takes at least 2 pictures on either side; got {len(first)} and "
            f"{len(second)}."
        )
    return check_finite(first, "Features").double(), check_finite(second, "Features").double()
