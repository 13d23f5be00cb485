"""Events that a stream accepted: when, which, its scores and its paths, as a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.runfolder import written_atomically
from codesign.handoff.apply.names import INTEGER, branch_names
from codesign.handoff.received import ReceivedBundle
from codesign.handoff.stream.orbit import CROSSINGS
from codesign.handoff.stream.stream_record import StreamRecord

__all__ = ("Kept",)

Codes = NDArray[np.int64]


class Kept:
    """The first ``most`` accepted events."""

    def __init__(self, most: int) -> None:
        self._most, self._held = most, 0
        self._pieces: list[tuple[Codes, Codes, Codes, NDArray[np.bool_]]] = []

    def add(self, crossings: Codes, which: Codes, outputs: Codes, paths: NDArray[np.bool_]) -> None:
        """Keep events: their crossings, places among the distinct events, those events' outputs, paths that fired."""
        room = self._most - self._held
        if room > 0 and len(which):
            self._pieces.append((crossings[:room], which[:room], outputs[which[:room]], paths[:room]))
            self._held += len(which[:room])

    def write(self, path: Path, received: ReceivedBundle, record: StreamRecord) -> None:
        """Write Parquet: ``orbitNumber``, ``bunchCrossing``, ``event`` (its place among the distinct events), score and
        integer of each output, and one column of bits for each path."""
        import pyarrow
        import pyarrow.parquet

        design, paths = received.design, record.menu.paths
        size = design.outputs.size
        empty = (
            np.empty(0, np.int64),
            np.empty(0, np.int64),
            np.empty((0, size), np.int64),
            np.empty((0, len(paths)), bool),
        )
        crossings, which, outputs, bits = (np.concatenate(part) for part in zip(empty, *self._pieces, strict=True))
        columns = {"orbitNumber": crossings // CROSSINGS, "bunchCrossing": crossings % CROSSINGS, "event": which}
        for i, name in enumerate(branch_names(design.outputs.labels)):
            columns[name] = (outputs[:, i] * design.outputs.lsbs[i]).astype(np.float32)
            columns[f"{name}{INTEGER}"] = outputs[:, i].astype(np.int32)
        columns |= {f"path_{p.name}": bits[:, i] for i, p in enumerate(paths)}
        with written_atomically(path) as temporary:
            pyarrow.parquet.write_table(pyarrow.table(columns), temporary)
