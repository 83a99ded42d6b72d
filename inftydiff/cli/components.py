"""Components on the command line: ``--network.kind NAME``, and the options of what is so named.

The fields of a component are options of their own, ``--process.schedule.shift 2``, and which there
are depends on the kinds that are chosen. So these are read first. A component of another kind takes
over the fields that it shares with the one before; what has no default has to be given.
"""

import dataclasses
import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Union, final, get_args, get_origin, get_type_hints

import tyro

from inftydiff._components import family_of, find, kind_of, kinds
from inftydiff._components.registry import Family, Presented, presented

__all__ = ["Form", "chosen_kinds", "form_of"]

KIND = ".kind"
NONE = "none"
"""The kind of a component that is left out."""


def chosen_kinds(words: Sequence[str]) -> dict[str, str]:
    """Return the kinds that words choose, by the fields that hold the components.

    Args:
        words: the words after the command's name.

    Raises:
        ValueError: if an option of a kind has no name after it.

    Example:
        >>> chosen_kinds(["faces", "--network.kind", "fno", "--process.noise-factor.kind=heat"])
        {'network': 'fno', 'process.noise_factor': 'heat'}
    """
    found: dict[str, str] = {}
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if not (name.startswith("--") and name.endswith(KIND)):
            continue
        if not equals:
            value = words[number + 1] if number + 1 < len(words) else ""
        if not value or value.startswith("--"):
            raise ValueError(f"{name} is followed by the name of a kind; got nothing. Give one.")
        found[_field(name[2:].removesuffix(KIND))] = value.replace("-", "_")
    return found


@final
@dataclass(frozen=True)
class Form:
    """What tyro reads a component from.

    Args:
        cls: the class of the component; None for one that may be left out, and is.
        parts: the forms of the components within it, by their fields.
        type: a dataclass with an option for every field.
        default: its defaults, an instance, or what tyro takes for none.
        wrapper: what the component is wrapped in.
    """

    cls: type | None
    parts: Mapping[str, "Form"]
    type: type
    default: Any
    wrapper: Presented | None = None

    def build(self, parsed: Any) -> Any:
        """Build the component from what tyro has parsed.

        Args:
            parsed: an instance of the form's ``type``.

        Raises:
            TypeError: if the component refuses a value.
            ValueError: likewise.
        """
        if self.cls is None:
            return None
        values = {
            name: self.parts[name].build(getattr(parsed, name))
            if name in self.parts
            else getattr(parsed, name)
            for name in _names(self.type)
        }
        value = self.cls(**values)
        return value if self.wrapper is None else self.wrapper.wrapper(value)


def form_of(
    value: Any,
    chosen: Mapping[str, str],
    *,
    leave: Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
) -> Form:
    """Return the form of a dataclass whose fields hold components.

    Args:
        value: the dataclass, with what its fields are unless said otherwise.
        chosen: the kinds that are chosen, by their fields.
        leave: the fields that are no options.
        given: values of fields that a component of another kind would lack, by their names.

    Raises:
        ValueError: if a kind is unknown, or chosen for what is no component.
    """
    values = {
        f.name: getattr(value, f.name)
        for f in dataclasses.fields(value)
        if f.init and f.name not in leave
    }
    form = _form(type(value), values, chosen, "", given or {})
    unused = [path for path in chosen if not _within(form, path.split("."))]
    if unused:
        raise ValueError(
            f"No component is called {_option(unused[0])!r}, so that it could be of the kind "
            f"{chosen[unused[0]]!r}. Those of this command are "
            f"{', '.join(repr(_option(name)) for name in _paths(form))}."
        )
    return form


def _form(
    cls: type,
    values: Mapping[str, Any],
    chosen: Mapping[str, str],
    path: str,
    given: Mapping[str, Any],
    kind: str | None = None,
    known: Sequence[str] = (),
) -> Form:
    """The form of a class whose fields have these values, as far as they are known."""
    hints = get_type_hints(cls, include_extras=True)
    parts: dict[str, Form] = {}
    fields: list[Any] = []
    defaults: dict[str, Any] = {}
    for f in dataclasses.fields(cls):
        if not f.init or (f.name not in values and path == ""):
            continue
        below = f"{path}.{f.name}".lstrip(".")
        part = _part(hints[f.name], values.get(f.name, _default(f)), chosen, below, given)
        if part is not None:
            parts[f.name] = part
            fields.append((f.name, part.type))
            defaults[f.name] = part.default
        else:
            default = values.get(f.name, _default(f))
            fields.append((f.name, _leaf(hints[f.name], default)))
            defaults[f.name] = tyro.MISSING if default is dataclasses.MISSING else default
    doc = cls.__doc__ or ""
    if kind is not None:
        said = f"one of {', '.join(known)}, or one of an installed plug-in."
        hint = Annotated[str, tyro.conf.arg(help=said)]
        fields.insert(0, ("kind", hint))
        defaults["kind"] = kind
    made = dataclasses.make_dataclass(cls.__name__, [(n, t, field()) for n, t in fields])
    made.__doc__ = doc
    return Form(cls, parts, made, made(**defaults))


