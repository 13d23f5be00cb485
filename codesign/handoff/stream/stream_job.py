"""``codesign stream``: a bundle's emulator at the pace of crossings, with its firmware beside it.

In a stream each crossing with collisions is one draw, with replacement, from the distinct events of a sample. The
emulator computes every distinct event once a section; how many of the section's collisions fire is then binomial, and
which events these are, and when, is drawn: the same distribution as of drawing every collision, in the time that those
which fire take. Prescales count, and the trigger's rules see the very crossings.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.handoff.apply.scorer import Scorer
from codesign.handoff.check import checksum
from codesign.handoff.received import ReceivedBundle, golden_vectors
from codesign.handoff.stream.budget import Tuned, rate_and_error, tuned_threshold
from codesign.handoff.stream.drift import drifts
from codesign.handoff.stream.event_pool import EventPool, pool_of
from codesign.handoff.stream.kept_events import Kept
from codesign.handoff.stream.orbit import Orbit
from codesign.handoff.stream.processors import Emulated, Interpreted, Processor, Simulated, planted
from codesign.handoff.stream.stream_record import Alarm, FirmwareAgreement, PathRate, StreamRecord, StreamSection
from codesign.handoff.stream.trigger_menu import DeadTime, Menu, Prescales, load_menu
from codesign.handoff.stream.trigger_menu import Path as MenuPath

__all__ = ("StreamSettings", "stream_bundle")

_SECTION_S = 1.0
_MOST_SECTIONS = 86_400
#: events of a section that the compiled firmware's model computes beside the emulator
_SLICE = 256
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class StreamSettings:
    """What a stream shall be.

    ``files``: distinct events; the bundle's golden vectors where there are none. ``rate_hz``: crossings a second;
    ``seconds``: simulated; ``menu``: a YAML file; ``budget_hz``: a rate that the first path is tuned to; ``rtl``:
    events that the Verilog is simulated with, 0 for none; ``keep``: accepted events to write at most; ``plant``:
    ``threshold`` or ``weight``, which of the emulator is changed on purpose.
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


def stream_bundle(
    bundle: Path, asked: StreamSettings, output: Path, progress: Callable[[str], None] | None = None
) -> StreamRecord:
    """Run a stream, and write ``stream.json``, ``index.html`` with its pictures, and ``kept.parquet`` into ``output``.

    InputError for events that the network cannot be given, a menu of outputs that it does not have, or a budget that
    the sample cannot tell; ToolError where emulator or firmware cannot be built.
    """
    tell = progress or (lambda text: None)
    if not 0 < asked.rate_hz <= 1e9 or not 0 < asked.seconds <= _MOST_SECTIONS or asked.rtl < 0 or asked.keep < 0:
        raise InputError(f"the rate is above 0 and at most 1 GHz, the time above 0 and at most {_MOST_SECTIONS} s")
    received = ReceivedBundle.open(bundle)
    scorer = Scorer(bundle)
    golden, _ = golden_vectors(bundle, received.design)
    reference = EventPool(golden.astype(np.int32), np.arange(len(golden)), len(golden), "golden vectors of the bundle")
    tell("stream: reading events")
    pool = pool_of(scorer, asked.files, asked.tree) if asked.files else reference
    orbit, names = Orbit.trains(), received.design.outputs.labels
    collisions_hz = asked.rate_hz * orbit.share
    tell("stream: building the emulator")
    truth = Emulated(received.design)
    menu, tuned = _menu(received, asked, pool.of_events(truth.predict(pool.codes)), collisions_hz)
    menu.require(names)
    emulator, changed = planted(received.design, menu, asked.plant, truth, pool.codes)
    tell("stream: compiling the firmware's model")
    firmware = Interpreted(received)
    run = _Run(pool, orbit, menu, changed, names, asked)
    began = time.perf_counter()
    slices: list[Codes] = []
    compared: FirmwareAgreement | None = None
    seconds_left, number = asked.seconds, 0
    while seconds_left > 1e-9:
        seconds = min(_SECTION_S, seconds_left)
        run.section(emulator, seconds)
        rows = run.slice(_SLICE)
        slices.append(rows)
        compared = _add(compared, _compare(firmware, menu, emulator, changed, pool.codes[rows], names))
        seconds_left -= seconds
        number += 1
        tell(f"stream: {number} of {int(np.ceil(asked.seconds))} seconds simulated")
    wall = time.perf_counter() - began
    assert compared is not None
    found = [compared]
    if asked.rtl:
        tell("stream: simulating the Verilog")
        rows = np.resize(np.concatenate(slices), asked.rtl)
        with Simulated(firmware.firmware) as simulated:
            found.append(_compare(simulated, menu, emulator, changed, pool.codes[rows], names))
    drift = drifts(
        [*received.design.inputs.labels, *names],
        np.column_stack([reference.codes, truth.predict(reference.codes)]),
        np.column_stack([pool.codes, emulator.predict(pool.codes)]),
    )
    alarms = [
        Alarm(kind="firmware differs", said=f"{c.how}: {c.first}") for c in found if c.integers_differ or c.bits_differ
    ]
    alarms += [
        Alarm(kind="drift", said=f"{d.name}: PSI {d.psi:.3f}, KS {d.ks:.3f} (p = {d.ks_p:.1e})")
        for d in drift
        if d.alarm
    ]
    record = StreamRecord(
        bundle=checksum(bundle / "manifest.json"), design=received.design.hash, origin=pool.origin,
        distinct_events=pool.events, crossings_hz=asked.rate_hz, filled=orbit.share, collisions_hz=collisions_hz,
        simulated_s=asked.seconds, menu=menu, tuned=tuned, sections=tuple(run.sections), paths=run.rates(),
        accepted_hz=run.accepted / asked.seconds, dead_time=run.dead_time, drift=tuple(drift), compared=tuple(found),
        alarms=tuple(alarms), kept=min(run.accepted, asked.keep), wall_s=wall, times_real_time=asked.seconds / wall,
        emulated_events=run.emulated, emulated_per_s=run.emulated / run.emulated_s, planted=asked.plant,
        seed=asked.seed,
    )  # fmt: skip
    from codesign.handoff.stream.stream_page import write_page

    output.mkdir(exist_ok=True)
    run.kept.write(output / "kept.parquet", received, record)
    write_page(record, run.histogram(truth), output)
    return record


