"""The distinct events that a stream is drawn from: a file's, or the bundle's golden vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.data.input_tables import table_chunks
from codesign.handoff.apply.given_file import given_file
from codesign.handoff.apply.inputs_check import check_all, read_as
from codesign.handoff.apply.scorer import NoInputs, Scorer
from codesign.handoff.scales import Scales
from codesign.physics.events import read_located

__all__ = ("EventPool", "pool_of", "simulated_pool")

_CHUNK = 50_000
_PILE_UP = "Pileup.nPU"
#: the card that is simulated
ZERO_BIAS = "zero-bias"


@dataclass(frozen=True)
class EventPool:
    """Input codes (rows, n) int32; ``event``: (rows,) of each row, rising; ``events``: how many; several rows of an
    event are objects, of which the largest score counts. ``pile_up``: the collisions of each event, (events,), where
    all files say that."""

    codes: NDArray[np.int32]
    event: NDArray[np.int64]
    events: int
    origin: str
    pile_up: NDArray[np.int64] | None = None

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
    pile_up: list[NDArray[np.int64]] = []
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
                for piece in read_located(path, scorer.task.collections, _CHUNK, (_PILE_UP,), tree=tree):
                    with piece.named():
                        inputs = scorer.task.inputs(piece.events)
                    add(inputs.flat(scorer.blocks), inputs.event, len(piece.events))
                    if "Pileup" in piece.events.fields and "nPU" in piece.events.Pileup.fields:
                        pile_up.append(np.asarray(piece.events.Pileup.nPU, dtype=np.int64))
    if not events or not sum(map(len, codes)):
        raise InputError("the files have no events to stream")
    names = ", ".join(Path(f.name).name for f in given)
    known = np.concatenate(pile_up) if pile_up else np.empty(0, np.int64)
    every = known if len(known) == events and known.min() >= 0 else None
    return EventPool(np.concatenate(codes), np.concatenate(places), events, names, every)


def simulated_pool(scorer: Scorer, events: int) -> EventPool | None:
    """Zero bias of our own simulation, made once and then from the user's cache, where the task computes its inputs
    from events; None where it does not. InputError without the packages that simulate."""
    from codesign.physics.detector import simulated_events

    try:
        _ = scorer.task
    except NoInputs:
        return None
    files = simulated_events(ZERO_BIAS, events)
    pool = pool_of(scorer, [str(f) for f in files])
    return replace(pool, origin=f"{pool.events} events of the card {ZERO_BIAS}")
