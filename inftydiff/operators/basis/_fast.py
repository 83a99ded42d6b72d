r"""The fast transforms: one real FFT of the same length, between two permutations.

The values :math:`x_i` are put in an order :math:`\pi`, some with their sign changed; their spectrum
is multiplied by factors :math:`f_k`; and the coefficients are its real and imaginary parts in an
order :math:`\rho`:

.. math:: y_j = ± x_{\pi(j)}, \qquad z_k = f_k \sum_j y_j\, e^{-2\pi i jk/N} \quad (k ≤ N/2), \qquad
          c_m = (\mathrm{Re}\,z_0, \mathrm{Im}\,z_0, \mathrm{Re}\,z_1, …)_{\rho(m)}.

For the cosine and the sine basis :math:`\pi` is Makhoul's: the even-numbered values, and the
odd-numbered ones backwards, here read from the other end, which conjugates the spectrum. Then
:math:`f_k = s_k e^{i\pi k/2N}` with :math:`s_0 = N^{-1/2}` and :math:`s_k = (2/N)^{1/2}` has the
orthonormal cosine coefficients (DCT-II) as :math:`c_k = \mathrm{Re}\,z_k` and
:math:`c_{N-k} = \mathrm{Im}\,z_k`. With the odd-numbered values negated they are the sine
coefficients (DST-II) in reverse, as :math:`\sin(\pi(N-k)(i+½)/N) = (-1)^i\cos(\pi k(i+½)/N)`.

References:
    J. Makhoul, "A fast cosine transform in one and two dimensions", IEEE Trans. ASSP 28 (1980).
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor

__all__ = ["FastTransform", "as_complex", "half_wave", "turns"]


@final
@dataclass(frozen=True, eq=False)
class FastTransform:
    r"""An orthogonal transform along the last axis, and its inverse.

    Args:
        places: where the coefficients are among the real and imaginary parts, :math:`\rho`.
        factors: what the spectrum is multiplied by, :math:`f_k`.
        inverse_factors: :math:`1/f_k`; at the wave :math:`N/2`, of whose two parts only one is a
            coefficient, the number that makes the spectrum of it.
        order: the order :math:`\pi` of the values; None if they stay as they are.
        negated: the first of the values, in that order, that change their sign, and their end.
    """

    places: Int[Tensor, "n"]
    factors: Complex[Tensor, "half"]
    inverse_factors: Complex[Tensor, "half"]
    order: Int[Tensor, "n"] | None = None
    negated: tuple[int, int] = (0, 0)

    def analysis(self, values: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """The coefficients of values in float32 or float64."""
        if self.order is not None:
            values = values.gather(-1, self.order.expand(values.shape))
            values[..., slice(*self.negated)].neg_()
        spectrum = torch.fft.rfft(values).mul_(self.factors)
        return torch.view_as_real(spectrum).flatten(-2).gather(-1, self.places.expand(values.shape))

    def synthesis(self, coefficients: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """The values of coefficients in float32 or float64."""
        batch, n = coefficients.shape[:-1], coefficients.shape[-1]
        numbers = self.places.new_zeros(2 * len(self.factors))
        present = coefficients.new_zeros(numbers.shape).index_fill_(0, self.places, 1.0)
        numbers[self.places] = torch.arange(n, device=numbers.device)
        parts = coefficients.gather(-1, numbers.expand(*batch, -1)).mul_(present)
        spectrum = torch.view_as_complex(parts.unflatten(-1, (-1, 2))).mul_(self.inverse_factors)
        values: Tensor = torch.fft.irfft(spectrum, n=n)
        if self.order is None:
            return values
        values[..., slice(*self.negated)].neg_()
        return values.gather(-1, self.order.argsort().expand(*batch, -1))


def half_wave(n: int, like: Tensor, *, sine: bool) -> FastTransform:
    """The orthonormal cosine transform (DCT-II) or sine transform (DST-II) of ``n`` values."""
    j = torch.arange(n, device=like.device)
    back = (n - j) % n
    order = torch.where(2 * back < n, 2 * back, 2 * (n - back) - 1)
    places = torch.where(2 * j <= n, 2 * j, 2 * (n - j) + 1)
    factors = turns(n, 0.5 * math.pi / n, math.sqrt(2.0 / n))
    factors[0] *= math.sqrt(0.5)
    inverse = 1.0 / factors
    if n % 2 == 0:
        inverse[-1] = math.sqrt(n)
    places = places.flip(0) if sine else places
    negated = (1, n // 2 + 1) if sine else (0, 0)
    return FastTransform(
        places, as_complex(factors, like), as_complex(inverse, like), order, negated
    )


def as_complex(factors: Complex[Tensor, "half"], like: Tensor) -> Complex[Tensor, "half"]:
    """The factors in the precision and the place of real values."""
    double = like.dtype == torch.float64
    return factors.to(like.device, torch.complex128 if double else torch.complex64)


def turns(n: int, step: float, scale: float) -> Complex[Tensor, "half"]:
    r"""The numbers :math:`c\,e^{i\theta k}` for the waves ``k <= n / 2``, in double precision."""
    angle = torch.arange(n // 2 + 1, dtype=torch.float64) * step
    return torch.polar(torch.full_like(angle, scale), angle)
