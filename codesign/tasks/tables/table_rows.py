"""TableRows of the user's tables, in pieces: expressions, selection and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, of_study
from codesign.core.reading.detection import head_of, kind_of
from codesign.data.column_expressions import ColumnExpression, expand_slice
from codesign.data.item_columns import ItemColumns, stack_items
from codesign.data.table_files import TableFile, open_table
from codesign.physics.events.container import ChunkSize
from codesign.tasks.tables.table_settings import (
    ClassificationSettings,
    LabelSettings,
    RegressionSettings,
    TableSettings,
)

__all__ = ("RowReader", "TableRows", "must_name_columns")

_ROWS = 100_000
#: files whose columns are looked at before anything runs, and bytes of one that must be read for it
_LOOKED_AT, _LARGE = 20, 1 << 26


@dataclass
class TableRows:
    """What is read of some rows: features (rows, n), items (rows, max, fields), and (rows,) of each other thing."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[Any] | None = None
    weights: NDArray[np.float64] | None = None
    targets: NDArray[np.float64] | None = None
    items: NDArray[np.float32] | None = None
    split: int = 0
    #: weight of all rows that were read, those that are not selected too
    total: float = 0.0


@dataclass
class RowReader:
    """Reads files of one study into rows."""

    settings: TableSettings
    classes: tuple[str, ...]
    found: Counter[str] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)
    read: int = 0
    selected: int = 0

    def rows(self, file: TableFile, of_class: int | None, split: int) -> Iterator[TableRows]:
        """All rows of a file that are selected, in pieces."""
        settings = self.settings
        with open_table(file) as table:
            known = [name for name, native in table.natives.items() if not native.problem or "string" in native.problem]
            parsed = _Parsed(settings, known, str(file))
            left = settings.rows
            for _, columns in table.chunks(parsed.columns, ChunkSize(events=min(_ROWS, left or _ROWS))):
                rows = len(next(iter(columns.values())))
                self.read += rows
                keep = np.ones(rows, dtype=bool)
                if parsed.select is not None:
                    keep = _numbers(parsed.select.values(columns), parsed.select.text, rows).astype(bool)
                self.selected += int(keep.sum())
                yield self._piece(parsed, columns, keep, of_class, split)
                if left is not None and (left := left - rows) <= 0:
                    return

    def _piece(
        self, parsed: _Parsed, columns: dict[str, Any], keep: NDArray[np.bool_], of_class: int | None, split: int
    ) -> TableRows:
        rows = len(keep)
        features = np.column_stack([_numbers(e.values(columns), e.text, rows) for e in parsed.features])
        piece = TableRows(features[keep].astype(np.float32), np.zeros(int(keep.sum()), dtype=np.int64), split=split)
        piece.total = float(rows)
        if of_class is not None:
            piece.labels[:] = of_class
        elif parsed.label is not None:
            assert isinstance(self.settings, ClassificationSettings)
            assert self.settings.label is not None
            values = np.asarray(parsed.label.values(columns))[keep]
            piece.labels = self._labels(values, self.settings.label)
        for name in ("weights", "target", "by"):
            expression: ColumnExpression | None = getattr(parsed, name)
            if expression is None:
                continue
            if name == "by":
                values = np.asarray(expression.values(columns))[keep]
                modulo = self.settings.split.modulo
                piece.groups = values.astype(np.int64) % modulo if modulo is not None else values
            elif name == "weights":
                weights = _numbers(expression.values(columns), expression.text, rows)
                piece.weights, piece.total = weights[keep], float(weights[np.isfinite(weights)].sum())
            else:
                piece.targets = _numbers(expression.values(columns), expression.text, rows)[keep]
        if parsed.items is not None and self.settings.constituents is not None:
            own = self.settings.constituents.layout
            lists = parsed.items.lists(columns)
            piece.items = stack_items(lists, own.fields, own.items)[keep]
        return piece

    def _labels(self, values: NDArray[Any], declared: LabelSettings) -> NDArray[np.int64]:
        """Place of each row's class; what nobody declared is counted, and -1."""
        found, inverse, counts = np.unique(values.astype(object) if values.dtype.kind == "O" else values,
                                           return_inverse=True, return_counts=True)  # fmt: skip
        if len(found) > 1000:
            raise InputError(
                f"sample.label: '{declared.column}' has {len(found):,} values, such as {found[0]} and {found[1]}: "
                "it is no label of classes"
            )
        places = {name: place for place, name in enumerate(self.classes)}
        of_value = np.full(len(found), -1)
        known = {_plain(value): name for value, name in declared.classes.items()}
        for i, (value, count) in enumerate(zip(found.tolist(), counts.tolist(), strict=True)):
            name = known.get(_plain(value))
            if name is None:
                self.strange[str(value)] += count
            else:
                of_value[i] = places[name]
                self.found[name] += count
        return of_value[inverse]


