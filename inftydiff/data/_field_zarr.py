"""The variables of a zarr store, of format 2 or 3, whether or not its metadata are consolidated."""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from inftydiff._extras import extra
from inftydiff.data._field_hdf5 import MAX_NODES
from inftydiff.data._field_variable import Variable, said, with_coordinates

__all__ = ["VALUES", "from_node", "from_store"]

VALUES = "values"
"""The name of an array that has none."""

METADATA = (".zarray", ".zgroup", "zarr.json")
"""Of which one lies in the folder of each array and group."""

MAX_DEPTH = 16


def from_store(path: Path) -> dict[str, Variable]:
    """The variables of a folder, with ``/`` between groups, by name.

    Links out of the folder are not followed: what lies behind them is there, with that as its
    fault.

    Args:
        path: the folder of a group or of an array. An array that lies in a group is called by the
            name of its folder, and another one ``values``.

    Raises:
        ModuleNotFoundError: if zarr is not installed.
        ValueError: if there is no array or group, or more than ``MAX_NODES`` in all.
    """
    with extra("fields"):
        import zarr
        from zarr.storage import LocalStore

        from inftydiff.data._field_store import Inside

    store = Inside(LocalStore(path, read_only=True))
    node = zarr.open(store=store, mode="r", use_consolidated=False)
    if isinstance(node, zarr.Array):
        name = path.resolve().name if _is_node(path.resolve().parent) else VALUES
        return {name: _variable(name, node, path)}
    return with_coordinates({v.name: v for v in _members(store, path, "")})


def from_node(node: Any) -> dict[str, Variable]:
    """The variables of an open group or array of zarr, by name."""
    import zarr
    from zarr.storage import LocalStore

    if isinstance(node.store, LocalStore):  # read as a folder is, by the same rules
        from inftydiff.data._field_store import Inside

        store, root = Inside(node.store.with_read_only(True)), node.store.root
        if isinstance(node, zarr.Array):
            array = zarr.open_array(store=store, path=node.path, mode="r")
            name = node.basename or VALUES
            return {name: _variable(name, array, root / node.path)}
        return with_coordinates({v.name: v for v in _members(store, root / node.path, node.path)})
    if isinstance(node, zarr.Array):
        name = node.basename or VALUES
        return {name: _variable(name, node, None)}
    members = node.members(max_depth=None)
    arrays = {name: array for name, array in members if isinstance(array, zarr.Array)}
    return with_coordinates({n: _variable(n, a, None) for n, a in sorted(arrays.items())})


def _members(store: Any, folder: Path, prefix: str) -> Iterator[Variable]:
    """The arrays in the folder of a group and in its groups."""
    import zarr

    waiting, seen, count = [(folder, "")], set(), 0
    while waiting:
        at, within = waiting.pop()
        real = os.path.realpath(at)
        if real in seen or within.count("/") > MAX_DEPTH:
            continue
        seen.add(real)
        inner = []
        for name in sorted(os.listdir(at)):
            if not _is_node(at / name):
                continue
            count += 1
            if count > MAX_NODES:
                raise ValueError(
                    f"It has more than {MAX_NODES} variables and groups. Select a part of it with "
                    "xarray."
                )
            called = f"{within}{name}"
            try:
                inside = f"{prefix}/{called}" if prefix else called
                node = zarr.open(store=store, path=inside, mode="r", use_consolidated=False)
            except Exception as error:  # damaged metadata raise anything
                fault = f"{folder}: {called!r} cannot be read: {said(error)}. Repair it first."
                yield Variable(called, place=str(folder), fault=fault)
                continue
            if isinstance(node, zarr.Array):
                yield _variable(called, node, folder, at / name)
            else:
                inner.append((at / name, f"{called}/"))
        waiting.extend(reversed(inner))


def _is_node(folder: Path) -> bool:
    return any((folder / name).exists() for name in METADATA)


def _variable(name: str, array: Any, place: Path | None, folder: Path | None = None) -> Variable:
    """An array with its axes and attributes."""
    array = _guarded(array)
    attributes = dict(array.attrs)
    dims = attributes.pop("_ARRAY_DIMENSIONS", None)  # where format 2 keeps them
    if array.metadata.zarr_format == 3:
        dims = array.metadata.dimension_names
    elif "_FillValue" not in attributes and array.fill_value:
        # by xarray's convention; zero is what zarr itself puts there, and is a value
        attributes["_FillValue"] = array.fill_value
    if not isinstance(dims, list | tuple) or len(dims) != array.ndim or None in dims:
        dims = [f"axis {number}" for number in range(array.ndim)]
    folder = folder or place
    return Variable(
        name,
        tuple(map(str, dims)),
        array,
        place="" if place is None else str(place),
        attributes=attributes,
        coordinate=tuple(dims) == (name.rpartition("/")[2],),
        chunk=tuple(array.chunks),
        stored=array.nbytes_stored if folder is None else partial(_bytes, folder),
    )


def _guarded(array: Any) -> Any:
    """The array, whose parts are checked before Blosc reads them, if it does."""
    import zarr

    from inftydiff.data._field_store import Inside

    last = type(array.compressors[-1]).__name__ if array.compressors else ""
    if not isinstance(array.store, Inside) or last not in ("Blosc", "BloscCodec"):
        return array
    return zarr.open_array(store=array.store.checking_blosc(), path=array.path, mode="r")


def _bytes(folder: Path) -> int:
    """Return the bytes of the files below a folder; links are not followed."""
    return sum(
        os.lstat(os.path.join(at, name)).st_size
        for at, _, names in os.walk(folder)
        for name in names
    )
