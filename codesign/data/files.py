"""What ``codesign data make`` and ``codesign data show`` do, as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from codesign.data.table_facts import ColumnFacts

__all__ = ("describe", "make_data")


def make_data(
    card: str,
    events: int,
    output: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    pile_up: float | None = None,
) -> Path:
    """Generate what a card says, jets or trigger events, and write it; returns the file.

    ``card``: shipped name or path; ``events``: number of jets or events; ``output``: a .parquet or .root file, by
    default ``<card>-<events>`` in the current folder, jets as .parquet and events as .root; ``progress(done, total)``
    is called on the way; ``pile_up``: mean number of collisions of trigger events, instead of the card's. InputError
    or ToolError as in ``generated_sample`` and ``simulated_events``, and InputError where the file cannot be written.
    """
    from codesign.core.errors import InputError
    from codesign.data.generated import generated_sample
    from codesign.data.writers import write_sample
    from codesign.physics.card import load_card, makes_events

    if makes_events(card):
        return _make_events(card, events, output, progress, pile_up)
    if pile_up is not None:
        raise InputError(f"'{card}' makes jets of one collision: only cards of trigger events have pile-up")
    path = Path(output) if output is not None else Path(f"{load_card(card).name}-{events}.parquet")
    if path.suffix.lower() not in (".parquet", ".root"):  # before generating, not after
        raise InputError(f"{path}: a sample is written as .parquet or .root, not '{path.suffix or 'without suffix'}'")
    write_sample(generated_sample(card, events, progress), path)
    return path


def _make_events(
    card: str, events: int, output: Path | None, progress: Callable[[int, int], None] | None, pile_up: float | None
) -> Path:
    from codesign.core.errors import InputError
    from codesign.physics.detector import load_event_card, simulated_events
    from codesign.physics.detector.simulate import provenance_of
    from codesign.physics.events import read_events, write_events
    from codesign.physics.events.writing import FORMATS

    resolved = load_event_card(card, pile_up=pile_up)
    path = Path(output) if output is not None else Path(f"{resolved.name}-{events}.root")
    if path.suffix.lower() not in FORMATS.values():  # before generating, not after
        raise InputError(f"{path}: events are written as .root or .parquet, not '{path.suffix or 'without suffix'}'")
    files = simulated_events(card, events, pile_up=pile_up, progress=progress)
    write_events(path, read_events(files, None), metadata=provenance_of(resolved))
    return path


def describe(path: str | Path) -> dict[str, Any]:
    """Summarise a sample of jets, a file of events (as ``describe_events`` does), or any other table.

    Returns ``file``, ``rows``, ``classes`` (name -> rows), ``features`` (name -> unit, min, mean, max),
    ``constituents`` (whether the file has them) and ``provenance``; of a table with none of our columns ``kind``,
    ``columns`` and its probable ``label``. InputError where the file is neither.
    """
    from codesign.data.readers import read_sample
    from codesign.physics.events.container import NotEvents
    from codesign.physics.events.show import describe_events

    try:
        return describe_events(path)
    except NotEvents:
        if (table := _other_table(Path(path))) is not None:
            return table
        sample = read_sample(path)
    counts = np.bincount(sample.labels, minlength=len(sample.class_names))
    features = {
        name: {
            "unit": unit,
            "min": float(column.min()),
            "mean": float(column.mean(dtype=np.float64)),
            "max": float(column.max()),
        }
        for name, unit, column in zip(sample.feature_names, sample.units, sample.features.T, strict=True)
    }
    return {
        "file": str(path),
        "rows": len(sample),
        "classes": dict(zip(sample.class_names, counts.tolist(), strict=True)),
        "features": features,
        "constituents": sample.constituents is not None,
        "provenance": sample.provenance,
    }


def _other_table(path: Path) -> dict[str, Any] | None:
    """Of a table with none of our columns, what is in it; None for anything else."""
    from codesign.core.errors import InputError
    from codesign.data.input_tables import columns_of
    from codesign.data.table_facts import look_at_table
    from codesign.data.table_files import TableFile
    from codesign.physics.substructure import FEATURE_NAMES

    try:
        names = columns_of(path)
        if not names or {name.removeprefix("j_") for name in names} & {*FEATURE_NAMES, "features"}:
            return None
        facts = look_at_table(TableFile(path))
    except InputError:
        return None
    return {
        "file": str(path),
        "rows": facts.rows,
        "kind": facts.kind,
        "label": facts.label,
        "columns": {c.name: _column(c) for c in facts.columns},
    }


def _column(facts: ColumnFacts) -> dict[str, Any]:
    numbers = facts.kind in ("number", "flag")
    return {
        "kind": f"{facts.kind}, at most {facts.longest} long" if facts.kind == "list" else facts.kind,
        "missing": facts.missing,
        "min": facts.low if numbers else "",
        "mean": facts.mean if numbers else "",
        "max": facts.high if numbers else "",
        "values": ", ".join(f"{value} ({count:,})" for value, count in list(facts.values.items())[:6]),
    }
