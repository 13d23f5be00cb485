"""Tables of any kind, with columns of any names: CSV, Parquet, ROOT, HDF5, NPZ and Feather, read in pieces.

What is missing (an empty cell, a null) is NaN; text stays text, so that it can be a label.
"""

from __future__ import annotations

import glob
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.reading.detection import head_of, kind_of, name_damage
from codesign.core.reading.hdf5 import opened_hdf5, texts_of
from codesign.core.reading.limits import ENTRIES, FILE_BYTES
from codesign.core.reading.npz import npz_arrays
from codesign.core.reading.parquet import whole_parquet
from codesign.core.reading.plain import open_given
from codesign.physics.events.container import ChunkSize, Container, Native, NotEvents
from codesign.physics.events.root_events import open_root

__all__ = ("TableFile", "open_table", "table_files")

#: what a Feather file begins with
_FEATHER = b"ARROW1"


@dataclass(frozen=True)
class TableFile:
    """A file, and the tree in it where it has several."""

    path: Path
    tree: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.tree}" if self.tree else str(self.path)


def table_files(patterns: Sequence[str]) -> list[TableFile]:
    """The files of names and globs, ``background/*.root:Events`` with the tree behind a colon, each once, sorted.

    InputError for a pattern of no file.
    """
    found: dict[TableFile, None] = {}
    for pattern in patterns:
        name, _, tree = pattern.partition(":") if not Path(pattern).exists() else (pattern, "", "")
        paths = sorted(glob.glob(name)) if any(c in name for c in "*?[") else [name]
        if not paths:
            raise InputError(f"sample.files: '{pattern}' is the name of no file")
        found |= {TableFile(Path(path), tree or None): None for path in paths}
    return list(found)


@contextmanager
def open_table(file: TableFile) -> Iterator[Container]:
    """Open a table by what is in it; InputError where it is none, or damaged."""
    head = head_of(file.path)
    kind = kind_of(head) or ("Feather" if head.startswith(_FEATHER) else "CSV")
    with name_damage(file.path, kind):
        container = _open(file, kind)
        try:
            yield container
        finally:
            container.close()


def _open(file: TableFile, kind: str) -> Container:
    if file.tree is not None and kind != "ROOT":
        raise InputError(f"{file.path}: is {kind}, and has no tree '{file.tree}'")
    if kind == "ROOT":
        try:
            return open_root(file.path, file.tree)
        except NotEvents as error:
            raise InputError(str(error).replace("say which with --tree", f"write {file.path.name}:TREE")) from None
    if kind == "HDF5":
        return _Arrays(kind, file.path, _hdf5_columns(file.path))
    if kind == "NPZ":
        return _Arrays(kind, file.path, _split(npz_arrays(file.path)))
    return _Arrow(kind, file.path, _arrow_table(file.path, kind))


class _Pieces(ABC):
    """A table that is in memory, given out in pieces."""

    def __init__(self, kind: str, rows: int, natives: Mapping[str, Native]) -> None:
        self.kind, self.natives = kind, natives
        self.entries: int | None = rows

    def close(self) -> None:  # noqa: B027 - nothing is open
        """The file is closed already."""

    def chunks(self, names: Sequence[str], size: ChunkSize) -> Iterator[tuple[int, dict[str, Any]]]:
        """One piece after the other; of no rows, one that is empty."""
        rows = self.entries or 0
        step = size.step(8.0 * max(1, len(names)))
        for start in range(0, max(rows, 1), step):
            yield start, {name: self._slice(name, start, min(start + step, rows)) for name in names}

    @abstractmethod
    def _slice(self, name: str, start: int, stop: int) -> Any:
        """Rows of a column: an array (rows,), or of lists."""


class _Arrays(_Pieces):
    """Arrays of equal length: HDF5 and NPZ."""

    def __init__(self, kind: str, path: Path, columns: Mapping[str, NDArray[Any]]) -> None:
        self._columns = {name: values for name, values in columns.items() if values.ndim in (1, 2)}
        lengths = {len(values) for values in self._columns.values()}
        if len(lengths) != 1:
            shown = ", ".join(f"{name} {values.shape}" for name, values in list(columns.items())[:6])
            raise InputError(f"{path}: is no table: its arrays are {shown or 'none'}, not of one number of rows")
        natives = {name: Native(values.ndim == 2) for name, values in self._columns.items()}
        super().__init__(kind, lengths.pop(), natives)

    def _slice(self, name: str, start: int, stop: int) -> Any:
        import awkward as ak

        values = self._columns[name][start:stop]
        return ak.from_numpy(values, regulararray=False) if values.ndim == 2 else values


