"""Tables with one column per feature, read in bounded memory: Parquet, a ROOT tree of numbers, or any other table.

A feature that is no column is an expression over columns, as a study has them (``pt / ht``).

A block of items is one column of lists, ``constituents``, an item's fields one after another, or a column of lists for
each field, ``constituent_pt`` (what ``codesign data make`` writes), ``PFCands.pt`` or ``PFCands_pt``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, nearest
from codesign.core.layout import Layout, fit_items
from codesign.core.printing import visible
from codesign.core.reading.detection import head_of, kind_of, name_damage
from codesign.data.column_expressions import ColumnExpression
from codesign.data.item_columns import ItemColumns
from codesign.data.table_files import TableFile, open_table
from codesign.physics.events.container import ChunkSize, Container
from codesign.physics.events.parquet_events import ParquetTable
from codesign.physics.events.root_events import open_root

__all__ = ("KEPT", "Rows", "columns_of", "entries_of", "lacking", "table_chunks")

#: columns that tell which row is which, kept where a table has them as numbers
KEPT = ("run", "luminosityBlock", "event", "collision", "label")


_MOST_ITEMS = 1024
#: columns that a message names
_SHOWN = 12

#: of a block and items (rows, k, fields), the block's values (rows, *shape)
Arrange: TypeAlias = "Callable[[Layout, NDArray[np.float32]], NDArray[np.float32]]"


@dataclass(frozen=True)
class Rows:
    """Consecutive rows of a table: ``first`` is the place in the file of the first one.

    ``features``: (rows, n) float32, finite, the blocks one after another; ``kept``: columns of ``KEPT``, (rows,) each.
    """

    first: int
    features: NDArray[np.float32]
    kept: dict[str, NDArray[Any]]


def columns_of(path: Path, tree: str | None = None) -> list[str]:
    """Names of a file's columns, whatever they hold; empty where it is no table.

    InputError where the file is not there, damaged, or has no tree of the name ``tree``.
    """
    try:
        with _open(path, tree) as container:
            return list(container.natives)
    except InputError:
        if kind_of(head_of(path)) in ("Parquet", "ROOT"):
            raise
        return []


def entries_of(path: Path, tree: str | None = None) -> int | None:
    """How many rows a table has, where that is known without reading it; InputError as above."""
    with _open(path, tree) as container:
        return container.entries


@contextmanager
def _open(path: Path, tree: str | None) -> Iterator[Container]:
    kind = kind_of(head_of(path)) or ""
    if kind not in ("Parquet", "ROOT"):
        with open_table(TableFile(path, tree)) as other:
            yield other
        return
    with name_damage(path, kind):
        container = ParquetTable(path) if kind == "Parquet" else open_root(path, tree)
        try:
            yield container
        finally:
            container.close()


def lacking(blocks: Sequence[Layout], present: Collection[str]) -> str | None:
    """The first column that a table lacks to be of these blocks; None where it has all."""
    for block in blocks:
        if len(block.shape) == 1:
            missing = next((name for name in block.fields if not _knows(name, present)), None)
            if missing is not None:
                return missing
        elif block.name not in present:
            try:
                _columns_of(block, present)
            except InputError:
                return block.name
    return None


def _columns_of(block: Layout, present: Collection[str]) -> ItemColumns:
    """The columns that hold a block of items, one or more for each field."""
    return ItemColumns.of(block.name, block.fields, block.order, block.validity, present, "items")


def table_chunks(
    path: Path,
    blocks: Sequence[Layout],
    rows: int,
    tree: str | None = None,
    arrange: Arrange = fit_items,
    fill: Mapping[str, float] | None = None,
) -> Iterator[Rows]:
    """All rows of a table, at most ``rows`` at once; one empty piece where it has none.

    ``arrange`` makes a block of the items that a row has, in any number: it pads, sorts and cuts. ``fill``: by a
    feature's name, what stands for a value of it that is missing or not finite.

    InputError names the file, the column, and the row where there is one: a column that is missing or does not hold
    one number a row, a number that is not finite or does not fit float32, a damaged file.
    """
    with _open(path, tree) as container:
        natives = container.natives
        features = [name for block in blocks if len(block.shape) == 1 for name in block.fields]
        formulas = {
            n: ColumnExpression.of(n, natives, str(path)) for n in features if n not in natives and _knows(n, natives)
        }
        read = list(dict.fromkeys(c for n in features for c in (formulas[n].columns if n in formulas else (n,))))
        for name in features:
            if name not in formulas:
                _must_hold_numbers(path, name, container)
        several = [b for b in blocks if len(b.shape) > 1]
        items = {b.name: None if b.name in natives else _columns_of(b, natives) for b in several}
        lists = list(dict.fromkeys(n for b, own in items.items() for n in (own.columns if own else (b,))))
        for name in lists:
            _must_hold_lists(path, name, container)
        kept = [n for n in KEPT if n in natives and n not in (*read, *lists) and not _problem(n, container)]
        for first, columns in container.chunks(list(dict.fromkeys([*read, *lists, *kept])), ChunkSize(events=rows)):
            pieces = []
            for block in blocks:
                if len(block.shape) == 1:
                    numbers = [
                        _single(
                            path,
                            n,
                            np.asarray(formulas[n].values(columns) if n in formulas else columns[n]),
                            first,
                            (fill or {}).get(n),
                        )
                        for n in block.fields
                    ]
                    pieces.append(np.column_stack(numbers))
                    continue
                own = items[block.name]
                held = {block.name: columns[block.name]} if own is None else _lists(path, own, columns, first)
                found = _items(path, block, held, first)
                arranged = arrange(block, found)
                pieces.append(arranged.reshape(len(arranged), block.size))
            named = {name: values for name in kept if (values := np.asarray(columns[name])).dtype.kind in "fiub"}
            yield Rows(first, np.concatenate(pieces, axis=1), named)


def _knows(name: str, present: Collection[str]) -> bool:
    """Whether a feature is a column, or an expression over columns that are there."""
    if name in present:
        return True
    try:
        return bool(ColumnExpression.of(name, present).columns)
    except InputError:
        return False


def _missing(path: Path, name: str, container: Container) -> str:
    """That a column is not there, and which are."""
    there = list(container.natives)
    more = f" and {len(there) - _SHOWN} more" if there[_SHOWN:] else ""
    shown = ", ".join(visible(n) for n in there[:_SHOWN]) + more
    return f"{path}: column '{name}' is missing{nearest(name, there)}; it has {shown or 'none'}"


def _must_hold_lists(path: Path, name: str, container: Container) -> None:
    if name not in container.natives:
        raise InputError(_missing(path, name, container))
    native = container.natives[name]
    if not native.regular and (native.problem or not native.jagged):
        raise InputError(
            f"{path}: column '{name}' {native.problem or 'holds one number a row'}: items are a list a row"
        )


def _items(path: Path, block: Layout, columns: Mapping[str, Any], first: int) -> NDArray[np.float32]:
    """(rows, items, fields) of as many items as the longest row has, the others filled up with zeros."""
    import awkward as ak

    fields = len(block.fields)
    whole = fields if block.name in columns else 1
    lists = {name: ak.from_regular(values) for name, values in columns.items()}
    counts = {name: np.asarray(ak.num(values), dtype=np.int64) for name, values in lists.items()}
    name, number = next(iter(counts.items()))
    if (number % whole).any():
        row = int(np.argmax(number % whole != 0))
        raise InputError(
            f"{path}: column '{name}', row {first + row}: {number[row]} numbers are not of {fields} fields"
        )
    items = number // whole
    most = int(items.max(initial=0))
    if most > max(_MOST_ITEMS, block.items):  # all rows are held as if they had as many
        raise InputError(f"{path}: column '{name}': a row has {most} items, and at most {_MOST_ITEMS} are read")
    found = np.zeros((len(items), most, fields), dtype=np.float32)
    there = np.arange(most) < items[:, None]
    flat = [_finite(path, name, values, counts[name], first) for name, values in lists.items()]
    found[there] = flat[0].reshape(-1, fields) if whole > 1 else np.column_stack(flat)
    return found


def _finite(path: Path, name: str, lists: Any, counts: NDArray[np.int64], first: int) -> NDArray[np.float32]:
    import awkward as ak

    with np.errstate(over="ignore"):
        flat = np.asarray(ak.flatten(lists)).astype(np.float32)
    if not np.isfinite(flat).all():
        row = int(np.searchsorted(np.cumsum(counts), int(np.argmin(np.isfinite(flat))), side="right"))
        raise InputError(f"{path}: column '{name}', row {first + row}: a value is not a finite float32")
    return flat


def _must_hold_numbers(path: Path, name: str, container: Container) -> None:
    if name not in container.natives:
        raise InputError(_missing(path, name, container))
    if problem := _problem(name, container):
        raise InputError(f"{path}: column '{name}' {problem}: a feature is one number a row")


def _problem(name: str, container: Container) -> str:
    native = container.natives[name]
    return native.problem or ("holds a list a row" if native.jagged else "")


def _lists(path: Path, own: ItemColumns, columns: Mapping[str, Any], first: int) -> dict[str, Any]:
    """The fields of the items, each a list a row."""
    try:
        return own.lists(columns, first)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _single(path: Path, name: str, values: NDArray[Any], first: int, fill: float | None = None) -> NDArray[np.float32]:
    """A column as float32, (rows,)."""
    if values.dtype.kind not in "fiub" or values.ndim != 1:
        raise InputError(f"{path}: column '{name}' holds text or lists: a feature is one number a row")
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if fill is not None:
        return np.where(np.isfinite(single), single, np.float32(fill))
    if not np.isfinite(single).all():
        row = int(np.argmin(np.isfinite(single)))
        why = "is beyond what float32 holds" if np.isfinite(values[row]) else "is not a finite number"
        raise InputError(f"{path}: column '{name}', row {first + row}: {values[row]} {why}")
    return single
