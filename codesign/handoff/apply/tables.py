"""Tables with one column per feature, read in bounded memory: Parquet, or a ROOT tree of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError, nearest
from codesign.physics.events.container import ChunkSize
from codesign.physics.events.parquet import Table
from codesign.physics.readers.detection import damage_named, head_of, kind_of
from codesign.reading.rootfile import opened_root

__all__ = ("KEPT", "is_table", "table_chunks")

#: columns that tell which row is which, kept where a table has them
KEPT = ("run", "luminosityBlock", "event", "collision", "label")


def is_table(path: Path, features: Sequence[str]) -> bool:
    """Whether a file is a table with a column for each feature; InputError where it cannot be opened."""
    kind = kind_of(head_of(path))
    if kind not in ("Parquet", "ROOT"):
        return False
    with damage_named(path, kind):
        return set(features) <= set(_columns(path, kind))


def _columns(path: Path, kind: str) -> list[str]:
    if kind == "Parquet":
        table = Table(path)
        try:
            return [name for name, native in table.natives.items() if not native.jagged]
        finally:
            table.close()
    with opened_root(path) as file:
        tree = _tree(file)
        return [] if tree is None else [str(name) for name in tree.keys(recursive=False)]


def _tree(file: Any) -> Any:
    names = [name for name, kind in file.classnames(recursive=False).items() if "TTree" in kind or "RNTuple" in kind]
    return file[names[0]] if len(names) == 1 else None


def table_chunks(
    path: Path, features: Sequence[str], rows: int
) -> Iterator[tuple[NDArray[np.float32], dict[str, NDArray[Any]]]]:
    """Features (rows, n) float32 and the columns of ``KEPT`` that are there, at most ``rows`` rows at once.

    InputError where a column is missing, or the file is damaged or empty.
    """
    kind = kind_of(head_of(path)) or ""
    with damage_named(path, kind):
        present = _columns(path, kind)
        for name in features:
            if name not in present:
                raise InputError(f"{path}: column '{name}' is missing{nearest(name, present)}")
        kept = [name for name in KEPT if name in present and name not in features]
        seen = 0
        for columns in _pieces(path, kind, [*features, *kept], rows):
            table = np.column_stack([np.asarray(columns[name], dtype=np.float32) for name in features])
            seen += len(table)
            yield table, {name: np.asarray(columns[name]) for name in kept}
    if not seen:
        raise InputError(f"{path}: the table has no rows")


def _pieces(path: Path, kind: str, names: list[str], rows: int) -> Iterator[dict[str, Any]]:
    if kind == "Parquet":
        table = Table(path)
        try:
            for _, columns in table.chunks(names, ChunkSize(events=rows)):
                yield columns
        finally:
            table.close()
        return
    with opened_root(path) as file:
        yield from _tree(file).iterate(names, step_size=rows, library="np")
