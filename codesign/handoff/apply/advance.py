"""How far a job of several files is, and what of it would stay if it were interrupted now."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from codesign.handoff.apply.histograms import Histograms
from codesign.handoff.apply.inputs_check import Readable
from codesign.handoff.apply.names import PREFIX

__all__ = ("Advance", "ScoreCounts")


@dataclass(frozen=True)
class Advance:
    """The whole job: events of all files, ``total`` where every file says how many it has, and scored a second."""

    file: str
    finished: int
    files: int
    events: int
    total: int | None
    rate: float | None

    def line(self) -> str:
        """In one line."""
        events = f"{self.events} of {self.total}" if self.total is not None else f"{self.events}"
        rate = f", {self.rate:,.0f} a second" if self.rate else ""
        number = min(self.finished + 1, self.files)
        return f"scores: {events} events{rate}, file {number} of {self.files} ({self.file})"

    def kept(self) -> str:
        """What stays of it, and how to go on."""
        if not self.finished:
            return f"none of {self.files} files was finished, and the same command begins again"
        more = "all" if self.finished == self.files else f"{self.finished} of {self.files}"
        return f"{more} files of scores are finished and stay, and the same command goes on with the others"


class ScoreCounts:
    """Counts of the file that is scored now and of the whole, and the histograms of all."""

    def __init__(
        self,
        histograms: Histograms | None,
        readable: Sequence[Readable | None],
        progress: Callable[[Advance], None] | None,
    ) -> None:
        self.histograms = histograms
        self.events = self.rows = 0
        self._progress = progress
        entries = [r.entries for r in readable if r is not None and r.entries is not None]
        self._total = sum(entries) if len(entries) == len(readable) else None
        self._files, self._finished = len(readable), 0
        self._whole = self._scored = 0
        self._name = ""
        self._began = time.monotonic()

    def begin(self, name: str) -> None:
        """The next file."""
        self._name, self.events, self.rows = name, 0, 0

    def end(self) -> None:
        """The file is finished."""
        self._finished += 1
        self._tell()

    def add(self, events: int, columns: Mapping[str, Any], scored: bool = True) -> None:
        """Count events, and the rows of their outputs, (rows,) each; ``scored``: now, not before."""
        self.events += events
        self._whole += events
        self._scored += events if scored else 0
        self.rows += len(next(iter(columns.values())))
        if self.histograms is not None:
            self.histograms.fill(columns)
        self._tell()

    def count(self, piece: Any) -> Any:
        """Count a piece on its way to the file."""
        import awkward as ak

        scores = piece[PREFIX]
        flat = ak.flatten(scores) if scores.ndim > 1 else scores
        self.add(len(piece), {name: np.asarray(flat[name]) for name in flat.fields})
        return piece

    def _tell(self) -> None:
        if self._progress is not None:
            seconds = time.monotonic() - self._began
            rate = self._scored / seconds if self._scored and seconds > 0 else None
            self._progress(Advance(self._name, self._finished, self._files, self._whole, self._total, rate))
