"""Which of a second's collisions fire, and when: counted, or every single one computed.

Each collision is one draw, with replacement, from distinct events. *Counted*: the emulator computes every distinct
event; how many collisions fire is then binomial, and which events these are, and when, is drawn: the same distribution
as of drawing every collision, in the time that those which fire take. *Every*: each collision is drawn, and the
emulator computes it, on all cores.
"""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.handoff.stream.event_pool import EventPool
from codesign.handoff.stream.processors import Processor
from codesign.handoff.stream.trigger_menu import Menu

__all__ = ("CountedCollisions", "DrawnCollisions", "EveryCollision", "Fired")

Codes = NDArray[np.int64]
Weights = NDArray[np.float64]
#: events that one call of the emulator computes: few enough to stay in a core's cache
_AT_ONCE = 8192


@dataclass(frozen=True)
class Fired:
    """Collisions that fire: ``when``, their places among the section's collisions, rising, and ``which`` events."""

    when: Codes
    which: Codes


class DrawnCollisions(ABC):
    """A way to find what fires; it counts the events that the emulator computed, and the seconds that it took."""

    way: ClassVar[Literal["counted", "every"]]

    def __init__(self, pool: EventPool, emulator: Processor, menu: Menu, names: tuple[str, ...], seed: int) -> None:
        self.pool, self.emulator, self.menu, self.names = pool, emulator, menu, names
        self.random = np.random.default_rng(seed)
        self.computed, self.computed_s = 0, 0.0
        self.workers = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        #: of each distinct event, its output codes (events, m) and the paths that fire (events, paths)
        self.outputs = pool.of_events(self.compute())
        self.bits = menu.bits(self.outputs, names)
        self.computed, self.computed_s = 0, 0.0

    def compute(self) -> NDArray[np.int32]:
        """The output codes of all rows of the pool, on all cores."""
        began = time.perf_counter()
        pieces = np.array_split(self.pool.codes, max(1, -(-len(self.pool.codes) // _AT_ONCE)))
        rows = np.concatenate(list(self.workers.map(self.emulator.predict, pieces)))
        self.computed_s += time.perf_counter() - began
        self.computed += len(rows)
        return rows

    @abstractmethod
    def fired(self, collisions: int, weights: Weights | None) -> Fired:
        """Of so many collisions; ``weights``: the probability of each event, all alike where there are none."""


class CountedCollisions(DrawnCollisions):
    """Each distinct event once."""

    way = "counted"

    def fired(self, collisions: int, weights: Weights | None) -> Fired:
        """As above."""
        self.outputs = self.pool.of_events(self.compute())
        self.bits = self.menu.bits(self.outputs, self.names)
        firing = np.flatnonzero(self.bits.any(axis=1))
        each = np.full(len(firing), 1 / self.pool.events) if weights is None else weights[firing]
        share = min(float(each.sum()), 1.0)
        number = int(self.random.binomial(collisions, share)) if share else 0
        if not number:
            return Fired(np.empty(0, np.int64), np.empty(0, np.int64))
        return Fired(self._moments(collisions, number), self.random.choice(firing, number, p=each / each.sum()))

    def _moments(self, collisions: int, fired: int) -> Codes:
        """Different collisions of a section, rising."""
        if fired * 3 > collisions:
            return np.sort(self.random.choice(collisions, fired, replace=False)).astype(np.int64)
        found = np.unique(self.random.integers(0, collisions, fired))
        while len(found) < fired:
            more = self.random.integers(0, collisions, fired - len(found))
            found = np.unique(np.concatenate([found, more]))
        return found.astype(np.int64)


class EveryCollision(DrawnCollisions):
    """Each collision drawn and computed."""

    way = "every"

    def __init__(self, pool: EventPool, emulator: Processor, menu: Menu, names: tuple[str, ...], seed: int) -> None:
        if len(pool.codes) != pool.events:
            raise InputError("--every is for networks that judge events: this one judges several objects of an event")
        super().__init__(pool, emulator, menu, names, seed)
        self._seeds = np.random.SeedSequence(seed)

    def fired(self, collisions: int, weights: Weights | None) -> Fired:
        """As above."""
        began = time.perf_counter()
        starts = range(0, collisions, _AT_ONCE)
        sums = None if weights is None else np.cumsum(weights) / weights.sum()

        def piece(given: tuple[int, np.random.SeedSequence]) -> tuple[Codes, Codes]:
            start, seed = given
            size, random = min(_AT_ONCE, collisions - start), np.random.default_rng(seed)
            if sums is None:
                which = random.integers(0, self.pool.events, size)
            else:
                which = np.minimum(np.searchsorted(sums, random.random(size), side="right"), self.pool.events - 1)
            bits = self.menu.bits(self.emulator.predict(self.pool.codes[which]), self.names)
            here = np.flatnonzero(bits.any(axis=1))
            return start + here, which[here]

        pieces = list(self.workers.map(piece, zip(starts, self._seeds.spawn(len(starts)), strict=True)))
        self.computed_s += time.perf_counter() - began
        self.computed += collisions
        when, which = (np.concatenate(part) for part in zip(*pieces, strict=True))
        return Fired(when.astype(np.int64), which.astype(np.int64))