def _part(
    hint: Any, value: Any, chosen: Mapping[str, str], path: str, given: Mapping[str, Any]
) -> Form | None:
    """The form of a field that holds a component; None for other fields."""
    families = [f for f in map(family_of, _options(hint)) if f is not None]
    components = [c for c in _options(hint) if isinstance(c, type) and kind_of(c) is not None]
    if not families and not components:
        return None
    family = families[0] if families else None
    wrapper = None if family is None else presented(family.name)
    if wrapper is not None and type(value) is wrapper.wrapper:
        value = getattr(value, wrapper.field)
    known = _known(family, components)
    kind = chosen.get(path)
    if kind in (None, NONE) and (value is None or kind == NONE):
        if type(None) not in _options(hint):
            raise ValueError(f"--{_option(path)}{KIND} is one of {', '.join(known)}; got {kind}.")
        return _absent(known)
    if kind is None or kind == kind_of(value):
        cls, values = type(value), _values(value)
        kind = kind or kind_of(value)
    else:
        cls = find(family.name, kind) if family is not None else _by_kind(components, kind)
        shared = {} if value is None else _values(value)
        names = {f.name for f in dataclasses.fields(cls) if f.init}
        values = {name: v for name, v in {**given, **shared}.items() if name in names}
    form = _form(cls, values, chosen, path, given, kind, known)
    if wrapper is not None and issubclass(cls, wrapper.family.base):
        return dataclasses.replace(form, wrapper=wrapper)
    return form


def _absent(known: Sequence[str]) -> Form:
    """The form of a component that is left out."""
    said = f"{NONE}, or one of {', '.join(known)}, or one of an installed plug-in."
    hint = Annotated[str, tyro.conf.arg(help=said)]
    made = dataclasses.make_dataclass("Absent", [("kind", hint)])
    return Form(None, {}, made, made(NONE))


def _known(family: Family | None, components: Sequence[type]) -> tuple[str, ...]:
    if family is not None:
        return kinds(family.name)
    return tuple(kind for kind in map(kind_of, components) if kind is not None)


def _by_kind(components: Sequence[type], kind: str) -> type:
    found = [cls for cls in components if kind_of(cls) == kind]
    if not found:
        known = ", ".join(str(kind_of(cls)) for cls in components)
        raise ValueError(f"The kind is one of {known}; got {kind!r}.")
    return found[0]


def _values(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}


def _default(f: "dataclasses.Field[Any]") -> Any:
    """The default of a field, or ``dataclasses.MISSING``."""
    return f.default if f.default_factory is dataclasses.MISSING else f.default_factory()


def _leaf(hint: Any, value: Any) -> Any:
    """The type that tyro reads a field by: of a number or a tensor, the number."""
    plain = [option for option in _options(hint) if option in (bool, int, float, str, type(None))]
    other = len(plain) < len(_options(hint))
    if other and isinstance(value, bool | int | float | str) and get_origin(hint) is UnionType:
        return functools.reduce(operator.or_, {*plain, type(value)})
    return hint


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _names(cls: type) -> list[str]:
    return [f.name for f in dataclasses.fields(cls) if f.name != "kind"]


def _within(form: Form, path: Sequence[str]) -> bool:
    """Whether there is a component at a path."""
    if not path:
        return True
    return path[0] in form.parts and _within(form.parts[path[0]], path[1:])


def _paths(form: Form, prefix: str = "") -> list[str]:
    found = []
    for name, part in form.parts.items():
        found += [prefix + name, *_paths(part, f"{prefix}{name}.")]
    return found


def _field(option: str) -> str:
    return option.replace("-", "_")


def _option(path: str) -> str:
    return path.replace("_", "-")
