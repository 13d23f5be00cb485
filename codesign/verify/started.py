"""Simulate firmware that is told when an event comes: gaps, garbage, resets in mid-event, events too close.

*Clock 0* of an event is the one before whose rising edge ``first`` is high. The latency is the number N for which its
result is at the output after edge N, where edge 0 ends clock 0: in clock N + 1. It is measured by ``valid``, and the
interval as the fewest clocks between two events that raise no ``error``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core import resources
from codesign.core.errors import ToolError
from codesign.core.process import run_tool
from codesign.core.records import Verified
from codesign.rtl.beats import beat_port, beat_words
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import observed_port, pack, port_width, unpack, with_trigger
from codesign.rtl.transport import Beats
from codesign.tools import verilator
from codesign.tools.verilator import WaveFormat
from codesign.verify.harness import port_defines, write_threshold

__all__ = ("verify_started",)

_TOP = "started_harness"
_SECONDS = 3600.0
_GARBAGE = 97  # words that are no event's; a prime, so that no pattern of clocks meets one of them
Codes = NDArray[np.int64]


@dataclass
class _Script:
    """What is played: per clock the word, ``first`` and ``rst``; of each event its clock 0, None where it is lost."""

    garbage: int
    rows: list[tuple[int, int, int]]
    clocks: list[int | None]
    #: clock 0 of those that a reset comes after, which may have left before
    lost: list[int] = field(default_factory=list)

    def idle(self, clocks: int, rst: int = 0) -> None:
        for _ in range(clocks):
            self.rows.append((self.garbage + len(self.rows) % _GARBAGE, 0, rst))

    def event(self, words: list[int], until: int) -> None:
        """An event's words, each a clock, the next event after ``until`` clocks."""
        self.clocks.append(len(self.rows))
        for clock in range(until):
            index = words[clock] if clock < len(words) else self.garbage + len(self.rows) % _GARBAGE
            self.rows.append((index, int(clock == 0), 0))


