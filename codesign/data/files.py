"""What ``codesign data make`` and ``codesign data show`` do, as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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
    """Summarise a sample of jets, or a file of events (as ``describe_events`` does).

    Returns ``file``, ``rows``, ``classes`` (name -> rows), ``features`` (name -> unit, min, mean, max),
    ``constituents`` (whether the file has them) and ``provenance``. InputError where the file is not a valid sample.
    """
    from codesign.data.readers import read_sample
    from codesign.physics.events.container import NotEvents
    from codesign.physics.events.show import describe_events

    try:
        return describe_events(path)
    except NotEvents:
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
