"""Checks of what the functions of this package take: of kinds and shapes, cheap, once a call.

A protocol is asked for by :func:`conforming`, which refuses the class itself; the states of a
process, and what is known of them, are functions with one batch axis and one time a sample.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from torch import Tensor

from inftydiff._typing import entries, floating, instance, number, shown, whole
from inftydiff._typing.shown import article, kind_of
from inftydiff.operators.discretisation import Discretisation, Grid, Scattered, Subset
from inftydiff.operators.domain import Box, Domain, Point
from inftydiff.operators.function import Function
from inftydiff.operators.functionals import Functionals
from inftydiff.operators.linear import Field, LinearOperator
from inftydiff.operators.multiplier import Multiplier

__all__ = [
    "MOST_ITERATIONS",
    "MOST_SAMPLES",
    "MOST_STEPS",
    "STRONGEST",
    "a_callable",
    "a_domain",
    "a_function",
    "a_grid",
    "a_model",
    "a_place",
    "an_operator",
    "bounds",
    "channel_count",
    "conforming",
    "one_a_sample",
    "samples",
    "states",
]

MOST_SAMPLES = 1 << 20
"""The most samples, and the most channels, that are drawn at a time."""

MOST_ITERATIONS = 10_000
"""The most iterations of a linear or fixed-point solver, or repetitions of a step."""

MOST_STEPS = 10**6
"""The most steps, resamples or repetitions of a run."""

STRONGEST = 1e30
"""The largest deviation of a noise: the values stay within the range of single precision."""

Value = TypeVar("Value")


def conforming(value: Value, protocol: type, name: str, advice: str) -> Value:
    """Return ``value``, refusing what lacks the methods of a protocol, and classes.

    Args:
        value: any object.
        protocol: a protocol that is checked at run time.
        name: the subject of the message.
        advice: what to do, a sentence.

    Raises:
        TypeError: if the value does not conform.
    """
    plain = type(value).__module__ == "builtins"  # a range has a step, which is no method
    if plain or isinstance(value, type) or not isinstance(value, protocol):
        wanted = article(protocol.__name__)
        raise TypeError(f"{name} must be {wanted}; got {kind_of(value)}. {advice}")
    return value


def a_callable(value: Callable[..., Any], name: str, advice: str) -> Callable[..., Any]:
    """Return ``value``, refusing what cannot be called, and classes, which make objects.

    Raises:
        TypeError: if it is no function, and no object that is called as one.
    """
    if isinstance(value, type) or not callable(value):
        raise TypeError(f"{name} must be callable; got {kind_of(value)}. {advice}")
    return value


def a_model(model: Callable[..., Any], name: str, advice: str) -> Callable[..., Any]:
    """Return ``model``, refusing what is not called with states and times.

    Raises:
        TypeError: if it cannot be called, or is an operator, a field or a multiplier.
    """
    if isinstance(model, LinearOperator | Field | Multiplier | Functionals):
        raise TypeError(f"{name} must be called with (x_t, t); got {kind_of(model)}. {advice}")
    return a_callable(model, name, advice)


def a_domain(domain: Domain) -> Domain:
    """Return ``domain``, refusing what is none.

    Raises:
        TypeError: if it is neither a box nor a point.
    """
    return instance(domain, (Box, Point), "A domain", "Pass Box((1.0, 1.0)), or on.domain.")


def a_place(on: Discretisation, name: str = "The points, on,") -> Discretisation:
    """Return ``on``, refusing what is no discretisation.

    Raises:
        TypeError: if it is none of the three kinds.
    """
    return instance(on, (Grid, Subset, Scattered), name, "Pass Grid((64, 64)), say.")


def a_grid(on: Grid, name: str = "The points, on,") -> Grid:
    """Return ``on``, refusing what is no full grid.

    Raises:
        TypeError: if it is another thing.
    """
    return instance(on, Grid, name, "Pass Grid((64, 64)), say.")


def a_function(f: Function, name: str) -> Function:
    """Return ``f``, refusing what is no function on points.

    Raises:
        TypeError: if it is another thing.
    """
    return instance(f, Function, name, "Wrap values by Function(on, values) or from_image.")


def an_operator(operator: LinearOperator, name: str) -> LinearOperator:
    """Return ``operator``, refusing what is no linear operator.

    Raises:
        TypeError: if it is another thing.
    """
    return instance(operator, LinearOperator, name, "Pass Identity() or gaussian_mollifier(width).")


def states(x: Function, name: str) -> Function:
    """Return ``x``, refusing what is no function with one batch axis.

    Raises:
        TypeError: if it is no function.
        ValueError: if it has no batch axis, or several.
    """
    a_function(x, name)
    if x.values.ndim != 3:
        raise ValueError(
            f"{name} must have values of shape (batch, points, channels); got "
            f"{tuple(x.values.shape)}."
        )
    return x


def one_a_sample(numbers: Tensor, x: Function, name: str) -> Tensor:
    """Return ``numbers``, refusing what is not one floating-point number for each sample.

    Args:
        numbers: the times of the states, or amplitudes at them.
        x: the states, functions with one batch axis.
        name: the subject of the message.

    Raises:
        TypeError: if the numbers are no floating-point tensor.
        ValueError: if they are not as many as there are samples.
    """
    floating(numbers, name)
    if tuple(numbers.shape) != x.batch:
        raise ValueError(
            f"{name} must have the shape {x.batch}, one number a sample; got "
            f"{tuple(numbers.shape)}."
        )
    return numbers


def samples(batch: int, name: str = "The batch, a number of samples,") -> int:
    """Return the number of samples as an integer, from one to about a million.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is fractional, below one or above ``MOST_SAMPLES``.
    """
    return whole(batch, name, most=MOST_SAMPLES)


def channel_count(channels: int) -> int:
    """Return the number of channels as an integer, from one to about a million.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is fractional, below one or above ``MOST_SAMPLES``.
    """
    return whole(channels, "The number of channels", most=MOST_SAMPLES)


def bounds(clip: object, name: str = "clip") -> tuple[float, float]:
    """Return two bounds, of which one may be infinite, refusing what is not in order.

    Raises:
        TypeError: if they are not two numbers in a sequence.
        ValueError: if there are more or fewer, or the first is not below the second.
    """
    low, high = (
        v if isinstance(v, float) and v in (-float("inf"), float("inf")) else number(v, name)
        for v in entries(clip, name, count=2)
    )
    if not low < high:
        raise ValueError(f"{name} takes two bounds, the lower first; got {shown(clip)}.")
    return low, high
