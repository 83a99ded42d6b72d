r"""Guidance: denoisers made of denoisers.

Two denoisers, one that knows a condition :math:`c` and one that does not, give a third,

.. math:: \hat y = \hat y_{\varnothing} + w\,(\hat y_c - \hat y_{\varnothing}),

for the signal and for the noise alike; the two remain those of one state, since they are affine in
each other. :math:`w = 1` is the conditional denoiser, :math:`w = 0` the unconditional one.

References:
    Ho and Salimans, "Classifier-free diffusion guidance", 2022.
"""

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, number
from inftydiff.operators.function import Function
from inftydiff.processes.denoiser import CallableDenoiser, Denoiser, asked, check_denoiser
from inftydiff.processes.parameterisation import Prediction

__all__ = ["classifier_free"]


def classifier_free(
    conditional: Denoiser, unconditional: Denoiser, *, strength: Real
) -> CallableDenoiser:
    r"""Strengthen a condition by extrapolating from what is predicted without it.

    Args:
        conditional: the denoiser that knows the condition.
        unconditional: the one that does not, of the same process.
        strength: the weight :math:`w`.

    Returns:
        A denoiser of their process that asks both, once each.

    Raises:
        TypeError: if one of them is no denoiser.
        ValueError: if the strength is not finite, or their processes differ.
    """
    weight = number(strength, "A guidance's strength")
    process = check_denoiser(conditional).process
    if check_denoiser(unconditional).process != process:
        raise ValueError(
            "Two denoisers are mixed if they have one process; got those of "
            f"{process} and {unconditional.process}. Make both of the same."
        )

    def mixed(a: Function, b: Function) -> Function:
        return a + (b - a) * weight

    def guided(x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        without, knowing = asked(unconditional, x_t, t), asked(conditional, x_t, t)
        clean = None
        if without.clean is not None and knowing.clean is not None:
            clean = mixed(without.clean, knowing.clean)
        return Prediction(
            mixed(without.signal, knowing.signal), mixed(without.noise, knowing.noise), clean
        )

    return CallableDenoiser(process, guided)
