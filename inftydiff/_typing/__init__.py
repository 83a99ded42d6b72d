"""Types and argument checks that every layer shares.

A check takes a value and the name that it has in a message, and returns the value that is to be
kept: ``width = positive(width, "A width")``. A wrong kind of thing is a ``TypeError`` and a wrong
value of the right kind a ``ValueError``, both of the form *"A width must be a finite number above
0; got '1', a str."* A number is an int, a float or a scalar of numpy, never a bool, a string, a
complex number or a tensor (pass ``.item()``), and comes back as an int or a float of Python; what a
float cannot hold is a ``ValueError``. A dataclass keeps what was checked by :func:`store`, in its
``__post_init__``; so what it holds is what JSON takes. All of them look at the value's kind, and at
no more of a tensor than its dtype, but for :func:`times` and :func:`check_finite`.
"""

from inftydiff._typing.kinds import (
    a_path,
    an_index,
    choice,
    device_of,
    dtype_of,
    entries,
    flag,
    generator_for,
    instance,
    store,
)
from inftydiff._typing.numbers import (
    FAINTEST,
    LARGEST,
    LONGEST,
    MOST_AXES,
    MOST_BLOCKS,
    MOST_CHANNELS,
    MOST_VALUES,
    SHORTEST,
    STRONGEST,
    Real,
    checked_seed,
    fraction,
    length,
    not_negative,
    number,
    positive,
    whole,
)
from inftydiff._typing.shown import kind_of, shown
from inftydiff._typing.tensors import (
    Scalar,
    check_device,
    check_finite,
    check_size,
    expand_trailing,
    floating,
    integers,
    scalar,
    times,
)

__all__ = [
    "FAINTEST",
    "LARGEST",
    "LONGEST",
    "MOST_AXES",
    "MOST_BLOCKS",
    "MOST_CHANNELS",
    "MOST_VALUES",
    "SHORTEST",
    "STRONGEST",
    "Real",
    "Scalar",
    "a_path",
    "an_index",
    "check_device",
    "check_finite",
    "check_size",
    "checked_seed",
    "choice",
    "device_of",
    "dtype_of",
    "entries",
    "expand_trailing",
    "flag",
    "floating",
    "fraction",
    "generator_for",
    "instance",
    "integers",
    "kind_of",
    "length",
    "not_negative",
    "number",
    "positive",
    "scalar",
    "shown",
    "store",
    "times",
    "whole",
]
