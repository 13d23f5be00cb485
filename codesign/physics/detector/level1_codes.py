"""One piece of a sample of what the Level-1 trigger sees, and nothing else: integers of its objects, zero padded.

They are those of the events that :func:`codesign.physics.detector.simulated_events` makes: same card, same place, same
numbers, without the time of the other tiers. ``make_level1_hard``: every crossing has one more hard collision.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from codesign.physics.detector.detector_record import assemble_level1
from codesign.physics.detector.event_card import EventCard
from codesign.physics.detector.event_chunk import crossings, see_level1, see_truth
from codesign.physics.detector.soft_pool import SoftPool
from codesign.physics.events.l1_scales import L1_SUMS

__all__ = ("COLLECTIONS", "LEVEL1", "Arrays", "Done", "level1_record", "make_level1", "make_level1_hard")

#: kind of object -> its collection in the common record, and how many the trigger hands on
COLLECTIONS: dict[str, tuple[str, int]] = {"eg": ("L1EG", 12), "muon": ("L1Mu", 8), "jet": ("L1Jet", 12)}
#: names of the arrays: ``met`` (events, 1, 2) pT and azimuth; of each kind (events, number, 3) pT, eta, azimuth, int16
#: codes of the scales by falling pT; ``pile_up`` the mean number of collisions; ``hard`` of hard ones; ``pool``
#: the pool of soft ones, and how many were taken from it (``soft``) and made anew (``fresh``)
LEVEL1 = ("met", *COLLECTIONS, "pile_up", "hard", "pool", "soft", "fresh")

Arrays = dict[str, NDArray[Any]]
Done = Callable[[int], None]
#: is shown the trigger towers (2, rings, phis) of each crossing, which the next one overwrites
Look: TypeAlias = Callable[[NDArray[np.int32]], None]


def level1_record(
    card: EventCard, number: int, events: int, pool: SoftPool, done: Done | None = None, harder: int = 0,
    look: Look | None = None,
) -> tuple[dict[str, Any], Arrays]:  # fmt: skip
    """The Level-1 collections of the first ``events`` events of piece ``number``, and what is counted of them;
    errors as of :func:`codesign.physics.detector.event_chunk.make_events`."""
    found, hard = [], []
    for crossing in crossings(card, number, events, pool, done, harder=harder):
        see_truth(crossing)
        towers = see_level1(crossing)
        if look is not None:
            look(towers)
        found.append(crossing.event)
        hard.append(crossing.hard_collisions)
    counts = {
        "pile_up": np.array([event.true_mean for event in found], np.float32),
        "hard": np.minimum(hard, 255).astype(np.uint8),
        "pool": np.array([event.pool for event in found], np.int32),
        "soft": np.array([event.taken for event in found], np.int32),
        "fresh": np.array([event.anew for event in found], np.int32),
    }
    return assemble_level1(found), counts


def make_level1(
    card: EventCard, number: int, events: int, pool: SoftPool, done: Done | None = None, harder: int = 0,
    look: Look | None = None,
) -> Arrays:  # fmt: skip
    """``LEVEL1`` of the first ``events`` events of piece ``number``; errors as of :func:`level1_record`."""
    import awkward as ak

    record, counts = level1_record(card, number, events, pool, done, harder, look)
    sums = ak.Array(record["L1EtSum"])
    missing = sums[sums.etSumType == L1_SUMS["MET"]]
    codes = [np.asarray(ak.flatten(missing[name])) for name in ("hwPt", "hwPhi")]
    arrays: Arrays = {"met": np.stack(codes, axis=-1).astype(np.int16)[:, None]}
    for kind, (name, most) in COLLECTIONS.items():
        objects = ak.Array(record[name])
        padded = [ak.fill_none(ak.pad_none(objects[f], most, clip=True), 0) for f in ("hwPt", "hwEta", "hwPhi")]
        arrays[kind] = np.stack([ak.to_numpy(p).reshape(-1, most) for p in padded], axis=-1).astype(np.int16)
    return arrays | counts


def make_level1_hard(card: EventCard, number: int, events: int, pool: SoftPool, done: Done | None = None) -> Arrays:
    """The same of crossings with one hard collision more."""
    return make_level1(card, number, events, pool, done, harder=1)
