"""``codesign stream``: a bundle's emulator at the pace of crossings, with its firmware beside it.

In a stream each crossing with collisions is one draw, with replacement, from the distinct events of a sample
(:mod:`codesign.handoff.stream.drawn_collisions`). Prescales count, and the trigger's rules see the very crossings.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.handoff.apply.scorer import Scorer
from codesign.handoff.check import checksum
from codesign.handoff.received import ReceivedBundle, golden_vectors
from codesign.handoff.reference_distribution import (
    REFERENCE,
    ReferenceDistribution,
    distribution_of,
    read_distribution,
)
from codesign.handoff.stream.budget import Tuned, tuned_threshold
from codesign.handoff.stream.drawn_collisions import CountedCollisions, EveryCollision
from codesign.handoff.stream.drift import DriftWatch
from codesign.handoff.stream.event_pool import EventPool, pool_of, simulated_pool
from codesign.handoff.stream.fill import FillPileUp
from codesign.handoff.stream.orbit import Orbit
from codesign.handoff.stream.processors import Emulated, Interpreted, Simulated, planted
from codesign.handoff.stream.stream_record import Alarm, FirmwareAgreement, StreamRecord
from codesign.handoff.stream.stream_run import Machine, StreamRun, compare_firmware, joined_agreement
from codesign.handoff.stream.trigger_menu import Menu, load_menu
from codesign.handoff.stream.trigger_menu import Path as MenuPath

__all__ = ("StreamSettings", "stream_bundle")

_SECTION_S = 1.0
_MOST_SECTIONS = 86_400
#: events of a section that the compiled firmware's model computes beside the emulator
_SLICE = 256
#: times of a fill at which pile-up is averaged to tune a threshold
_TIMES = 32
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class StreamSettings:
    """What a stream shall be.

    ``files``: distinct events; where there are none, ``events`` of our own simulation of zero bias, or the bundle's
    golden vectors where the network's inputs do not come from events. ``rate_hz``: crossings a second; ``seconds``:
    simulated; ``menu``: a YAML file; ``budget_hz``: a rate that the first path is tuned to; ``rtl``: events that the
    Verilog is simulated with, 0 for none; ``keep``: accepted events to write at most; ``plant``: ``threshold`` or
    ``weight``, which of the emulator is changed on purpose; ``every``: compute each collision; ``pile_up``: mean at the
    begin and the end of the fill; ``reference``: files whose events the distributions are compared with, instead of the
    bundle's own reference; ``paced``: take at least a second for a second.
    """

    files: tuple[str, ...] = ()
    rate_hz: float = 40e6
    seconds: float = 1.0
    menu: str | None = None
    budget_hz: float | None = None
    rtl: int = 0
    keep: int = 100_000
    plant: str | None = None
    tree: str | None = None
    seed: int = 1
    events: int = 2000
    every: bool = False
    pile_up: tuple[float, float] | None = None
    reference: tuple[str, ...] = ()
    paced: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.rate_hz <= 1e9 or not 0 < self.seconds <= _MOST_SECTIONS or self.rtl < 0 or self.keep < 0:
            raise InputError(f"the rate is above 0 and at most 1 GHz, the time above 0 and at most {_MOST_SECTIONS} s")


def stream_bundle(
    bundle: Path,
    asked: StreamSettings,
    output: Path,
    progress: Callable[[str], None] | None = None,
    watch: Callable[[StreamRecord], None] | None = None,
) -> StreamRecord:
    """Run a stream, and write ``stream.json``, ``index.html`` with its pictures, and ``kept.parquet`` into ``output``.

    ``watch`` is given the record so far after each second. InputError for events that the network cannot be given, a
    menu of outputs that it does not have, or a budget that the sample cannot tell; ToolError where emulator or firmware
    cannot be built.
    """
    from codesign.handoff.stream.stream_page import write_page

    stream = _Stream(bundle, asked, progress or (lambda text: None))
    while stream.second():
        if watch is not None:
            watch(stream.record())
    stream.simulate_verilog()
    record = stream.record()
    if watch is not None:
        watch(record)
    output.mkdir(exist_ok=True)
    stream.run.kept.write(output / "kept.parquet", stream.received, record)
    write_page(record, output)
    return record


class _Stream:
    """A stream under way."""

    def __init__(self, bundle: Path, asked: StreamSettings, tell: Callable[[str], None]) -> None:
        self.asked, self._tell = asked, tell
        self.received = received = ReceivedBundle.open(bundle)
        self.names = received.design.outputs.labels
        scorer = Scorer(bundle)
        tell("stream: reading events")
        self.pool = pool = _pool(scorer, received, asked)
        machine = Machine(
            asked.rate_hz, Orbit.trains(), None if asked.pile_up is None else FillPileUp(*asked.pile_up), asked.seconds
        )
        if machine.pile_up is not None and pool.pile_up is None:
            raise InputError("--pile-up chooses events by Pileup_nPU, which these events do not have")
        tell("stream: building the emulator")
        truth = Emulated(received.design)
        rows = truth.predict(pool.codes)
        self.menu, self.tuned = _menu(received, asked, pool.of_events(rows), machine, pool.pile_up)
        self.menu.require(self.names)
        emulator, changed = planted(received.design, self.menu, asked.plant, truth, pool.codes)
        tell("stream: compiling the firmware's model")
        self.firmware = Interpreted(received)
        reference = _reference(scorer, received, asked, truth)
        watched = DriftWatch(reference, np.column_stack([pool.codes, emulator.predict(pool.codes)]))
        way = EveryCollision if asked.every else CountedCollisions
        self.run = StreamRun(machine, way(pool, emulator, changed, self.names, asked.seed), watched, asked.keep)
        self._slices: list[Codes] = []
        self._compared: FirmwareAgreement | None = None
        self._simulated: FirmwareAgreement | None = None
        self._began, self._wall = perf_counter(), 0.0

    def second(self) -> bool:
        """Simulate the next second, or what is left of the last one; False where nothing is left."""
        seconds = min(_SECTION_S, self.asked.seconds - self.run.seconds)
        if seconds <= 1e-9:
            return False
        self.run.section(seconds)
        rows = self.run.slice(_SLICE)
        self._slices.append(rows)
        drawn = self.run.drawn
        found = compare_firmware(
            self.firmware, self.menu, drawn.emulator, drawn.menu, self.pool.codes[rows], self.names
        )
        self._compared = joined_agreement(self._compared, found)
        self._wall = perf_counter() - self._began
        if self.asked.paced:
            sleep(max(0.0, self.run.seconds - self._wall))
        self._tell(f"stream: {len(self.run.sections)} of {int(np.ceil(self.asked.seconds))} seconds simulated")
        return True

    def simulate_verilog(self) -> None:
        """Compare with the simulated Verilog, where that is asked for."""
        if not self.asked.rtl:
            return
        self._tell("stream: simulating the Verilog")
        rows, drawn = np.resize(np.concatenate(self._slices), self.asked.rtl), self.run.drawn
        with Simulated(self.firmware.firmware) as simulated:
            self._simulated = compare_firmware(
                simulated, self.menu, drawn.emulator, drawn.menu, self.pool.codes[rows], self.names
            )

    def record(self) -> StreamRecord:
        """The stream so far."""
        asked, run, pool = self.asked, self.run, self.pool
        compared = tuple(c for c in (self._compared, self._simulated) if c is not None)
        alarms = [
            Alarm(kind="firmware differs", said=f"{c.how}: {c.first}")
            for c in compared
            if c.integers_differ or c.bits_differ
        ]
        alarms += [
            Alarm(kind="drift", said=f"{d.name}: PSI {d.psi:.3f}, KS {d.ks:.3f} (p = {d.ks_p:.1e})")
            for d in run.drift
            if d.alarm
        ]
        per_s = run.drawn.computed / run.drawn.computed_s if run.drawn.computed_s else 0.0
        return StreamRecord(
            bundle=checksum(self.received.folder / "manifest.json"), design=self.received.design.hash,
            origin=pool.origin, distinct_events=pool.events, way=run.drawn.way, pile_up=asked.pile_up,
            crossings_hz=asked.rate_hz, filled=run.machine.orbit.share, collisions_hz=run.machine.collisions_hz,
            simulated_s=run.seconds, menu=self.menu, tuned=self.tuned, sections=tuple(run.sections), paths=run.rates(),
            accepted_hz=run.accepted / run.seconds, dead_time=run.dead_time, scores=run.scores(),
            reference=run.watch.reference.origin, drift=run.drift, compared=compared, alarms=tuple(alarms),
            kept=min(run.accepted, asked.keep), wall_s=self._wall, times_real_time=run.seconds / self._wall,
            emulated_events=run.drawn.computed, emulated_per_s=per_s,
            emulated_times_real_time=per_s / run.machine.collisions_hz, cores=len(os.sched_getaffinity(0)),
            planted=asked.plant, seed=asked.seed,
        )  # fmt: skip


def _pool(scorer: Scorer, received: ReceivedBundle, asked: StreamSettings) -> EventPool:
    """The distinct events."""
    if asked.files:
        return pool_of(scorer, asked.files, asked.tree)
    if (simulated := simulated_pool(scorer, asked.events)) is not None:
        return simulated
    golden, _ = golden_vectors(received.folder, received.design)
    return EventPool(golden.astype(np.int32), np.arange(len(golden)), len(golden), "golden vectors of the bundle")


def _reference(
    scorer: Scorer, received: ReceivedBundle, asked: StreamSettings, truth: Emulated
) -> ReferenceDistribution:
    """What the distributions are compared with: files, the bundle's own reference, or its golden vectors."""
    names = (*received.design.inputs.labels, *received.design.outputs.labels)
    if not asked.reference and REFERENCE in received.files:
        found = read_distribution(received.folder)
        found.require(names)
        return found
    if asked.reference:
        pool = pool_of(scorer, asked.reference, asked.tree)
        codes, origin = pool.codes, pool.origin
    else:
        golden, _ = golden_vectors(received.folder, received.design)
        codes, origin = golden.astype(np.int32), "golden vectors of the bundle"
    return distribution_of(names, np.column_stack([codes, truth.predict(codes)]), origin)


