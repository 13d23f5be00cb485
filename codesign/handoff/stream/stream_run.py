"""Counts of a stream, section by section: what fires, what prescales and dead time leave, drift, and the firmware."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.handoff.stream.budget import rate_and_error
from codesign.handoff.stream.drawn_collisions import DrawnCollisions
from codesign.handoff.stream.drift import Drift, DriftWatch
from codesign.handoff.stream.fill import FillPileUp
from codesign.handoff.stream.kept_events import Kept
from codesign.handoff.stream.orbit import Orbit
from codesign.handoff.stream.processors import Processor
from codesign.handoff.stream.stream_record import FirmwareAgreement, PathRate, ScoreHistogram, StreamSection
from codesign.handoff.stream.trigger_menu import DeadTime, Menu, Prescales

__all__ = ("Machine", "StreamRun", "compare_firmware", "joined_agreement")

_BINS = 60
#: rows that count as close to a path's threshold
_CLOSE = 128
Codes = NDArray[np.int64]
Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Machine:
    """The machine that is simulated: crossings a second, its orbit, and the pile-up of a fill of ``seconds``."""

    rate_hz: float
    orbit: Orbit
    pile_up: FillPileUp | None
    seconds: float

    @property
    def collisions_hz(self) -> float:
        """Crossings with collisions a second."""
        return self.rate_hz * self.orbit.share

    def mean_pile_up(self, at: float) -> float | None:
        """At a second of the stream."""
        return None if self.pile_up is None else self.pile_up.mean(at / self.seconds)

    def weights(self, collisions: NDArray[np.int64] | None, at: float) -> Weights | None:
        """The probability of each event at a second of the stream; None where all are alike."""
        if self.pile_up is None or collisions is None:
            return None
        return self.pile_up.weights(collisions, at / self.seconds)


class StreamRun:
    """What a stream has counted so far."""

    def __init__(self, machine: Machine, drawn: DrawnCollisions, watch: DriftWatch, keep: int) -> None:
        self.machine, self.drawn, self.watch = machine, drawn, watch
        self._menu = drawn.menu
        self._prescales, self._dead = Prescales(self._menu), DeadTime()
        self._count = np.zeros((3, len(self._menu.paths)), dtype=np.int64)
        self._weights: Weights | None = None  # summed over seconds
        self._drift: dict[str, Drift] = {}
        self._began = 0
        self._close = self._closest()
        drawn.computed, drawn.computed_s = 0, 0.0
        self.kept = Kept(keep)
        self.sections: list[StreamSection] = []
        self.accepted = self.prescaled = 0
        self.seconds = 0.0

    def section(self, seconds: float) -> None:
        """Simulate some seconds."""
        machine, pool, middle = self.machine, self.drawn.pool, self.seconds + seconds / 2
        weights = machine.weights(pool.pile_up, middle)
        collisions = round(machine.collisions_hz * seconds)
        fired = self.drawn.fired(collisions, weights)
        here = self.drawn.bits[fired.which]
        left = self._prescales.keep(here)
        some = left.any(axis=1)
        crossings = machine.orbit.crossing(self._began + fired.when[some])
        alive = self._dead.keep(crossings)
        accepted = left[some][alive]
        self._count += np.stack([here.sum(axis=0), left.sum(axis=0), accepted.sum(axis=0)])
        self.sections.append(
            StreamSection(
                number=len(self.sections), seconds=seconds, pile_up=machine.mean_pile_up(middle), collisions=collisions,
                fired=len(fired.when), prescaled=int(some.sum()), accepted=int(alive.sum()),
            )
        )  # fmt: skip
        self.kept.add(crossings[alive], fired.which[some][alive], self.drawn.outputs, accepted)
        self.accepted += int(alive.sum())
        self.prescaled += int(some.sum())
        self._began += collisions
        self.seconds += seconds
        self._drifts(weights)
        if weights is not None:
            self._weights = weights * seconds if self._weights is None else self._weights + weights * seconds

    def _drifts(self, weights: Weights | None) -> None:
        """Keep each quantity's largest; without pile-up that varies the sections are alike."""
        if weights is None and self._drift:
            return
        rows = None if weights is None else weights[self.drawn.pool.event]
        for found in self.watch.drifts(rows):
            before = self._drift.get(found.name)
            if before is None or (found.alarm, found.psi) > (before.alarm, before.psi):
                self._drift[found.name] = found

    def slice(self, events: int) -> Codes:
        """Rows of the pool, drawn anew: half of them among those closest to a path's threshold, where a bit that is
        wrong shows first."""
        random = self.drawn.random
        anywhere = random.integers(0, len(self.drawn.pool.codes), events - events // 2)
        return np.concatenate([anywhere, random.choice(self._close, events // 2)])

    def _closest(self) -> Codes:
        outputs = self.drawn.compute()
        found = []
        for path in self._menu.paths:
            distance = np.abs(outputs[:, self.drawn.names.index(path.output)].astype(np.int64) - path.threshold_code)
            found.append(np.argsort(distance, kind="stable")[:_CLOSE])
        return np.unique(np.concatenate(found))

    @property
    def weights(self) -> Weights | None:
        """The probability of each event in the stream so far."""
        return None if self._weights is None else self._weights / self._weights.sum()

    @property
    def drift(self) -> tuple[Drift, ...]:
        """Of each quantity, where it was largest."""
        return tuple(self._drift.values())

    @property
    def dead_time(self) -> float:
        """Share of what was left after prescales that fell into dead time."""
        return 1 - self.accepted / self.prescaled if self.prescaled else 0.0

    def rates(self) -> tuple[PathRate, ...]:
        """Rates of all paths so far."""
        found = []
        for i, path in enumerate(self._menu.paths):
            fires, prescaled, accepted = (float(n) / self.seconds for n in self._count[:, i])
            error = rate_and_error(self.drawn.bits[:, i], self.machine.collisions_hz, self.weights)[1]
            found.append(PathRate(name=path.name, fires=fires, error=error, prescaled=prescaled, accepted=accepted))
        return tuple(found)

    def scores(self) -> tuple[ScoreHistogram, ...]:
        """Codes of the outputs, as collisions a second."""
        weights, found = self.weights, []
        each = np.full(self.drawn.pool.events, 1 / self.drawn.pool.events) if weights is None else weights
        for name, codes in zip(self.drawn.names, self.drawn.outputs.T, strict=True):
            seen = codes > np.iinfo(np.int32).min  # an event without objects has none
            shares, edges = np.histogram(codes[seen], bins=_BINS, weights=each[seen])
            hz = shares * self.machine.collisions_hz
            found.append(ScoreHistogram(name=name, edges=tuple(edges.tolist()), hz=tuple(hz.tolist())))
        return tuple(found)


def compare_firmware(
    firmware: Processor, menu: Menu, emulator: Processor, emulated: Menu, codes: NDArray[np.int32], names: Sequence[str]
) -> FirmwareAgreement:
    """The firmware's integers and bits beside the emulator's."""
    labels = tuple(names)
    one, other = firmware.predict(codes), emulator.predict(codes)
    bits, others = menu.bits(one, labels), emulated.bits(other, labels)
    integers, differ = (one != other).any(axis=1), (bits != others).any(axis=1)
    first = None
    if (integers | differ).any():
        row = int(np.argmax(integers | differ))
        what = f"outputs {one[row].tolist()} and {other[row].tolist()}" if integers[row] else "the bits of its paths"
        first = f"firmware and emulator differ in {what} for inputs {codes[row].tolist()}"
    return FirmwareAgreement(
        how=firmware.how,
        events=len(codes),
        integers_differ=int(integers.sum()),
        bits_differ=int(differ.sum()),
        first=first,
    )


def joined_agreement(one: FirmwareAgreement | None, other: FirmwareAgreement) -> FirmwareAgreement:
    """Two slices as one."""
    if one is None:
        return other
    return FirmwareAgreement(
        how=one.how,
        events=one.events + other.events,
        integers_differ=one.integers_differ + other.integers_differ,
        bits_differ=one.bits_differ + other.bits_differ,
        first=one.first or other.first,
    )
