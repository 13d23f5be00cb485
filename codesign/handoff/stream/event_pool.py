"""The distinct events that a stream is drawn from: a file's, or the bundle's golden vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.data.input_tables import table_chunks
from codesign.handoff.apply.given_file import given_file
from codesign.handoff.apply.inputs_check import check_all, read_as
from codesign.handoff.apply.scorer import Scorer
from codesign.handoff.scales import Scales
from codesign.physics.events import read_located

__all__ = ("EventPool", "pool_of")

_CHUNK = 50_000


@dataclass(frozen=True)
class EventPool:
    """Input codes (rows, n) int32; ``event``: (rows,) of each row, rising; ``events``: how many; several rows of an
    event are objects, of which the largest score counts."""

    codes: NDArray[np.int32]
    event: NDArray[np.int64]
    events: int
    origin: str

    def of_events(self, outputs: NDArray[np.int32]) -> NDArray[np.int64]:
        """The largest code of an event's rows for each output, (events, m); the least there is where it has none."""
        found = np.full((self.events, outputs.shape[1]), np.iinfo(np.int32).min, dtype=np.int64)
        np.maximum.at(found, self.event, outputs)
        return found


def pool_of(scorer: Scorer, files: Sequence[str], tree: str | None = None) -> EventPool:
    """All events of the files, quantised; InputError as of ``codesign apply``, and where there is none."""
    given = [given_file(f) for f in files]
    readable = check_all(scorer, given, tree)
    scales = Scales.of(scorer.manifest)
    codes: list[NDArray[np.int32]] = []
    places: list[NDArray[np.int64]] = []
    events = 0

    def add(features: NDArray[np.float32], event: NDArray[np.int64], size: int) -> None:
        nonlocal events
        codes.append(scales.codes(features))
        places.append(event + events)
        events += size

    for file, how in zip(given, readable, strict=True):
        with file.here() as path:
            if (how or read_as(scorer, path, tree)).table:
                for rows in table_chunks(path, scorer.blocks, _CHUNK, tree, scorer.arrange, scorer.fill):
                    size = len(rows.features)
                    add(rows.features, np.arange(size), size)
            else:
                for piece in read_located(path, scorer.task.collections, _CHUNK, tree=tree):
                    with piece.named():
                        inputs = scorer.task.inputs(piece.events)
                    add(inputs.flat(scorer.blocks), inputs.event, len(piece.events))
    if not events or not sum(map(len, codes)):
        raise InputError("the files have no events to stream")
    names = ", ".join(Path(f.name).name for f in given)
    return EventPool(np.concatenate(codes), np.concatenate(places), events, names)
