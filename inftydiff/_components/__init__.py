"""Components: values that have a kind, so that a file may name them, and what they are made of.

A *component* is a frozen dataclass with a kind within its family: the schedules are ``"cosine"``,
``"linear"`` and so on. Its record is what JSON can hold, ``{"kind": …, …fields}``, and it is built
again from that. A file names kinds, never code: what it may name are the components that the
package has registered, and those of installed plug-ins.
"""

from inftydiff._components.plugins import GROUP, installed
from inftydiff._components.registry import (
    component,
    declare,
    family_of,
    find,
    kind_of,
    kinds,
    present_as,
)
from inftydiff._components.serialisation import differences, from_record, members_of, to_record

__all__ = [
    "GROUP",
    "component",
    "declare",
    "differences",
    "family_of",
    "find",
    "from_record",
    "installed",
    "kind_of",
    "kinds",
    "members_of",
    "present_as",
    "to_record",
]
