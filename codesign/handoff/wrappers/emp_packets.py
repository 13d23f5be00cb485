"""Packets as a bench sends them, whole and broken, and the model of which the payload takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from codesign.handoff.patterns.emp_vectors import EmpWord
from codesign.handoff.wrappers.emp_links import FRAMES

__all__ = ("PacketClock", "PacketRules", "hard_traffic", "multiplexed_traffic")

#: words of an event, [frame][link]
Packet = list[list[EmpWord]]


@dataclass(frozen=True)
class PacketClock:
    """Words of every link in a clock, the event that they are of (-1 for none), and the reset."""

    words: list[EmpWord]
    event: int = -1
    reset: bool = False


def multiplexed_traffic(packets: Sequence[Packet]) -> list[PacketClock]:
    """A packet every 54 clocks; between them words that are not valid."""
    clocks: list[PacketClock] = []
    for i, packet in enumerate(packets):
        clocks += [PacketClock(row, i) for row in packet]
        clocks += [PacketClock([EmpWord(word.data) for word in packet[0]])] * (FRAMES - len(packet))
    return clocks


def hard_traffic(packets: Sequence[Packet], least: int) -> list[PacketClock]:
    """As close as ``least`` clocks allow and closer; five of eight broken, each in its way, and resets."""
    rng = np.random.default_rng(9)
    clocks: list[PacketClock] = []
    for i, packet in enumerate(packets):
        junk = [EmpWord(int(rng.integers(1 << 62)), bool(rng.integers(2))) for _ in packet[0]]
        # every way of breaking one meets every link and frame in turn
        at, own = i // 3 % len(packet), [list(row) for row in packet]
        link = i // 8 % len(packet[0])
        word = own[at][link]
        match i % 8:
            case 0:
                own[at][link] = replace(word, valid=False)
            case 1:
                own[at][link] = replace(word, start=not word.start)
            case 2:
                own[at][link] = replace(word, last=not word.last)
            case 3:
                own.insert(at, junk)
            case 4:
                own = own[: max(1, at)]
        clocks += [PacketClock(row, i) for row in own]
        clocks += [PacketClock(junk)] * max(0, least - len(own) + int(rng.integers(-1, 3)))
    starts = [n for n, clock in enumerate(clocks) if clock.event >= 0 and all(w.valid and w.start for w in clock.words)]
    for at in (*rng.integers(0, len(clocks), 3), *starts[3::9]):
        clocks[int(at)] = replace(clocks[int(at)], reset=True)
    return clocks


@dataclass(frozen=True)
class PacketRules:
    """``frames`` words a packet, packets ``interval`` clocks apart, results ``delay`` clocks after the last word."""

    frames: int
    interval: int
    delay: int

    def results(self, clocks: Sequence[PacketClock]) -> Iterator[tuple[int, bool]]:
        """After every clock's edge, whose result is at the outputs (-1 for nobody's), and whether an orbit began."""
        held = PacketClock([replace(word, valid=False) for word in clocks[0].words])
        nothing = held
        count, since, of, orbit = 0, self.interval, -1, False
        line: list[tuple[int, bool]] = [(-1, False)] * (self.delay + 1)
        for clock in clocks:
            good = all(w.valid and w.start == (count == 0) and w.last == (count == self.frames - 1) for w in held.words)
            begins = good and count == 0 and since >= self.interval
            if count == 0:
                of, orbit = held.event, held.words[0].start_of_orbit
            whole = good and count == self.frames - 1 and (count > 0 or begins)
            line = [(of if whole else -1, orbit), *line[: self.delay]]
            count = count + 1 if good and not whole and (count > 0 or begins) else 0
            since = 1 if begins else min(self.interval, since + 1)
            found = line[self.delay]
            held = clock
            if clock.reset:
                held, count, since, found = nothing, 0, self.interval, (-1, False)
                line = [(-1, False)] * (self.delay + 1)
            yield found
