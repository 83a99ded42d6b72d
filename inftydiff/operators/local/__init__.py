"""The local operator: a kernel of fixed physical size over the points that it sees."""

from inftydiff.operators.local.backend import (
    BACKENDS,
    Backend,
    automatic_backend,
    installed_backends,
)
from inftydiff.operators.local.definition import reference, window_reach
from inftydiff.operators.local.neighbour_map import Neighbours, neighbours
from inftydiff.operators.local.operator import LocalOperator, local_operator

__all__ = [
    "BACKENDS",
    "Backend",
    "LocalOperator",
    "Neighbours",
    "automatic_backend",
    "installed_backends",
    "local_operator",
    "neighbours",
    "reference",
    "window_reach",
]
