"""Simulate trigger events on all cores, or take them from the cache: ROOT files in NanoAOD's names.

The events are decided by the card and their number: not by the number of processes, nor by what lay in the cache. A
smaller sample is the beginning of a larger one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from codesign.core.errors import InputError
from codesign.physics.cache import cache_folder, generator_versions, hold_folder
from codesign.physics.detector.calibration import calibration_hash
from codesign.physics.detector.event_card import EventCard, PoolChoice, load_event_card
from codesign.physics.detector.event_chunk import CHUNK_EVENTS
from codesign.physics.detector.soft_pool import readable
from codesign.physics.processes import Piece, Progress, make_pieces

__all__ = ("GENERATION_VERSION", "pool_files", "pool_of", "provenance_of", "simulated_events")

#: Raised by hand whenever a change of the code changes the events that come out of the same card.
GENERATION_VERSION = 4
#: Soft collisions per piece of a pool: starting Pythia costs about as much as 1500 of them.
_POOL_PIECE = 5000


def simulated_events(
    card: str,
    events: int,
    pile_up: float | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    workers: int | None = None,
    pool: PoolChoice | None = None,
) -> list[Path]:
    """Simulate trigger events, or take them from the cache.

    Parameters
    ----------
    card: name of a shipped card of events or path to one.
    events: number of events.
    pile_up, seed: instead of the card's mean number of collisions and its seed.
    progress: called as ``progress(done, total)`` with numbers of events, from the calling thread.
    workers: number of processes; by default one per core that this process may use.
    pool: soft collisions instead of the card's.

    Returns
    -------
    ROOT files (tree ``Events``) whose events, in this order, are those asked for; ``read_events`` reads them.

    Raises
    ------
    InputError: an unknown card, a card that Pythia refuses, numbers that make no sense.
    ToolError: Pythia is missing or crashed.
    """
    resolved = load_event_card(card, pile_up=pile_up, seed=seed, pool=pool)
    if events < 1:
        raise InputError(f"the number of events must be at least 1, not {events}")
    if workers is not None and workers < 1:
        raise InputError(f"the number of processes must be at least 1, not {workers}")
    processes = workers or len(os.sched_getaffinity(0))
    folder = cache_folder(resolved, GENERATION_VERSION, "events") / calibration_hash()
    sizes = [min(CHUNK_EVENTS, events - start) for start in range(0, events, CHUNK_EVENTS)]
    paths = [folder / f"{resolved.name}-{number:05d}-{size}.root" for number, size in enumerate(sizes)]
    if not all(path.is_file() for path in paths):
        with hold_folder(folder):
            missing = [k for k, path in enumerate(paths) if not path.is_file()]
            soft = pool_of(resolved, processes) if missing else []
            pieces = [
                Piece(
                    paths[k],
                    sizes[k],
                    {
                        "make": "events",
                        "card": resolved.model_dump(mode="json"),
                        "number": k,
                        "events": sizes[k],
                        "pool": [str(p) for p in soft],
                        "metadata": provenance_of(resolved),
                    },
                )
                for k in missing
            ]
            make_pieces(pieces, processes, events, progress)
    if progress is not None:
        progress(events, events)
    return paths


def provenance_of(card: EventCard) -> dict[str, Any]:
    """Where events of a card come from, plain JSON; every file holds it."""
    return {
        "origin": "simulated",
        "generator": "Pythia",
        "generator_version": generator_versions()["pythia8mc"],
        "generation_version": GENERATION_VERSION,
        "calibration": calibration_hash(),
        "card": card.model_dump(mode="json"),
        "seed": card.seed,
    }


def pool_files(card: str) -> list[Path]:
    """Files of the soft collisions of a card, made where they are missing."""
    return pool_of(load_event_card(card), len(os.sched_getaffinity(0)))


def pool_of(card: EventCard, processes: int) -> list[Path]:
    """Files of the soft collisions that a card needs, made where they are missing."""
    if not card.pile_up.mean:
        pieces = [_pool_piece(card, cache_folder(card.pool(), GENERATION_VERSION, "collisions"), 0, 100)]
    else:
        pieces = _pool_pieces(card)
    folder = pieces[0].path.parent
    if not all(readable(p.path, p.size) for p in pieces):
        with hold_folder(folder):
            missing = [p for p in pieces if not readable(p.path, p.size)]
            make_pieces(missing, processes, sum(p.size for p in missing))
    return [p.path for p in pieces]


def _pool_pieces(card: EventCard) -> list[Piece]:
    folder = cache_folder(card.pool(), GENERATION_VERSION, "collisions")
    total = card.pile_up.collisions
    sizes = [min(_POOL_PIECE, total - start) for start in range(0, total, _POOL_PIECE)]
    return [_pool_piece(card, folder, number, size) for number, size in enumerate(sizes)]


def _pool_piece(card: EventCard, folder: Path, number: int, size: int) -> Piece:
    request = {"make": "collisions", "card": card.pool().model_dump(mode="json"), "number": number, "collisions": size}
    return Piece(folder / f"soft-{number:05d}-{size}.npz", size, request)
