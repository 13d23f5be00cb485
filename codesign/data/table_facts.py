"""What a table holds, by looking at it: columns, what is missing, constant or twice, what may be a label."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.data.table_files import TableFile, open_table
from codesign.physics.events.container import ChunkSize

__all__ = ("ColumnFacts", "TableFacts", "look_at_table")

#: rows that are looked at
MOST_ROWS = 200_000
#: of which so many tell how well a feature separates
_SEPARATED = 50_000
#: different values of what may be a label
_MOST_CLASSES = 20
_LABELS = re.compile(r"^(is_?\w+|label|class|target|truth|y|kind|type|category|signal|flag|\w*_label|\w*_class)$", re.I)
_WEIGHTS = re.compile(r"^(\w*_?weights?|genweight|w|wgt|\w*_w)$", re.I)
_NUMBERS = re.compile(
    r"^(run|event|evt|eventnumber|ev(en)?t_?(id|no|num|number)|luminosityblock|lumi\w*|index|id|row|entry)$", re.I
)


@dataclass(frozen=True)
class ColumnFacts:
    """One column. ``kind``: number, flag, text or list; ``values``: how often each, where there are few;
    ``counts_up``: whole numbers, each larger than the one before, such as a row's or an event's."""

    name: str
    kind: str
    missing: int = 0
    low: float = 0.0
    mean: float = 0.0
    high: float = 0.0
    values: dict[str, int] = field(default_factory=dict)
    longest: int = 0
    whole: bool = False
    counts_up: bool = False


@dataclass(frozen=True)
class TableFacts:
    """A table: ``rows`` in all, ``looked`` at of them; and what is probably what."""

    file: TableFile
    kind: str
    rows: int
    looked: int
    columns: tuple[ColumnFacts, ...]
    label: str | None
    weight: str | None
    event: str | None
    twins: dict[str, str]
    _seen: dict[str, Any] = field(repr=False, compare=False)

    def separation(self, features: tuple[str, ...]) -> dict[str, float]:
        """How well each feature alone tells the label's values apart: the area under the ROC curve, 0.5 to 1, of the
        value that it tells best, of the first rows."""
        from sklearn.metrics import roc_auc_score

        assert self.label is not None
        labels = self._seen[self.label][:_SEPARATED].astype(str)
        found = {}
        for name in features:
            values = np.nan_to_num(self._seen[name][:_SEPARATED].astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
            areas = [float(roc_auc_score(labels == value, values)) for value in np.unique(labels)[:_MOST_CLASSES]]
            found[name] = max(max(a, 1 - a) for a in areas) if len(areas) > 1 else 0.5
        return found

    @property
    def constant(self) -> tuple[str, ...]:
        """Columns of one value, or of none."""
        return tuple(c.name for c in self.columns if c.kind in ("number", "flag") and c.low == c.high)

    @property
    def names(self) -> tuple[str, ...]:
        """Of all columns."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> ColumnFacts:
        """By its name."""
        return next(c for c in self.columns if c.name == name)

    @staticmethod
    def _numbers_rows(column: ColumnFacts) -> bool:
        return bool(_NUMBERS.match(column.name)) or column.counts_up

    @property
    def numbers(self) -> tuple[str, ...]:
        """Columns that number rows or events, and tell nothing of them."""
        return tuple(c.name for c in self.columns if c.kind == "number" and self._numbers_rows(c))

    @property
    def features(self) -> tuple[str, ...]:
        """Columns of numbers that may tell something of the label."""
        others = {self.label, self.weight, self.event, *self.constant, *self.twins}
        return tuple(
            c.name
            for c in self.columns
            if c.kind in ("number", "flag") and c.name not in others and not self._numbers_rows(c)
        )


