"""Tables with one column per feature, read in bounded memory: Parquet, or a ROOT tree of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError, nearest
from codesign.physics.events.container import ChunkSize, Container
from codesign.physics.events.parquet import Table
from codesign.physics.events.rootfile import open_root
from codesign.physics.readers.detection import damage_named, head_of, kind_of

__all__ = ("KEPT", "Rows", "columns_of", "table_chunks")

#: columns that tell which row is which, kept where a table has them as numbers
KEPT = ("run", "luminosityBlock", "event", "collision", "label")


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a table: ``first`` is the place in the file of the first one.

    ``features``: (rows, n) float32, finite; ``kept``: columns of ``KEPT``, (rows,) each.
    """

    first: int
    features: NDArray[np.float32]
    kept: dict[str, NDArray[Any]]


def columns_of(path: Path, tree: str | None = None) -> list[str]:
    """Names of a file's columns, whatever they hold; empty where it is neither Parquet nor a ROOT file with a tree.

    InputError where the file is not there, damaged, or has no tree of the name ``tree``.
    """
    if kind_of(head_of(path)) not in ("Parquet", "ROOT"):
        return []
    with _opened(path, tree) as container:
        return list(container.natives)


@contextmanager
def _opened(path: Path, tree: str | None) -> Iterator[Container]:
    kind = kind_of(head_of(path)) or ""
    with damage_named(path, kind):
        container = Table(path) if kind == "Parquet" else open_root(path, tree)
        try:
            yield container
        finally:
            container.close()


def table_chunks(path: Path, features: Sequence[str], rows: int, tree: str | None = None) -> Iterator[Rows]:
    """All rows of a table, at most ``rows`` at once; one empty piece where it has none.

    InputError names the file, the column, and the row where there is one: a column that is missing or does not hold
    one number a row, a number that is not finite or does not fit float32, a damaged file.
    """
    with _opened(path, tree) as container:
        for name in features:
            _must_hold_numbers(path, name, container)
        natives = container.natives
        kept = [n for n in KEPT if n in natives and n not in features and not _problem(n, container)]
        for first, columns in container.chunks([*features, *kept], ChunkSize(events=rows)):
            numbers = [_single(path, name, np.asarray(columns[name]), first) for name in features]
            named = {name: values for name in kept if (values := np.asarray(columns[name])).dtype.kind in "fiub"}
            yield Rows(first, np.column_stack(numbers), named)


def _must_hold_numbers(path: Path, name: str, container: Container) -> None:
    if name not in container.natives:
        raise InputError(f"{path}: column '{name}' is missing{nearest(name, container.natives)}")
    if problem := _problem(name, container):
        raise InputError(f"{path}: column '{name}' {problem}: a feature is one number a row")


def _problem(name: str, container: Container) -> str:
    native = container.natives[name]
    return native.problem or ("holds a list a row" if native.jagged else "")


def _single(path: Path, name: str, values: NDArray[Any], first: int) -> NDArray[np.float32]:
    """A column as float32, (rows,)."""
    if values.dtype.kind not in "fiub" or values.ndim != 1:
        raise InputError(f"{path}: column '{name}' holds text or lists: a feature is one number a row")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        row = int(np.argmin(np.isfinite(single)))
        why = "is beyond what float32 holds" if np.isfinite(values[row]) else "is not a finite number"
        raise InputError(f"{path}: column '{name}', row {first + row}: {values[row]} {why}")
    return single
