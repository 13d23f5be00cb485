"""What ``codesign data make`` and ``codesign data show`` do, as plain functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ("describe", "make_data")


def make_data(
    card: str, events: int, output: Path | None = None, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Generate jets and write them; returns the file.

    ``card``: shipped name or path; ``events``: number of jets; ``output``: a .parquet or .root file, by default
    ``<card>-<events>.parquet`` in the current folder; ``progress(done, total)`` is called as jets are made.
    InputError or ToolError as in ``generated_sample``, and InputError where the file cannot be written.
    """
    from codesign.errors import InputError
    from codesign.physics.card import load_card
    from codesign.physics.generate import generated_sample
    from codesign.physics.writers import write_sample

    path = Path(output) if output is not None else Path(f"{load_card(card).name}-{events}.parquet")
    if path.suffix.lower() not in (".parquet", ".root"):  # before generating, not after
        raise InputError(f"{path}: a sample is written as .parquet or .root, not '{path.suffix or 'without suffix'}'")
    write_sample(generated_sample(card, events, progress), path)
    return path


def describe(path: str | Path) -> dict[str, Any]:
    """Summarise a sample of jets, or a file of events (as ``describe_events`` does).

    Returns ``file``, ``rows``, ``classes`` (name -> rows), ``features`` (name -> unit, min, mean, max),
    ``constituents`` (whether the file has them) and ``provenance``. InputError where the file is not a valid sample.
    """
    from codesign.physics.events.container import NotEvents
    from codesign.physics.events.show import describe_events
    from codesign.physics.readers import read_sample

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
