"""What a file of events holds: collections, how many objects, ranges of their fields."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from codesign.physics.events.container import chunk_size
from codesign.physics.events.event_record import collection_of, wanted_names
from codesign.physics.events.reading import open_events

__all__ = ("describe_events",)

#: Ranges are of the first events: a file may be terabytes.
_EVENTS = 100_000
_CHUNK = "50 MB"


def describe_events(path: str | Path) -> dict[str, Any]:
    """Summarise a file of events.

    Returns ``file``, ``kind``, ``names`` (whose), ``events``, ``summarised`` (how many the rest is of: the first),
    ``collections`` (name -> objects per event: mean, most), ``fields`` (name -> from, min, mean, max, and ``not
    finite`` where there are such), ``processes`` (name -> events, where the file says), and ``others`` (collections
    that the common record does not know).

    Raises
    ------
    NotEvents: the file is not of events. InputError: it is damaged.
    """
    import awkward as ak

    processes: Counter[str] = Counter()
    with open_events(path) as file:
        readable = file.readable()
        names = wanted_names(file.path, None, (), readable)
        known = {collection_of(n)[0] for n in names}
        others = sorted({c for n in file.columns if (c := collection_of(n)[0]) and c not in known})
        totals: dict[str, _Total] = {name: _Total() for name in names}
        counts: dict[str, _Total] = {}
        seen = 0
        for chunk in file.raw(names, chunk_size(_CHUNK)):
            chunk = {name: array[: _EVENTS - seen] for name, array in chunk.items()}
            for name, array in chunk.items():
                if array.ndim > 1:
                    counts.setdefault(collection_of(name)[0], _Total()).add(np.asarray(ak.num(array)), name)
                    array = ak.flatten(array)
                if name == "process":
                    processes.update(array.to_list())
                    continue
                totals[name].add(np.asarray(array), name)
            seen += len(next(iter(chunk.values())))
            if seen >= _EVENTS:
                break
        return {
            "file": str(path),
            "kind": file.kind,
            "names": file.dialect,
            "events": file.entries if file.entries is not None else seen if seen < _EVENTS else f"at least {seen}",
            "summarised": seen,
            "collections": {name: {"mean": total.mean, "most": total.high} for name, total in counts.items()},
            "fields": {
                name.replace("_", ".", 1) if collection_of(name)[0] else name: {
                    "from": ", ".join(readable[name].needs[:1]),
                    **totals[name].summary(),
                }
                for name in names
                if name != "process"
            },
            "processes": dict(processes.most_common()),
            "others": others,
        }


class _Total:
    """Range and mean of numbers that come chunk by chunk."""

    def __init__(self) -> None:
        self.low: float | None = None
        self.high: float | None = None
        self.bad = self._number = 0
        self._sum = 0.0
        self._name = ""

    def add(self, values: Any, name: str) -> None:
        """Take in the values of one chunk of one column; a collection is counted by its first column alone."""
        self._name = self._name or name
        if name != self._name:
            return
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        self.bad += len(values) - len(finite)
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
            self.low = low if self.low is None else min(self.low, low)
            self.high = high if self.high is None else max(self.high, high)
            self._sum += float(finite.sum(dtype=np.float64))
            self._number += len(finite)

    @property
    def mean(self) -> float | None:
        """Mean of the finite values, None where there are none."""
        return self._sum / self._number if self._number else None

    def summary(self) -> dict[str, Any]:
        """min, mean, max, not finite."""
        return {"min": self.low, "mean": self.mean, "max": self.high, "not finite": self.bad or None}