def _menu(
    received: ReceivedBundle, asked: StreamSettings, outputs: Codes, collisions_hz: float
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
    tuned = tuned_threshold(first.name, outputs[:, names.index(first.output)], collisions_hz, budget)
    path = first.model_copy(update={"threshold_code": tuned.threshold_code})
    return Menu(paths=(path, *menu.paths[1:])), tuned


class _Run:
    """Counts of a stream, section by section."""

    def __init__(
        self,
        pool: EventPool,
        orbit: Orbit,
        menu: Menu,
        emulated_menu: Menu,
        names: Sequence[str],
        asked: StreamSettings,
    ) -> None:
        self._pool, self._orbit, self._menu, self._names = pool, orbit, emulated_menu, tuple(names)
        self._rate = asked.rate_hz * orbit.share
        self._random = np.random.default_rng(asked.seed)
        self._prescales, self._dead = Prescales(menu), DeadTime()
        self._share = np.zeros(len(menu.paths))
        self._count = np.zeros((3, len(menu.paths)), dtype=np.int64)
        self._began = 0
        self.kept = Kept(asked.keep)
        self.sections: list[StreamSection] = []
        self.accepted = self._prescaled = self.emulated = 0
        self.emulated_s = 0.0
        self._seconds = 0.0
        self._workers = ThreadPoolExecutor(len(os.sched_getaffinity(0)))

    def section(self, emulator: Processor, seconds: float) -> None:
        """Simulate some seconds: the emulator computes every distinct event anew."""
        began = time.perf_counter()
        pieces = np.array_split(self._pool.codes, max(1, min(8, len(self._pool.codes) // 5000)))
        rows = np.concatenate(list(self._workers.map(emulator.predict, pieces)))
        self.emulated_s += time.perf_counter() - began
        self.emulated += len(rows)
        outputs = self._pool.of_events(rows)
        bits = self._menu.bits(outputs, self._names)
        self._share = bits.mean(axis=0)
        firing = np.flatnonzero(bits.any(axis=1))
        collisions = round(self._rate * seconds)
        fired = int(self._random.binomial(collisions, len(firing) / self._pool.events))
        when = self._moments(collisions, fired)
        which = self._random.choice(firing, fired) if fired else np.empty(0, dtype=np.int64)
        here = bits[which]
        left = self._prescales.keep(here)
        some = left.any(axis=1)
        crossings = self._orbit.crossing(self._began + when[some])
        alive = self._dead.keep(crossings)
        accepted = left[some][alive]
        self._count += np.stack([here.sum(axis=0), left.sum(axis=0), accepted.sum(axis=0)])
        self.sections.append(
            StreamSection(
                number=len(self.sections), seconds=seconds, collisions=collisions, fired=fired,
                prescaled=int(some.sum()), accepted=int(alive.sum()),
            )
        )  # fmt: skip
        self.kept.add(crossings[alive], which[some][alive], outputs, accepted)
        self.accepted += int(alive.sum())
        self._prescaled += int(some.sum())
        self._began += collisions
        self._seconds += seconds

    def _moments(self, collisions: int, fired: int) -> Codes:
        """Different collisions of a section, rising."""
        if fired * 3 > collisions:
            return np.sort(self._random.choice(collisions, fired, replace=False)).astype(np.int64)
        found = np.unique(self._random.integers(0, collisions, fired))
        while len(found) < fired:
            more = self._random.integers(0, collisions, fired - len(found))
            found = np.unique(np.concatenate([found, more]))
        return found.astype(np.int64)

    def slice(self, events: int) -> Codes:
        """Rows of the pool, drawn anew."""
        return self._random.integers(0, len(self._pool.codes), events)

    def rates(self) -> tuple[PathRate, ...]:
        """Rates of all paths so far."""
        found = []
        for i, path in enumerate(self._menu.paths):
            fires, prescaled, accepted = (float(n) / self._seconds for n in self._count[:, i])
            above = round(self._share[i] * self._pool.events)
            error = rate_and_error(above, self._pool.events, self._rate)[1]
            found.append(PathRate(name=path.name, fires=fires, error=error, prescaled=prescaled, accepted=accepted))
        return tuple(found)

    @property
    def dead_time(self) -> float:
        """Share of what was left after prescales that fell into dead time."""
        return 1 - self.accepted / self._prescaled if self._prescaled else 0.0

    def histogram(self, emulator: Processor) -> dict[str, Codes]:
        """Codes of the outputs of all distinct events."""
        outputs = self._pool.of_events(emulator.predict(self._pool.codes))
        return {name: outputs[:, i] for i, name in enumerate(self._names)}


def _compare(
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


def _add(one: FirmwareAgreement | None, other: FirmwareAgreement) -> FirmwareAgreement:
    if one is None:
        return other
    return FirmwareAgreement(
        how=one.how,
        events=one.events + other.events,
        integers_differ=one.integers_differ + other.integers_differ,
        bits_differ=one.bits_differ + other.bits_differ,
        first=one.first or other.first,
    )
