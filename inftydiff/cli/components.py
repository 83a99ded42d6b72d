"""Components on the command line: ``--network.kind NAME``, and the options of what is so named.

The fields of a component are options of their own, ``--process.schedule.shift 2``, and which there
are depends on the kinds that are chosen. So these are read first. A component of another kind takes
over the fields that it shares with the one before, by name and type; what has no default has to be
given.
"""

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, final, get_args, get_origin, get_type_hints

import tyro
from torch import Tensor

from inftydiff._components import family_of, find, kind_of, kinds, members_of
from inftydiff._components.registry import Family, presented

__all__ = ["Form", "chosen_kinds", "form_of"]

KIND = ".kind"
NONE = "none"
"""The kind of a component that is left out."""

ASSUMED = {"prior": "skip_mlp", "solver": "ddim"}
"""The kinds of components that may be left out, where one of their settings is given."""


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
    for path, kind in ASSUMED.items():
        if any(word.startswith(f"--{path}.") for word in words):
            found.setdefault(path, kind)
    return found


@final
@dataclass(frozen=True)
class Form:
    """The options by which tyro reads a dataclass that holds components, or is one.

    Args:
        cls: the dataclass; None for a component that may be left out, and is.
        parts: the forms of the dataclasses within it, by their fields.
        type: a dataclass with an option for every field.
        kept: the values of fields that are no options.
        wrapper: what a component is wrapped in.
    """

    cls: type | None
    parts: Mapping[str, "Form"]
    type: type
    kept: Mapping[str, Any] = field(default_factory=dict)
    wrapper: Callable[[Any], Any] | None = None

    def parse(self, words: Sequence[str], *, prog: str) -> Any:
        """Parse words, and build the dataclass from them.

        Args:
            words: the words after the command's name.
            prog: what the command is called.

        Raises:
            TypeError: if a component refuses a value.
            ValueError: likewise.
            SystemExit: if the words are none that tyro takes, or ask for help.
        """
        return self.build(tyro.cli(self.type, prog=prog, args=list(words)))

    def build(self, parsed: Any) -> Any:
        """Build the dataclass from what tyro has parsed, an instance of the form's ``type``."""
        if self.cls is None:
            return None
        values = {
            name: self.parts[name].build(getattr(parsed, name))
            if name in self.parts
            else getattr(parsed, name)
            for name in _names(self.type)
        }
        value = self.cls(**values, **self.kept)
        return value if self.wrapper is None else self.wrapper(value)


def form_of(
    cls: type,
    chosen: Mapping[str, str],
    *,
    values: Mapping[str, Any] | None = None,
    given: Mapping[str, Any] | None = None,
    leave: Sequence[str] = (),
) -> Form:
    """Return the form of a dataclass whose fields hold components.

    Args:
        cls: the dataclass.
        chosen: the kinds that are chosen, by the fields.
        values: what its fields are unless said otherwise, where that is not their default.
        given: values of fields that a component of another kind would lack, by their names, such as
            the ``dim`` of a covariance.
        leave: the options that are not offered, as those that follow from others; their fields keep
            their values.

    Raises:
        ValueError: if a kind is unknown, or chosen for what is no component.
    """
    form = _form(cls, values or {}, _Choice(chosen, given or {}, leave), "")
    known = dict(_paths(form))
    unused = [path for path in chosen if path not in known]
    if unused:
        raise ValueError(
            f"No component is called {_option(unused[0])!r}, so that it could be of the kind "
            f"{chosen[unused[0]]!r}. Choose one of this command's: "
            f"{', '.join(repr(_option(name)) for name in known) or 'there are none'}."
        )
    return form


@final
@dataclass(frozen=True)
class _Choice:
    """The kinds, values and omissions that :func:`form_of` is given."""

    chosen: Mapping[str, str]
    given: Mapping[str, Any]
    leave: Sequence[str]


def _form(
    cls: type,
    values: Mapping[str, Any],
    choice: "_Choice",
    path: str,
    kind: str | None = None,
    known: Sequence[str] = (),
) -> Form:
    """The form of a class whose fields have these values, as far as they are known."""
    hints = get_type_hints(cls, include_extras=True)
    parts: dict[str, Form] = {}
    fields: list[tuple[str, Any, Any]] = []
    kept: dict[str, Any] = {}
    if kind is not None:
        said = f"one of {', '.join(known)}, or one of an installed plug-in."
        fields.append(("kind", Annotated[str, tyro.conf.arg(help=said)], field(default=kind)))
    for f in dataclasses.fields(cls):
        if not f.init:
            continue
        hint, value = hints[f.name], values.get(f.name, _default(f))
        if f"{path}{f.name}" in choice.leave:
            kept[f.name] = value
            continue
        beside = get_origin(hint) is Annotated  # its options stand beside the others
        part = _part(hint, value, choice, path if beside else f"{path}{f.name}.")
        if part is None:
            needed = value is dataclasses.MISSING
            default = field() if needed else field(default_factory=functools.partial(_same, value))
            fields.append((f.name, _leaf(hint, value), default))
            continue
        parts[f.name] = part
        extra = get_args(hint)[1:] if beside else ()
        shape = Annotated[(part.type, *extra)] if extra else part.type
        fields.append((f.name, shape, field()))
    made = dataclasses.make_dataclass(cls.__name__, fields, kw_only=True)
    made.__doc__ = cls.__doc__
    return Form(cls, parts, made, kept)