class _Arrow(_Pieces):
    """An Arrow table: CSV, Parquet and Feather."""

    def __init__(self, kind: str, path: Path, table: Any) -> None:
        self._path, self._table = path, table
        if len(set(table.column_names)) < len(table.column_names):
            twice = next(name for name in table.column_names if table.column_names.count(name) > 1)
            raise InputError(f"{path}: has two columns '{twice}': give each a name of its own")
        super().__init__(kind, table.num_rows, {f.name: _native(f.type) for f in table.schema})

    def _slice(self, name: str, start: int, stop: int) -> Any:
        import awkward as ak
        from pyarrow import types

        column = self._table[name].slice(start, stop - start)
        kind = column.type
        if types.is_dictionary(kind) or types.is_string(kind) or types.is_large_string(kind):
            return np.array(["" if text is None else str(text) for text in column.to_pylist()], dtype=object)
        if _is_list(kind):
            found = ak.from_arrow(column)
            return ak.values_astype(ak.fill_none(ak.fill_none(found, [], axis=0), np.nan, axis=-1), np.float64)
        if types.is_boolean(kind) and not column.null_count:
            return column.to_numpy().astype(bool)
        values = column.to_numpy()  # of an integer column with nulls, float64 with NaN
        return values.astype(np.float64) if column.null_count or values.dtype.kind == "O" else values


def _native(kind: Any) -> Native:
    from pyarrow import types

    inner = kind.value_type if _is_list(kind) else kind
    number = types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner) or types.is_null(inner)
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind)
    return Native(_is_list(kind), "" if number or text else f"holds {kind}, not numbers")


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)  # type: ignore[no-any-return]


def _arrow_table(path: Path, kind: str) -> Any:
    if kind == "Parquet":
        return whole_parquet(path)
    with open_given(path) as stream:
        stream.seek(0, 2)
        if stream.tell() > FILE_BYTES:
            raise InputError(
                f"{path}: has {stream.tell():,} bytes, of {kind} at most {FILE_BYTES:,} are read: give Parquet"
            )
    if kind == "Feather":
        from pyarrow import feather

        return feather.read_table(path, memory_map=False)
    return _csv_table(path)


def _csv_table(path: Path) -> Any:
    """Comma, semicolon or tab between the columns, whose names stand in the first line."""
    from pyarrow import csv

    with open_given(path) as stream:
        first = stream.readline(1 << 20)
    if b"\0" in first or not first.strip():
        raise InputError(
            f"{path}: is no table: neither CSV with a first line of names, Parquet, ROOT, HDF5, NPZ nor Feather"
        )
    delimiter = max(",;\t", key=first.decode("utf-8", "replace").count)
    names = [name.strip().strip('"') for name in first.decode("utf-8", "replace").strip().split(delimiter)]
    if len(names) > ENTRIES or any(_is_a_number(name) for name in names):
        raise InputError(
            f"{path}: its first line, '{first[:60].decode('utf-8', 'replace').strip()}', is no line of names of columns"
        )
    found = csv.read_csv(
        path,
        parse_options=csv.ParseOptions(delimiter=delimiter),
        convert_options=csv.ConvertOptions(strings_can_be_null=True),
    )
    return found.rename_columns([name.strip() for name in found.column_names])


def _is_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _hdf5_columns(path: Path) -> dict[str, NDArray[Any]]:
    with opened_hdf5(path) as data:
        found: dict[str, NDArray[Any]] = {}
        for name, values in data.items():
            if values.dtype.kind in "OS" and values.dtype.names is None:
                found[name] = np.array(texts_of(path, name, values), dtype=object)
            elif values.dtype.kind in "biufV":
                found[name] = np.asarray(values)
    return _split(found)


def _split(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Each field of a structured array as a column of its own; bytes as text."""
    found: dict[str, NDArray[Any]] = {}
    for name, values in arrays.items():
        columns = {name: values} if values.dtype.names is None else {n: values[n] for n in values.dtype.names}
        for each, column in columns.items():
            if column.dtype.kind == "S":
                column = np.char.decode(column, "utf-8", "replace")
            found[each] = column.astype(object) if column.dtype.kind == "U" else column
    return {name: column for name, column in found.items() if column.dtype.kind in "biufO"}
