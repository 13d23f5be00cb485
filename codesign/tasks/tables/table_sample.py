"""From the user's tables to a sample: expressions, selection, labels, weights, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from codesign.core.errors import InputError
from codesign.core.layout import BlockValues
from codesign.data.column_expressions import expand_slice
from codesign.data.readers.checks import digest
from codesign.data.sample import Sample
from codesign.data.table_files import TableFile, open_table, table_files
from codesign.tasks.tables.table_rows import RowReader, TableRows, must_name_columns
from codesign.tasks.tables.table_settings import (
    ClassificationSettings,
    RegressionSettings,
    TableSettings,
    TargetSettings,
)

__all__ = ("must_read_tables", "sample_of_tables")


@dataclass(frozen=True)
class _Planned:
    """A file, the entry of the study that names it, the class that it is of, its split (0 where it is shared out)."""

    file: TableFile
    entry: str
    of_class: int | None
    split: int


def _plan(settings: TableSettings) -> list[_Planned]:
    named: list[tuple[str, int | None, int]]
    if isinstance(settings.files, dict):
        named = [(n, place, 0) for place, names in enumerate(settings.files.values()) for n in names]
    else:
        own = (settings.files, settings.split.validation, settings.split.test)
        named = [(n, None, place) for place, names in enumerate(own) for n in names]
    found: dict[tuple[str, int | None, int], _Planned] = {}
    for name, of_class, split in named:
        for file in table_files([name]):  # two entries may name one file, which is read once
            found.setdefault((str(file), of_class, split), _Planned(file, name, of_class, split))
    return list(found.values())


def must_read_tables(settings: TableSettings) -> None:
    """InputError where a file of the study is not there, or lacks a column that it names."""
    must_name_columns(settings, [planned.file for planned in _plan(settings)])


def sample_of_tables(settings: TableSettings, classes: Sequence[str] = ()) -> Sample:
    """Read the tables of a study.

    Returns
    -------
    Sample: features (rows, n) float32 in the file's own units, labels by ``classes``, weights of mean 1, and what was
    read, selected and dropped in ``provenance``.

    Raises
    ------
    InputError: no such file or column, labels that are not declared (with what was found, and how often), values that
        are missing (with where) and no policy for them, weights below 0, nothing left, features that are one.
    """
    reader, pieces = RowReader(settings, tuple(classes)), []
    plan = _plan(settings)
    read: dict[str, list[TableRows]] = {}
    for one in plan:
        found = list(reader.rows(one.file, one.of_class, one.split))
        pieces += found
        read.setdefault(one.entry, []).extend(found)
    if settings.cross_sections:
        _weigh(read, settings.cross_sections)
    if reader.strange:
        assert isinstance(settings, ClassificationSettings)
        assert settings.label is not None
        shown = ", ".join(f"{value} ({count:,})" for value, count in reader.strange.most_common(8))
        known = ", ".join(f"{name} ({count:,})" for name, count in reader.found.items()) or "none"
        raise InputError(
            f"sample.label: '{settings.label.column}' holds {shown}, which no class is declared for; of declared ones: "
            f"{known}. Declare them in sample.label.classes, or leave them out with sample.select"
        )
    first = pieces[0]
    names = _names(settings, plan[0].file)
    features = np.concatenate([p.features for p in pieces])
    told: dict[str, JsonValue] = {"rows": reader.read, "selected": reader.selected}
    whole = {
        "labels": np.concatenate([p.labels for p in pieces]),
        "split": np.concatenate([np.full(len(p.labels), p.split) for p in pieces]),
    }
    for name in ("groups", "weights", "targets", "items"):
        if getattr(first, name) is not None:
            whole[name] = np.concatenate([getattr(p, name) for p in pieces])
    if not len(features):
        raise InputError(f"no row of {reader.read:,} is left: sample.select, '{settings.select}', drops all of them")
    keep, unknown = _missing(settings, features, names, whole, told)
    fill = None
    if settings.missing.policy == "value":  # also of files to which the network is applied
        fill = dict.fromkeys(names, settings.missing.value)
        features = np.where(unknown, np.float32(settings.missing.value), features)
    features, unknown = features[keep], unknown[keep]
    whole = {name: values[keep] for name, values in whole.items()}
    _refuse_twins(features, names)
    labels = whole["labels"]
    for place, name in enumerate(classes):
        if not (labels == place).any():
            raise InputError(f"no row is of the class '{name}': of {len(labels):,} rows {_counts(labels, classes)}")
    weights = _weights(whole.get("weights"), labels, classes, settings)
    groups = whole.get("groups")
    target = settings.target if isinstance(settings, RegressionSettings) else None
    if target is not None:
        _must_be_scaled(whole["targets"], target)
    blocks: tuple[BlockValues, ...] = ()
    if settings.constituents is not None:
        blocks = (BlockValues(settings.constituents.layout, whole["items"]),)
    told |= {"origin": "tables", "files": [_told_file(planned.file) for planned in plan]}
    told |= {"classes": {name: int((labels == place).sum()) for place, name in enumerate(classes)}}
    return Sample(
        features=np.where(unknown, np.float32(0), features) if settings.missing.policy == "median" else features,
        unknown=unknown if settings.missing.policy == "median" else None,
        fill=fill,
        labels=labels,
        feature_names=names,
        units=tuple(settings.units.get(name, "") for name in names),
        class_names=tuple(classes) or ("all",),
        blocks=blocks,
        provenance=dict(told),
        collisions=None if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64),
        targets=None if target is None else whole["targets"][:, None].astype(np.float32),
        target_names=() if target is None else (target.name,),
        target_units=() if target is None else (target.unit,),
        weights=weights,
        assigned=None if not settings.split.validation else whole["split"].astype(np.int8),
    )


def _weigh(read: dict[str, list[TableRows]], cross_sections: Mapping[str, float]) -> None:
    """Scale weights so that all rows of an entry, those that were not selected too, weigh its cross-section."""
    for entry, pieces in read.items():
        total = sum(piece.total for piece in pieces)
        if not total > 0:
            raise InputError(f"sample.cross_sections: the rows of '{entry}' weigh {total:g} in all: none can be scaled")
        for piece in pieces:
            own = np.ones(len(piece.labels)) if piece.weights is None else piece.weights
            piece.weights = own * (cross_sections[entry] / total)


def _names(settings: TableSettings, file: TableFile) -> tuple[str, ...]:
    with open_table(file) as table:
        known = list(table.natives)
    names = tuple(one for text in settings.features for one in expand_slice(text, known))
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"sample.features: '{twice}' is there twice")
    return names


def _missing(
    settings: TableSettings, features: NDArray[np.float32], names: Sequence[str], whole: dict[str, NDArray[Any]],
    told: dict[str, JsonValue],
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:  # fmt: skip
    """Which rows are kept (rows,), and which features are missing (rows, n); InputError where the study says nothing of
    what is done with those."""
    unknown = ~np.isfinite(features)
    for name in ("weights", "targets"):
        if name in whole and (lost := ~np.isfinite(whole[name])).any():
            raise InputError(
                f"sample.{name.removesuffix('s')}: {lost.sum():,} of {len(lost):,} rows have no finite value"
            )
    counts = {name: int(n) for name, n in zip(names, unknown.sum(axis=0), strict=True) if n}
    lost = unknown.any(axis=1)
    if (items := whole.get("items")) is not None:
        assert settings.constituents is not None
        own = settings.constituents
        strange = ~np.isfinite(items)
        per_field = strange.any(axis=1).sum(axis=0).tolist()
        counts |= {f"{own.collection}.{f}": n for f, n in zip(own.layout.fields, per_field, strict=True) if n}
        if strange.any() and settings.missing.policy == "median":
            raise InputError(
                f"sample.missing: values of '{own.collection}' are missing, and a median is of features: choose drop "
                "or value"
            )
        if settings.missing.policy == "value":
            items[strange] = np.float32(settings.missing.value)
        else:
            lost = lost | strange.any(axis=(1, 2))
    keep = np.ones(len(features), dtype=bool)
    if not counts:
        return keep, unknown
    shown = ", ".join(f"{name} ({n:,} of {len(features):,})" for name, n in list(counts.items())[:6])
    empty = [name for name, n in counts.items() if n == len(features)]
    if empty:
        raise InputError(f"sample.features: '{empty[0]}' has no finite value in any row: leave it out")
    if settings.missing.policy == "refuse":
        raise InputError(
            f"sample.features: values are missing or not finite: {shown}; say what is done with them in "
            "sample.missing: {policy: drop}, {policy: median} or {policy: value, value: -1}"
        )
    told["missing"] = dict(counts)
    told["missing policy"] = settings.missing.policy
    if settings.missing.policy == "drop":
        keep = ~lost
        if not keep.any():
            raise InputError(f"sample.missing: every row lacks something: {shown}; choose another policy than drop")
    return keep, unknown


def _refuse_twins(features: NDArray[np.float32], names: Sequence[str]) -> None:
    """Refuse what tells nothing: a feature of one value, and two that are the same."""
    for name, column in zip(names, features.T, strict=True):
        known = column[np.isfinite(column)]
        if known.std(dtype=np.float64) == 0:
            raise InputError(f"sample.features: '{name}' is {known[0]:g} in every row: leave it out")
    seen: dict[bytes, str] = {}
    for name, column in zip(names, features.T, strict=True):
        other = seen.setdefault(np.ascontiguousarray(column).tobytes(), name)
        if other != name:
            raise InputError(f"sample.features: '{name}' and '{other}' hold the same: leave one out")


def _weights(
    weights: NDArray[np.float64] | None, labels: NDArray[np.int64], classes: Sequence[str], settings: TableSettings
) -> NDArray[np.float32] | None:
    if weights is None:
        return None
    if (negative := weights < 0).any():
        share = -weights[negative].sum() / np.abs(weights).sum()
        raise InputError(
            f"sample.weights: {negative.sum():,} of {len(weights):,} rows have a weight below 0 ({share:.1%} of all "
            f"weight), and nothing can be learned from them: leave them out (select: {settings.weights} > 0), or take "
            f"their size (weights: abs({settings.weights}))"
        )
    for place, name in enumerate(classes):
        if not weights[labels == place].sum() > 0:
            raise InputError(f"sample.weights: every row of the class '{name}' has the weight 0")
    if not weights.sum() > 0:
        raise InputError("sample.weights: every row has the weight 0")
    return np.asarray(weights / weights.mean(), dtype=np.float32)


def _must_be_scaled(values: NDArray[np.float64], target: TargetSettings) -> None:
    """A network learns numbers of the size of 1: refuse a scale that is far from the target's own."""
    middle, spread = float(values.mean()), float(values.std())
    if spread == 0:
        raise InputError(f"sample.target: '{target.column}' is {middle:g} in every row")
    if not 0.1 < spread / target.spread < 10 or abs(middle - target.middle) > 5 * spread:
        raise InputError(
            f"sample.target: '{target.column}' is {middle:.4g} on average and spreads by {spread:.4g}; outputs are in "
            f"units of middle {target.middle:g} and spread {target.spread:g}: write middle: {middle:.3g}, "
            f"spread: {spread:.3g}"
        )


def _counts(labels: NDArray[np.int64], classes: Sequence[str]) -> str:
    return ", ".join(f"{int((labels == place).sum()):,} of '{name}'" for place, name in enumerate(classes))


def _told_file(file: TableFile) -> dict[str, JsonValue]:
    return {"file": file.path.name, "tree": file.tree, "sha256": digest(file.path)}