class _Started:
    """A compiled firmware with its words, which plays scripts."""

    def __init__(self, firmware: Firmware, codes: Codes, work: Path, waves: WaveFormat | None) -> None:
        self.firmware, self.work, self.waves, self.codes = firmware, work, waves, codes
        rng = np.random.default_rng(0)
        design, rtl = firmware.design, firmware.rtl
        assert rtl is not None
        port, way = design.inputs, rtl.transport
        # a whole event is held for the interval, a beat is there for one clock
        if isinstance(way, Beats):
            words, self.beats, self.held = beat_words(port, way, codes, rng), way.beats, 1
            port = beat_port(port, way.items)
        else:
            words, self.beats, self.held = pack(port, codes), 1, rtl.initiation_interval
        self.rtl, self.garbage = rtl, len(words)
        width = port_width(port)
        digits = -(-width // 4)
        bits = rng.integers(0, 2, (_GARBAGE, width))
        words += [f"{int(''.join(map(str, row)), 2):0{digits}x}" for row in bits.tolist()]
        defines = port_defines(firmware) | {"CODESIGN_INP_WIDTH": str(width)}  # a beat is narrower than an event
        work.mkdir(parents=True, exist_ok=True)
        (work / "stimulus.hex").write_text("\n".join(words) + "\n", encoding="ascii")
        self.observed = observed_port(design)
        self.threshold(0)
        sources = [resources.folder("sim") / "started_harness.sv", *firmware.source_paths]
        self.program = verilator.build([s.resolve() for s in sources], _TOP, defines, work.resolve(), waves)

    def threshold(self, code: int) -> None:
        write_threshold(self.firmware, code, self.work)

    def play(self, script: _Script) -> tuple[Codes, NDArray[np.bool_], NDArray[np.bool_]]:
        """Output codes, ``valid`` and ``error`` in every clock."""
        work = self.work.resolve()
        bench, response = resources.folder("sim") / "started_bench.py", work / "response.hex"
        response.unlink(missing_ok=True)
        lines = (f"{index} {first} {rst}\n" for index, first, rst in script.rows)
        (work / "schedule.txt").write_text("".join(lines), encoding="ascii")
        environment = verilator.simulate_environment(bench.resolve(), _TOP, work / "results.xml")
        environment["CODESIGN_STREAM"] = str(work)
        arguments: list[str | Path] = [self.program, "+verilator+rand+reset+2", "+verilator+seed+1"]
        arguments += ["--trace"] if self.waves else []
        run_tool(arguments, work, _SECONDS, environment, work / "simulation.log", name="simulation")
        if not response.is_file():
            raise ToolError(f"simulation: the bench gave no response (see {work}/simulation.log)")
        rows = [line.split() for line in response.read_text(encoding="ascii").splitlines()]
        outputs = unpack(self.observed, [r[0] for r in rows])
        return outputs, np.array([r[1] == "1" for r in rows]), np.array([r[2] == "1" for r in rows])

    def script(self) -> _Script:
        """A script that begins with a reset."""
        found = _Script(self.garbage, [], [])
        found.idle(3, rst=1)
        return found

    def event(self, script: _Script, event: int, until: int) -> None:
        """An event at the input: held for the interval, or its beats."""
        start = event * self.beats
        words = [w for beat in range(self.beats) for w in [start + beat] * self.held]
        script.event(words, until)

    def clean(self) -> None:
        for name in ("stimulus.hex", "schedule.txt", "response.hex", "threshold.hex", "simulation", "results.xml"):
            (self.work / name).unlink(missing_ok=True)
        shutil.rmtree(self.work / "generated", ignore_errors=True)


def verify_started(
    firmware: Firmware,
    codes: Codes,
    references: Mapping[str, Codes],
    work: Path,
    waves: WaveFormat | None = None,
    threshold: int | None = None,
) -> Verified:
    """Compare the simulated RTL with every reference model, as :func:`codesign.verify.rtl.verify` does.

    Every event is played behind another at the stated interval, then again with gaps and resets in mid-event, with
    garbage wherever no event is.
    """
    simulation = _Started(firmware, codes, work, waves)
    design, thresholds = firmware.design, [0]
    if design.threshold is not None and design.trigger_index is not None:
        compared = next(iter(references.values()))[:, design.trigger_index]
        thresholds = [int(np.quantile(compared, 0.5, method="higher"))]
        if threshold is not None:
            kind = design.threshold.types[0]
            thresholds.append(min(max(threshold, kind.minimum), kind.maximum))
    latency, difference = None, None
    for code in thresholds:
        simulation.threshold(code)
        wanted = {name: with_trigger(design, reference, code) for name, reference in references.items()}
        for script, played in _scripts(simulation):
            latency, difference = _judge(simulation, script, played, wanted, latency)
            if difference is not None:
                break
        if difference is not None:
            break
    interval = _fewest(simulation)
    stated = simulation.rtl.initiation_interval
    if difference is None and latency != firmware.latency_cycles:
        difference = (
            f"outputs are exact, but the measured latency is {latency} cycles and the firmware claims "
            f"{firmware.latency_cycles}"
        )
    if difference is None and interval != stated:
        difference = f"the firmware claims an event every {stated} clocks, and takes one every {interval}"
    simulation.clean()
    first = next(iter(references.values()))
    return Verified(
        exact=difference is None,
        events=len(codes),
        latency_cycles=latency or None,
        initiation_interval=interval or None,
        compared=list(references),
        tool="cocotb",
        version=verilator.tool_version(),
        first_difference=difference,
        thresholds=thresholds if design.threshold is not None else [],
        fired=[int(design.fires(first, c).sum()) for c in thresholds] if design.threshold is not None else [],
    )


def _scripts(simulation: _Started) -> list[tuple[_Script, list[int]]]:
    """What is played, and the events of each: all behind one another; some with gaps and resets."""
    interval, rng = simulation.rtl.initiation_interval, np.random.default_rng(1)
    tail = simulation.firmware.latency_cycles + 2 * interval + 8
    events = list(range(len(simulation.codes)))
    close = simulation.script()
    for event in events:
        simulation.event(close, event, interval)
    close.idle(tail)
    gaps = simulation.script()
    some = events[: min(len(events), 200)]
    for event in some:
        if rng.random() < 0.15:  # a reset in the middle: whatever is under way is forgotten
            under_way = len(gaps.rows) - tail
            simulation.event(gaps, event, int(rng.integers(1, interval + 3)))
            gaps.lost += [c for c in gaps.clocks if c is not None and c > under_way]
            gaps.clocks = [None if c is not None and c > under_way else c for c in gaps.clocks]
            gaps.idle(int(rng.integers(1, 3)), rst=1)
        else:
            simulation.event(gaps, event, interval + int(rng.integers(0, 2) * rng.integers(0, 2 * interval)))
    gaps.idle(tail)
    return [(close, events), (gaps, some)]


def _judge(
    simulation: _Started, script: _Script, played: list[int], wanted: Mapping[str, Codes], known: int | None
) -> tuple[int | None, str | None]:
    """The latency, measured where it is not known yet, and the first difference in words."""
    outputs, valid, error = simulation.play(script)
    reset = np.array([rst for _, _, rst in script.rows], dtype=bool)
    if error[3:].any():
        return None, f"an event {simulation.rtl.initiation_interval} clocks after the last one is refused as too close"
    came = [(event, clock) for event, clock in zip(played, script.clocks, strict=True) if clock is not None]
    results = np.flatnonzero(valid & ~np.roll(reset, 1))
    results = results[results >= 3]
    if not len(results) or not came:
        return None, "valid is never high"
    latency = int(results[0]) - came[0][1] - 1 if known is None else known
    # events that a reset comes after may have left before it; every other one must come out, and nothing else
    due = {clock + latency + 1: event for event, clock in came}
    lacking = [clock for clock in due if clock not in set(results.tolist())]
    if lacking:
        return latency, f"event {due[lacking[0]]}: valid is not high {latency} cycles after sampling"
    strange = set(results.tolist()) - set(due) - {clock + latency + 1 for clock in script.lost}
    if strange:
        return latency, f"valid is high in clock {min(strange)}, where no event's result is due"
    for name, reference in wanted.items():
        for clock, event in due.items():
            wrong = np.flatnonzero(outputs[clock] != reference[event])
            if len(wrong):
                label, i = simulation.observed.labels[wrong[0]], wrong[0]
                total = sum(int((outputs[c] != reference[e]).any()) for c, e in due.items())
                return latency, (
                    f"event {event}, output '{label}': RTL {outputs[clock, i]}, {name} {reference[event, i]} "
                    f"({total} of {len(due)} events differ, {latency} cycles after sampling)"
                )
    return latency, None


def _fewest(simulation: _Started) -> int | None:
    """The fewest clocks between two events that raise no error."""
    script, ends = simulation.script(), []
    tried = range(1, simulation.rtl.initiation_interval + 3)
    for distance in tried:
        simulation.event(script, 0, distance)
        simulation.event(script, 0, simulation.rtl.initiation_interval + 1)
        ends.append(len(script.rows) - 1)
        script.idle(3, rst=1)
    script.idle(1)
    _, _, error = simulation.play(script)
    return next((d for d, end in zip(tried, ends, strict=True) if not error[end]), None)
