r"""The cosine basis: eigenfunctions of the Laplacian on a reflecting box.

On :math:`[0, L]` the functions :math:`\varphi_0 = L^{-1/2}` and
:math:`\varphi_k(x) = (2/L)^{1/2}\cos(\pi k x/L)` are orthonormal in L², with
:math:`-\varphi_k'' = (\pi k/L)^2\varphi_k`. At the :math:`N` cell centres :math:`x_i = (i+½)L/N`
the first :math:`N` of them are orthonormal in the weighted inner product too, and
:math:`\sum_i \sqrt{L/N}\,\varphi_k(x_i)\,v_i` is the orthonormal cosine transform (DCT-II). Higher
modes fold back onto the lower ones: at the cell centres

.. math:: \varphi_N = 0, \qquad \varphi_{2N-k} = -\varphi_k, \qquad
          \varphi_{2N} = -\sqrt2\,\varphi_0, \qquad
          \varphi_{k + 4N} = \varphi_k \quad (k > 0).

The transforms cost :math:`O(N\log N)` an axis, for any length.

References:
    J. Makhoul, "A fast cosine transform in one and two dimensions", IEEE Trans. ASSP 28 (1980).
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "cosine_analysis",
    "cosine_modes",
    "cosine_synthesis",
    "eigenvalues",
    "fold",
    "fold_variance",
]


def cosine_analysis(
    values: Float[Tensor, "*shape"], axes: Sequence[int]
) -> Float[Tensor, "*shape"]:
    r"""The orthonormal cosine transform (DCT-II) along the given axes.

    Args:
        values: point values at cell centres; half precision is computed in float32.
        axes: the axes of space.

    Returns:
        Coefficients of the same shape and dtype, differentiable.

    Example:
        >>> cosine_analysis(torch.ones(4), [0]).abs()
        tensor([2., 0., 0., 0.])
    """
    result = _computable(values)
    for axis in axes:
        result = _analysis(result.movedim(axis, -1)).movedim(-1, axis)
    return result.to(values.dtype)


def cosine_synthesis(
    coefficients: Float[Tensor, "*shape"], axes: Sequence[int]
) -> Float[Tensor, "*shape"]:
    """The inverse, and the transpose, of :func:`cosine_analysis` (DCT-III).

    Example:
        >>> cosine_synthesis(torch.tensor([2.0, 0.0, 0.0, 0.0]), [0])
        tensor([1., 1., 1., 1.])
    """
    result = _computable(coefficients)
    for axis in axes:
        result = _synthesis(result.movedim(axis, -1)).movedim(-1, axis)
    return result.to(coefficients.dtype)


def eigenvalues(
    counts: Sequence[int], lengths: Sequence[float], device: torch.device | str | None = None
) -> Float[Tensor, "*modes"]:
    r"""The eigenvalues :math:`\sum_a (\pi k_a/L_a)^2`, of shape ``counts``, in float64."""
    total = torch.zeros((1,) * len(counts), dtype=torch.float64, device=device)
    for axis, (count, length) in enumerate(zip(counts, lengths, strict=True)):
        wave = torch.arange(count, dtype=torch.float64, device=device) * (math.pi / length)
        shape = [1] * len(counts)
        shape[axis] = count
        total = total + (wave**2).reshape(shape)
    return total


def cosine_modes(
    points: Float[Tensor, "*points"], count: int, length: float
) -> Float[Tensor, "*points modes"]:
    r"""The values :math:`\varphi_k(x_p)` for ``k < count``, of shape ``(*points, count)``."""
    k = torch.arange(count, dtype=points.dtype, device=points.device)
    values = torch.cos(points.unsqueeze(-1) * k * (math.pi / length)) * math.sqrt(2.0 / length)
    values[..., 0] = math.sqrt(1.0 / length)
    return values


def fold(coefficients: Float[Tensor, "*shape"], axis: int, count: int) -> Float[Tensor, "*folded"]:
    r"""The coefficients on a grid of ``count`` cells of a function with any number of modes.

    The function :math:`\sum_k c_k\varphi_k` and its folded form agree at the grid's cell centres.
    Missing modes are filled with zeros, modes from ``count`` on are folded in.

    Args:
        coefficients: the coefficients, with the modes along ``axis``.
        axis: the axis of the modes.
        count: the number of cells of the grid along that axis.

    Example:
        >>> fold(torch.tensor([1.0, 2.0, 5.0, 4.0]), 0, 2)
        tensor([ 1., -2.])
    """
    return _fold(coefficients, axis, count, power=1)


def fold_variance(
    variances: Float[Tensor, "*shape"], axis: int, count: int
) -> Float[Tensor, "*folded"]:
    r"""The variances of the folded coefficients, if the coefficients are independent.

    Args:
        variances: the variances of the coefficients, with the modes along ``axis``.
        axis: the axis of the modes.
        count: the number of cells of the grid along that axis.

    Example:
        >>> fold_variance(torch.ones(5), 0, 2)
        tensor([3., 2.])
    """
    return _fold(variances, axis, count, power=2)


def _fold(coefficients: Tensor, axis: int, count: int, power: int) -> Tensor:
    k = torch.arange(coefficients.shape[axis], device=coefficients.device)
    period, remainder = k // (2 * count), k % (2 * count)
    target = torch.where(remainder > count, 2 * count - remainder, remainder) % count
    weight = torch.where((period % 2 == 0) == (remainder < count), 1.0, -1.0).to(coefficients)
    weight = torch.where(remainder == count, 0.0, weight)
    weight = torch.where((target == 0) & (k > 0), weight * math.sqrt(2.0), weight) ** power
    moved = coefficients.movedim(axis, -1)
    folded = moved.new_zeros(*moved.shape[:-1], count).index_add(-1, target, moved * weight)
    return folded.movedim(-1, axis)


def _computable(values: Tensor) -> Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


def _twiddle(n: int, like: Tensor) -> Tensor:
    dtype = torch.complex128 if like.dtype == torch.float64 else torch.complex64
    k = torch.arange(n // 2 + 1, dtype=torch.float64, device=like.device)
    return torch.polar(torch.ones_like(k), -math.pi * k / (2 * n)).to(dtype)


def _scale(n: int, like: Tensor) -> Tensor:
    scale = torch.full((n,), math.sqrt(0.5 / n), dtype=like.dtype, device=like.device)
    scale[0] = math.sqrt(0.25 / n)
    return scale


def _analysis(x: Tensor) -> Tensor:
    n = x.shape[-1]
    shuffled = torch.cat([x[..., ::2], x[..., 1::2].flip(-1)], -1)
    half = 2.0 * torch.fft.rfft(shuffled) * _twiddle(n, x)
    upper = -half.imag[..., 1 : (n + 1) // 2].flip(-1)
    return torch.cat([half.real, upper], -1) * _scale(n, x)


def _synthesis(c: Tensor) -> Tensor:
    n = c.shape[-1]
    c = c / _scale(n, c)
    real = c[..., : n // 2 + 1]
    imag = torch.cat([torch.zeros_like(c[..., :1]), c[..., n - n // 2 :].flip(-1)], -1)
    half = 0.5 * torch.complex(real, -imag) * _twiddle(n, c).conj()
    shuffled = torch.fft.irfft(half, n=n)
    x = torch.empty_like(c)
    x[..., ::2] = shuffled[..., : (n + 1) // 2]
    x[..., 1::2] = shuffled[..., (n + 1) // 2 :].flip(-1)
    return x