def _menu(
    received: ReceivedBundle, asked: StreamSettings, outputs: Codes, machine: Machine, collisions: Codes | None
) -> tuple[Menu, Tuned | None]:
    """The menu that was asked for: a file's, or the bundle's own path; of one path tuned to the budget."""
    trigger, names = received.manifest.trigger, received.design.outputs.labels
    if asked.menu is not None:
        menu = load_menu(asked.menu)
        menu.require(names)
    else:
        own = trigger.output if trigger is not None else names[0]
        code = None if trigger is None else trigger.threshold_code
        if code is None and asked.budget_hz is None:
            raise InputError(
                "the bundle fixes no threshold: give --rate-budget, such as 1kHz, or a --menu with paths; the outputs "
                f"are {', '.join(names)}"
            )
        menu = Menu(paths=(MenuPath(name="network", output=own, threshold_code=code or 0),))
    if asked.budget_hz is None:
        return menu, None
    first = menu.paths[0]
    budget = asked.budget_hz * first.prescale
    weights = None
    if machine.pile_up is not None and collisions is not None:
        shares = (np.arange(_TIMES) + 0.5) / _TIMES
        weights = np.mean([machine.pile_up.weights(collisions, float(share)) for share in shares], axis=0)
    scores = outputs[:, names.index(first.output)]
    tuned = tuned_threshold(first.name, scores, machine.collisions_hz, budget, weights)
    path = first.model_copy(update={"threshold_code": tuned.threshold_code})
    return Menu(paths=(path, *menu.paths[1:])), tuned
