"""The variables of an HDF5 or NetCDF 4 file, of which nothing is read from other files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inftydiff._extras import extra
from inftydiff.data._field_conventions import ATTRIBUTES
from inftydiff.data._field_variable import Variable, said, with_coordinates

__all__ = ["MAX_NODES", "from_hdf5", "is_hdf5"]

MAX_NODES = 10_000
"""The most variables and groups that are looked at in a file or a folder."""

MAX_DEPTH = 32
"""The most groups that may lie in each other, and links that may lead to each other."""

ONLY_A_DIMENSION = b"This is a netCDF dimension but not a netCDF variable"
SIGNATURE = b"\x89HDF\r\n\x1a\n"


def is_hdf5(path: Path) -> bool:
    """Say whether a file begins as HDF5 does, or after a block of the user's own."""
    size, start = path.stat().st_size, 0
    with path.open("rb") as file:
        while start < size:
            file.seek(start)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
            start = max(512, 2 * start)
    return False


def from_hdf5(path: Path) -> dict[str, Variable]:
    """The variables of an HDF5 file, with ``/`` between groups, by name.

    Those that other files would have to be read for are there, with that as their fault: a file of
    a stranger must not choose what else is read.

    Args:
        path: the file.

    Raises:
        ModuleNotFoundError: if h5py is not installed.
        OSError: if it is not a whole HDF5 file.
        ValueError: if it has more than ``MAX_NODES`` variables and groups.
    """
    with extra("fields"):
        import h5py

    file = h5py.File(path, "r")
    if path.stat().st_size < file.id.get_filesize():  # not noticed where it is open already
        raise OSError(f"It had {file.id.get_filesize()} bytes, and has {path.stat().st_size}")
    found = {name: _variable(file, path, name, fault) for name, fault in _names(file, path)}
    return with_coordinates(
        {n: v for n, v in found.items() if not v.attributes.get("only a dimension")}
    )


def _names(file: Any, path: Path) -> Iterator[tuple[str, str]]:
    """The names of the datasets of a file, and what is wrong with them or nothing."""
    import h5py

    waiting, seen, count = [("", file)], set(), 0
    while waiting:
        prefix, group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen or prefix.count("/") > MAX_DEPTH:
            continue
        seen.add(address)
        inner = []
        for key in group:
            count += 1
            if count > MAX_NODES:
                raise ValueError(
                    f"It has more than {MAX_NODES} variables and groups. Select a part of it with "
                    "xarray."
                )
            name = f"{prefix}{key}"
            try:
                inside = _inside(file, f"/{name}")
                node = file[inside] if inside else None
                if isinstance(node, h5py.Group):
                    inner.append((f"{name}/", node))
                elif isinstance(node, h5py.Dataset):
                    yield name, _elsewhere(file, path, name, node)
            except _OutsideError as outside:
                yield name, _refusal(path, name, str(outside))
            except Exception as error:  # damaged files raise anything
                yield name, f"{path}: {name!r} cannot be read: {said(error)}. Repair it first."
        waiting.extend(reversed(inner))


class _OutsideError(Exception):
    """A name that leads into another file."""


def _inside(file: Any, name: str, depth: int = 0) -> str:
    """A name with its links within the file followed; nothing if they lead nowhere."""
    import h5py

    at = ""
    for part in filter(None, name.split("/")):
        group = file[at or "/"]
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise _OutsideError(f"is a link to {link.path!r} in the file {link.filename!r}")
        if isinstance(link, h5py.SoftLink):
            if depth >= MAX_DEPTH:
                return ""
            start = "" if link.path.startswith("/") else at
            at = _inside(file, f"{start}/{link.path}", depth + 1)
            if not at:
                return ""
        elif link is None:
            return ""
        else:
            at = f"{at}/{part}"
    return at


def _elsewhere(file: Any, path: Path, name: str, dataset: Any, depth: int = 0) -> str:
    """The refusal of a dataset whose numbers lie in other files, or nothing."""
    if dataset.external:
        return _refusal(path, name, f"keeps its numbers in the file {dataset.external[0][0]!r}")
    if not dataset.is_virtual:
        return ""
    for source in dataset.virtual_sources():
        if source.file_name != "." or "%" in source.dset_name or depth >= MAX_DEPTH:
            return _refusal(path, name, f"is put together from the file {source.file_name!r}")
        try:
            inside = _inside(file, source.dset_name)
        except _OutsideError as outside:
            return _refusal(path, name, f"is put together from what {outside}")
        fault = _elsewhere(file, path, name, file[inside], depth + 1) if inside else ""
        if fault:
            return fault
    return ""


def _refusal(path: Path, name: str, why: str) -> str:
    return (
        f"Fields are read from the file that is named, and from no other; {name!r} of {path} "
        f"{why}. If you trust it, copy the numbers into a file of their own."
    )


def _variable(file: Any, path: Path, name: str, fault: str) -> Variable:
    """A dataset with its axes and attributes."""
    if fault:
        return Variable(name, place=str(path), fault=fault)
    try:
        dataset = file[f"/{name}"]
        if dataset.shape is None:
            return Variable(
                name, place=str(path), fault=f"{path}: {name!r} holds nothing. Leave it out."
            )
        dims = _dims(dataset, name)
        attributes = {
            key: _scalar(dataset.attrs[key])
            for key in (*ATTRIBUTES, "coordinates")
            if key in dataset.attrs
        }
        if bytes(dataset.attrs.get("NAME", b"")).startswith(ONLY_A_DIMENSION):
            attributes["only a dimension"] = True
        return Variable(
            name,
            dims,
            dataset,
            place=str(path),
            attributes=attributes,
            coordinate=dims == (name.rpartition("/")[2],),
            chunk=dataset.chunks or (),
            stored=dataset.id.get_storage_size,
            file=(path, path.stat().st_size),
        )
    except Exception as error:  # damaged files raise anything
        return Variable(
            name,
            place=str(path),
            fault=f"{path}: {name!r} cannot be read: {said(error)}. Repair it first.",
        )


def _dims(dataset: Any, name: str) -> tuple[str, ...]:
    """The names of a dataset's axes: those of their scales, or their labels, or numbers."""
    if dataset.is_scale and len(dataset.shape) == 1:
        return (name.rpartition("/")[2],)
    names = []
    for number, axis in enumerate(dataset.dims):
        scale = axis[0].name if len(axis) else None
        names.append((scale or axis.label or f"axis {number}").rpartition("/")[2])
    return tuple(names)


def _scalar(value: Any) -> Any:
    """An attribute; NetCDF keeps single numbers as arrays of one."""
    return value[0] if getattr(value, "shape", None) == (1,) else value
