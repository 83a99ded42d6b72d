r"""Observations: numbers read from an unknown function, with errors.

.. math:: y = A x_0 + \tau\varepsilon, \qquad \varepsilon \sim \mathcal N(0, I_m),

where :math:`A` is a set of linear functionals, or any differentiable map from functions to
vectors. The values lie in the plain vector space of shape ``(*batch, m, channels)`` with the
Euclidean inner product.

The state of a process carries :math:`S x_0`. An observation says by which linear map :math:`D` its
:math:`x_0` is read from there, and what is known of the signal is :math:`y = A D\,(S x_0) +
\tau\varepsilon`:

=====================================================  ===========================================
``Identity()``                                         for :math:`S = I`; or :math:`A` reads
                                                       :math:`S x_0` itself
``exact_inverse(S, on=grid)``                          where :math:`S` can be inverted on the grid
``wiener_inverse(S, noise_to_signal=r) * (1 + r**2)``  elsewhere; where :math:`S` keeps constants it
                                                       does too, and blurs what it cannot restore
=====================================================  ===========================================

With ``use_clean`` the residual is that of the denoiser's own :math:`\widehat{x_0}`, where it gives
one; covariances still go through :math:`D`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import (
    Real,
    check_finite,
    flag,
    floating,
    generator_for,
    instance,
    not_negative,
    store,
)
from inftydiff.operators._by_value import ByValue
from inftydiff.operators.function import Function
from inftydiff.operators.functionals import Functionals
from inftydiff.operators.linear import Identity, LinearOperator
from inftydiff.processes._checks import STRONGEST, a_callable, a_function, an_operator
from inftydiff.processes._normals import normals
from inftydiff.processes.parameterisation import ANSWER, Prediction

__all__ = ["Observation", "an_observation", "observe"]

SAME = 1e-9
"""Readings of random functions that agree to this part are taken for those of one functional."""

PROBES = 3
"""At how many random functions functionals are compared."""


@final
@dataclass(frozen=True, eq=False)
class Observation(ByValue):
    r"""The values that were read of a function.

    Args:
        reads: the functionals :math:`A`, or a differentiable callable that takes functions with
            values of shape ``(batch, points, channels)`` and gives ``(batch, m, channels)``.
        values: what they read, of shape ``(m, channels)`` if it is the same for all samples, or
            ``(batch, m, channels)``.
        noise_std: the standard deviation :math:`\tau` of the errors, or 0.
        deconvolve: the linear map :math:`D` from the signal :math:`S x_0` to :math:`x_0`.
        use_clean: whether the denoiser's estimate of :math:`x_0` is what is read, where it gives
            one, instead of :math:`D` of its signal.

    Raises:
        ValueError: if the deviation is negative or not finite, a value is not finite, there are
            other values than functionals, or, without noise, one functional has two values.

    Example:
        >>> from inftydiff import Grid
        >>> from inftydiff.operators import known_points
        >>> left = known_points(torch.tensor([True, True, False, False]), on=Grid((4,)))
        >>> Observation(left, torch.zeros(2, 1), noise_std=0.1).size
        2
    """

    reads: Functionals | Callable[[Function], Tensor]
    values: Float[Tensor, "*batch m channels"]
    noise_std: Real = 0.0
    deconvolve: LinearOperator = Identity()
    use_clean: bool = False

    def __post_init__(self) -> None:
        reads = "Pass functionals, as of point_values, or a function of a Function."
        a_callable(self.reads, "What an observation reads", reads)
        store(self, floating, "values", subject="An observation's ")
        name = "The standard deviation of observations"
        object.__setattr__(self, "noise_std", not_negative(self.noise_std, name, most=STRONGEST))
        an_operator(self.deconvolve, "An observation's deconvolve")
        store(self, flag, "use_clean", subject="An observation's ")
        shape = tuple(self.values.shape)
        if self.values.ndim not in (2, 3) or 0 in shape:
            raise ValueError(
                "Observed values have the shape (m, channels) or (batch, m, channels), with at "
                f"least one of each; got {shape}."
            )
        check_finite(self.values, "Observed values")
        if isinstance(self.reads, Functionals):
            if self.size != self.reads.size:
                raise ValueError(
                    f"There is one value a functional, {self.reads.size} of them; got the shape "
                    f"{shape}."
                )
            if self.noise_std == 0.0:
                _refuse_contradictions(self.reads, self.values)

    @property
    def size(self) -> int:
        """The number m of values of one sample and channel."""
        return self.values.shape[-2]

    def read(self, prediction: Prediction) -> Float[Tensor, "batch m channels"]:
        """Return what would be read without errors if a prediction were right.

        Args:
            prediction: what a denoiser says, values of shape ``(batch, points, channels)``.

        Raises:
            ValueError: if it lives on another grid than the functionals' functions, or its batch or
                channels are not those of the values.
        """
        instance(prediction, Prediction, "What an observation reads of", ANSWER)
        if self.use_clean and prediction.clean is not None:
            return self._checked(self.reads(prediction.clean))
        return self.read_signal(prediction.signal)

    def read_signal(self, signal: Function) -> Float[Tensor, "batch m channels"]:
        """Return what would be read without errors of a signal S x0: A D of it.

        Raises:
            ValueError: as :meth:`read`.
        """
        a_function(signal, "The signal that is read")
        return self._checked(self.reads(self.deconvolve(signal)))

    def log_likelihood(self, signal: Function) -> Float[Tensor, "batch"]:
        r"""The log density :math:`-\|y - A D\,s\|^2/2\tau^2` of the values, up to a constant.

        Args:
            signal: signals :math:`S x_0`, values of shape ``(batch, points, channels)``.

        Raises:
            ValueError: as :meth:`read`, or if there is no noise.
        """
        self.require_noise("A likelihood")
        a_function(signal, "The signal that is read")
        residual = self.values.to(signal.values) - self.read_signal(signal)
        return -0.5 * (residual / self.noise_std).square().sum((-2, -1))

    def require_noise(self, who: str) -> None:
        """Refuse an observation without errors.

        Args:
            who: what needs some, for the message.

        Raises:
            ValueError: if the deviation is zero.
        """
        if self.noise_std == 0.0:
            size = self.values.std().item() if self.values.numel() > 1 else 1.0
            raise ValueError(
                f"{who} needs an observation with errors; got noise_std=0. Pass a small one, such "
                f"as noise_std={0.01 * size or 0.01:.2g}, a hundredth of the values' own deviation."
            )

    def _checked(self, found: Tensor) -> Tensor:
        floating(found, "What is read of a function")
        shape = tuple(self.values.shape)
        if found.ndim != 3 or found.shape[-2:] != shape[-2:]:
            raise ValueError(
                f"The observation has the values of shape {shape}; of the states were read "
                f"{tuple(found.shape)}. There is one value a functional and channel. Give as many "
                "as are read."
            )
        if len(shape) == 3 and shape[0] not in (1, found.shape[0]):
            raise ValueError(
                f"The observation has a batch of {shape[0]}; the states have one of "
                f"{found.shape[0]}. Sample as many as are observed, or observe one."
            )
        return found


def observe(
    reads: Functionals | Callable[[Function], Tensor],
    x0: Function,
    *,
    noise_std: Real,
    generator: torch.Generator,
    deconvolve: LinearOperator = Identity(),
    use_clean: bool = False,
) -> Observation:
    """Observe known functions, with errors drawn.

    Args:
        reads: the functionals, or a differentiable callable.
        x0: the functions, values of shape ``(*batch, points, channels)`` with at most one axis.
        noise_std: the standard deviation of the errors.
        generator: the source of randomness, of which one seed is taken.
        deconvolve: as of :class:`Observation`.
        use_clean: as of :class:`Observation`.

    Returns:
        An observation whose errors are keyed by sample, so that those of the first samples of a
        batch are those of a smaller batch.

    Raises:
        ValueError: as :class:`Observation`.
    """
    a_callable(reads, "What an observation reads", "Pass functionals, as of point_values.")
    a_function(x0, "The function that is observed")
    name = "The standard deviation of observations"
    noise_std = not_negative(noise_std, name, most=STRONGEST)
    generator_for(generator, "observe")
    exact = floating(reads(x0), "What is read of a function")
    if exact.ndim not in (2, 3):
        raise ValueError(
            "What is read of a function has the shape (m, channels) or (batch, m, channels); got "
            f"{tuple(exact.shape)}."
        )
    seed = torch.randint(0, 2**63 - 1, (), generator=generator, device=generator.device)
    errors = normals(
        int(seed),
        batch=len(exact) if exact.ndim == 3 else 1,
        channels=exact.shape[-1],
        counts=(exact.shape[-2],),
        device=exact.device,
    ).mT.reshape(exact.shape)
    values = exact + noise_std * errors.to(exact)
    return Observation(reads, values, noise_std, deconvolve, use_clean)


def _refuse_contradictions(reads: Functionals, values: Tensor) -> None:
    """Refuse two values of one functional: two that read the same of random functions."""
    if reads.size == 1:
        return
    generator = torch.Generator().manual_seed(0)
    probes = torch.randn(reads.on.size, PROBES, generator=generator, dtype=torch.float64)
    found = reads(Function(reads.on, probes.to(values.device)))
    order = found[:, 0].argsort()
    gap = (found[order][1:] - found[order][:-1]).abs().amax(-1)
    same = gap <= SAME * found.abs().max()
    seen = values[..., order, :]
    differ = ((seen[..., 1:, :] - seen[..., :-1, :]).abs() > SAME * values.abs().max()).any(-1)
    wrong = (same & differ).reshape(-1, len(same)).any(0)
    if bool(wrong.any()):
        first = int(wrong.nonzero()[0])
        one, other = order[first : first + 2].tolist()
        raise ValueError(
            f"The observation contradicts itself: its values {one} and {other} are of one and the "
            "same functional and differ, and without noise both cannot be right. Leave one out, or "
            "pass noise_std above zero."
        )


def an_observation(observation: Observation) -> Observation:
    """Return ``observation``, refusing what is none.

    Raises:
        TypeError: if it is none.
    """
    return instance(observation, Observation, "What was observed", "Make one by observe().")
