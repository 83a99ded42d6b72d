"""The local operator: a depthwise kernel of fixed physical size over the points that it sees."""

from inftydiff.operators.local.definition import reference
from inftydiff.operators.local.neighbour_map import Neighbours, neighbours
from inftydiff.operators.local.operator import LocalOperator, local_operator

__all__ = ["LocalOperator", "Neighbours", "local_operator", "neighbours", "reference"]