def _plain(value: object) -> str:
    """A label as it is compared: 1, 1.0 and True are one; text is itself."""
    if isinstance(value, bool | int | float):
        return f"{float(value):g}"
    return str(value)


def must_name_columns(settings: TableSettings, files: Sequence[TableFile]) -> None:
    """InputError where a file is not there, or lacks a column that the study names; nothing is computed.

    The first of many files are looked at, and none that is read as a whole and is large.
    """
    for file in files[:_LOOKED_AT]:
        head = head_of(file.path)
        if kind_of(head) not in ("Parquet", "ROOT") and file.path.stat().st_size > _LARGE:
            continue
        with open_table(file) as table:
            known = [name for name, native in table.natives.items() if not native.problem or "string" in native.problem]
            _Parsed(settings, known, str(file))


class _Parsed:
    """The study's expressions over the columns of one file."""

    def __init__(self, settings: TableSettings, known: Collection[str], where: str) -> None:
        def parse(text: str | None, key: str) -> ColumnExpression | None:
            with of_study("sample", *key.split(".")):
                return None if text is None else ColumnExpression.of(text, known, f"{where}: sample.{key}")

        self.features: list[ColumnExpression] = []
        for place, text in enumerate(settings.features):
            with of_study("sample", "features", place):
                every = expand_slice(text, known)
                self.features += [ColumnExpression.of(one, known, f"{where}: sample.features") for one in every]
        label = settings.label if isinstance(settings, ClassificationSettings) else None
        self.label = parse(label.column if label else None, "label.column")
        self.target = parse(
            settings.target.column if isinstance(settings, RegressionSettings) else None, "target.column"
        )
        self.weights = parse(settings.weights, "weights")
        self.select = parse(settings.select, "select")
        self.by = parse(settings.split.by, "split.by")
        self.items: ItemColumns | None = None
        if settings.constituents is not None:
            own = settings.constituents.layout
            with of_study("sample", "constituents"):
                self.items = ItemColumns.of(
                    own.name, own.fields, own.order, own.validity, known, f"{where}: sample.constituents"
                )
        others = (self.label, self.target, self.weights, self.select, self.by)
        read = [*self.features, *(e for e in others if e is not None)]
        names = [*(name for e in read for name in e.columns), *(self.items.columns if self.items else ())]
        self.columns = list(dict.fromkeys(names))


def _numbers(values: Any, text: str, rows: int) -> NDArray[np.float64]:
    """One number a row; InputError where there is a list, or text."""
    import awkward as ak

    if isinstance(values, ak.Array):
        if values.ndim != 1:
            raise InputError(f"'{text}' is a list a row: take one place of it, '{text}[0]', or some, '{text}[:4]'")
        values = ak.to_numpy(values)
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputError(f"'{text}' holds text, such as '{array.ravel()[0] if array.size else ''}': a number is needed")
    return np.broadcast_to(array.astype(np.float64), (rows,))