def _part(hint: Any, value: Any, choice: "_Choice", path: str) -> Form | None:
    """The form of a field that holds a component, or a dataclass that holds some."""
    options = members_of(get_args(hint)[0] if get_origin(hint) is Annotated else hint)
    families = [f for f in map(family_of, options) if f is not None]
    components = [c for c in options if isinstance(c, type) and kind_of(c) is not None]
    if families or components:
        family = families[0] if families else None
        return _component(family, components, value, choice, path, type(None) in options)
    (cls, *others) = options
    if others or not _holds_components(cls):
        return None
    values = {} if value is dataclasses.MISSING else _values(value)
    return _form(cls, values, choice, path)


def _component(
    family: Family | None,
    components: Sequence[type],
    value: Any,
    choice: "_Choice",
    path: str,
    optional: bool,
) -> Form:
    """The form of a component of a family, or of one of several classes."""
    wrapper = None if family is None else presented(family.name)
    if wrapper is not None and type(value) is wrapper.wrapper:
        value = getattr(value, wrapper.field)
    known = _known(family, components)
    kind = choice.chosen.get(path.removesuffix("."), NONE if value is None else kind_of(value))
    if kind == NONE:
        if not optional:
            raise ValueError(
                f"--{_option(path)}kind is one of {', '.join(known)}; got {NONE}. Choose one."
            )
        return _absent(known)
    assert kind is not None
    if kind == kind_of(value):
        cls, values = type(value), _values(value)
    else:
        cls = find(family.name, kind) if family is not None else _by_kind(components, kind)
        names = {f.name for f in dataclasses.fields(cls) if f.init}
        shared = {} if value is None else _shared(value, cls)
        values = {name: v for name, v in {**choice.given, **shared}.items() if name in names}
    form = _form(cls, values, choice, path, kind, known)
    if wrapper is not None and issubclass(cls, wrapper.family.base):
        return dataclasses.replace(form, wrapper=wrapper.wrapper)
    return form


def _absent(known: Sequence[str]) -> Form:
    """The form of a component that is left out."""
    said = f"{NONE}, or one of {', '.join(known)}, or one of an installed plug-in."
    hint = Annotated[str, tyro.conf.arg(help=said)]
    made = dataclasses.make_dataclass("Absent", [("kind", hint, field(default=NONE))])
    return Form(None, {}, made)


def _holds_components(cls: Any) -> bool:
    """Say whether a class is a dataclass with a component among its fields, or theirs."""
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        return False
    for hint in get_type_hints(cls).values():
        for option in members_of(hint):
            component = isinstance(option, type) and kind_of(option) is not None
            if component or family_of(option) is not None or _holds_components(option):
                return True
    return False


def _known(family: Family | None, components: Sequence[type]) -> tuple[str, ...]:
    if family is not None:
        return kinds(family.name)
    return tuple(kind for kind in map(kind_of, components) if kind is not None)


def _by_kind(components: Sequence[type], kind: str) -> type:
    found = [cls for cls in components if kind_of(cls) == kind]
    if not found:
        known = ", ".join(str(kind_of(cls)) for cls in components)
        raise ValueError(f"The kind is one of {known}; got {kind!r}. Choose one.")
    return found[0]


def _values(value: Any) -> dict[str, Any]:
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}


def _shared(value: Any, cls: type) -> dict[str, Any]:
    """The fields of a component that one of another class has too, by their names and types."""
    own, other = get_type_hints(type(value)), get_type_hints(cls)
    return {n: v for n, v in _values(value).items() if n in other and own[n] == other[n]}


def _same(value: Any) -> Any:
    return value


def _default(f: "dataclasses.Field[Any]") -> Any:
    """The default of a field, or ``dataclasses.MISSING``."""
    return f.default if f.default_factory is dataclasses.MISSING else f.default_factory()


def _leaf(hint: Any, value: Any) -> Any:
    """The type that tyro reads a field by: of a number or a tensor, the number."""
    options = members_of(hint)
    plain = [option for option in options if option in (bool, int, float, str, type(None))]
    if Tensor in options and isinstance(value, bool | int | float | str):
        return functools.reduce(operator.or_, {*plain, type(value)})
    return hint


def _names(cls: type) -> list[str]:
    return [f.name for f in dataclasses.fields(cls) if f.name != "kind"]


def _paths(form: Form, prefix: str = "") -> Iterator[tuple[str, Form]]:
    """The components of a form, by the fields that lead to them."""
    for name, part in form.parts.items():
        component = part.cls is None or "kind" in {f.name for f in dataclasses.fields(part.type)}
        if component:
            yield prefix + name, part
        yield from _paths(part, f"{prefix}{name}." if component else prefix)


def _field(option: str) -> str:
    return option.replace("-", "_")


def _option(path: str) -> str:
    return path.replace("_", "-")
