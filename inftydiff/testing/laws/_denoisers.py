r"""Laws of denoisers: callables ``(x_t, t)`` that answer with a ``Prediction``.

Their functions live on the points of :math:`x_t` and explain it,

.. math:: x_t = \alpha_t\,\mathrm{signal} + \sigma_t\,\mathrm{noise},

with the amplitudes of their process. The other laws are those of models.
"""

from collections.abc import Iterator

from inftydiff.processes import Prediction
from inftydiff.testing.laws._callables import Asked
from inftydiff.testing.laws._networks import NETWORK_LAWS, answers_where_asked, same_place
from inftydiff.testing.laws.law import Check, Claim, equal, true
from inftydiff.testing.probe import Probe

__all__ = ["DENOISER_LAWS"]


def answers_with_a_prediction(denoiser: Asked, probe: Probe) -> Iterator[Claim]:
    """The answer is a Prediction, whose functions live where x_t lives, in its batch and dtype."""
    t = probe.times()
    x_t = denoiser.state(probe, t)
    answer = denoiser(x_t, t)
    good = isinstance(answer, Prediction)
    yield true("the answer is a Prediction", good, type(answer).__name__, "Prediction")
    for f in (answer.signal, answer.noise):
        yield from same_place(f, x_t)
    if answer.clean is not None:
        yield from same_place(answer.clean, x_t)


def explains_the_state(denoiser: Asked, probe: Probe) -> Iterator[Claim]:
    """x_t = α signal + σ noise, with the process's amplitudes."""
    t = probe.times()
    x_t = denoiser.state(probe, t)
    signal, noise, *_ = denoiser.functions(x_t, t)
    assert denoiser.process is not None
    schedule = denoiser.process.schedule
    alpha, sigma = schedule.alpha(t.double()), schedule.sigma(t.double())
    parts = signal * alpha, noise * sigma
    yield equal(
        "α · signal + σ · noise = x_t",
        (parts[0] + parts[1]).values,
        x_t.values,
        tolerance=10.0 * probe.tolerance,
        scale=max(f.values.abs().max().item() for f in (*parts, x_t)),
    )


DENOISER_LAWS: tuple[Check, ...] = (
    answers_with_a_prediction,
    explains_the_state,
    *(law for law in NETWORK_LAWS if law is not answers_where_asked),
)