def look_at_table(file: TableFile, label: str | None = None) -> TableFacts:
    """Look at the first rows of a table; InputError where it is none, or has no such label."""
    with open_table(file) as table:
        usable = [name for name, native in table.natives.items() if not native.problem or "string" in native.problem]
        if label is not None and label not in usable:
            from codesign.core.errors import nearest

            raise InputError(f"{file}: has no column '{label}'{nearest(label, usable)}")
        if not usable:
            raise InputError(f"{file}: has no column of numbers or text")
        held: dict[str, list[Any]] = {name: [] for name in usable}
        looked = 0
        for _, columns in table.chunks(usable, ChunkSize(events=MOST_ROWS // 2)):
            for name in usable:
                held[name].append(columns[name])
            looked += len(next(iter(columns.values())))
            if looked >= MOST_ROWS:
                break
        if not looked:
            raise InputError(f"{file}: has no rows, read as {table.kind}")
        rows, kind = table.entries or looked, table.kind
    columns_seen = {name: _join(pieces) for name, pieces in held.items()}
    facts = tuple(_facts(name, values) for name, values in columns_seen.items())
    return TableFacts(
        file, kind, rows, looked, facts,
        label or _label_among(facts),
        next((c.name for c in facts if _WEIGHTS.match(c.name) and c.kind == "number"), None),
        next((c.name for c in facts if _NUMBERS.match(c.name) and c.name.lower().startswith("ev") and c.whole), None),
        _twins({n: v for n, v in columns_seen.items() if not _is_list(v) and v.dtype.kind in "biuf"}),
        {n: v for n, v in columns_seen.items() if not _is_list(v)},
    )  # fmt: skip


def _is_list(values: Any) -> bool:
    import awkward as ak

    return isinstance(values, ak.Array) and values.ndim > 1


def _join(pieces: list[Any]) -> Any:
    import awkward as ak

    if any(isinstance(piece, ak.Array) for piece in pieces):
        whole = ak.concatenate(pieces)
        return whole if whole.ndim > 1 else _plain(whole)
    return np.concatenate(pieces)


def _plain(values: Any) -> NDArray[Any]:
    import awkward as ak

    try:
        return np.asarray(ak.to_numpy(values))
    except (ValueError, TypeError):  # text
        return np.array(ak.to_list(values), dtype=object)


def _facts(name: str, values: Any) -> ColumnFacts:
    if _is_list(values):
        import awkward as ak

        return ColumnFacts(name, "list", longest=int(ak.max(ak.num(values), initial=0)))
    if values.dtype.kind not in "biuf":
        counts = Counter(dict(sorted(Counter(str(v) for v in values.tolist()).items())))
        return ColumnFacts(name, "text", counts.get("", 0), values=_few(counts))
    numbers = values.astype(np.float64)
    finite = numbers[np.isfinite(numbers)]
    missing = len(numbers) - len(finite)
    if not len(finite):
        return ColumnFacts(name, "number", missing)
    whole = bool((finite == np.rint(finite)).all())
    counts = Counter(finite.tolist()) if whole and finite.max() - finite.min() <= 10_000 else Counter()
    flag = values.dtype.kind == "b"
    shown = {(str(bool(v)).lower() if flag else f"{v:g}"): n for v, n in sorted(counts.items())}
    return ColumnFacts(
        name, "flag" if flag else "number", missing, float(finite.min()), float(finite.mean()), float(finite.max()),
        _few(Counter(shown)), whole=whole,
        counts_up=whole and len(finite) > _MOST_CLASSES and bool((np.diff(numbers) > 0).all()),
    )  # fmt: skip


def _few(counts: Counter[str]) -> dict[str, int]:
    return dict(counts) if 0 < len(counts) <= _MOST_CLASSES else {}


def _label_among(facts: tuple[ColumnFacts, ...]) -> str | None:
    """What has a label's name and few values; else the one column of text or flags with few."""
    few = [c for c in facts if len(c.values) > 1 and not c.missing]
    named = [c.name for c in few if _LABELS.match(c.name)]
    others = [c.name for c in few if c.kind in ("text", "flag")]
    return named[0] if named else others[0] if len(others) == 1 else None


def _twins(columns: dict[str, NDArray[Any]]) -> dict[str, str]:
    """Columns that hold the same as an earlier one."""
    seen: dict[bytes, str] = {}
    found = {}
    for name, values in columns.items():
        other = seen.setdefault(values.astype(np.float64).tobytes(), name)
        if other != name:
            found[name] = other
    return found
