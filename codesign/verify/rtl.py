"""Simulate a firmware's RTL event by event, compare it with its reference models, and measure its timing.

What a latency is, in this one place: call *edge 0* the rising clock edge that samples an event (the event is at the
input before it). The latency is the number N for which the event's result is at the output after edge N, so that
``N * period`` is the time from sampling to result. A pipeline with an input register, k pieces of logic with k - 1
registers between them, and an output register has N = k.

N is measured twice, and never taken from the firmware: by value (the one shift at which the recorded outputs equal the
reference for every event), and by step (hold one event until the output is at rest, change to another, count the edges
until the output moves and until it is at rest again), which needs no reference at all.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core import resources
from codesign.core.errors import InputError, ToolError
from codesign.core.process import run_tool
from codesign.core.records import Verified
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import observed_port, pack, unpack, with_trigger
from codesign.tools import verilator
from codesign.tools.verilator import WaveFormat
from codesign.verify.handshake import verify_handshake
from codesign.verify.harness import port_defines, write_threshold
from codesign.verify.started import verify_started

__all__ = ("MAXIMUM_LATENCY", "SimulationResult", "simulate", "verify")

MAXIMUM_LATENCY = 256  # clock cycles; a longer pipeline is reported as one whose outputs never match
_MAXIMUM_INTERVAL = 16  # clock cycles between events up to which a smaller rate is tried
_PROBES = 8  # events that are held until the output is at rest
_TRIED_EVENTS = 64  # events with which a smaller rate is tried first
_SIMULATION_SECONDS = 3600.0
_TOP = "stream_harness"

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class SimulationResult:
    """What the RTL did.

    Attributes
    ----------
    outputs: codes (events, m) for a new event every clock, aligned with the events by the measured latency.
    latency_cycles: measured by step; None where no probed event moved the output (then ``outputs`` are constant).
    initiation_interval: 1 where outputs with a new event every clock equal those of the events held; else None.
    clocks: rising edges simulated.
    """

    outputs: Codes
    latency_cycles: int | None
    initiation_interval: int | None
    clocks: int
    tool: str
    version: str


@dataclass
class _Recording:
    """A schedule and the output after each of its edges."""

    schedule: NDArray[np.int64]
    outputs: Codes
    stretches: dict[str, slice] = field(default_factory=dict)


class _Simulation:
    """A compiled firmware with its events, which plays schedules."""

    def __init__(self, firmware: Firmware, codes: Codes, work: Path, waves: WaveFormat | None) -> None:
        self.firmware, self.codes, self.work, self.waves = firmware, codes, work, waves
        self.clocks = 0
        if not len(codes):
            raise InputError("no events to simulate")
        words = pack(firmware.design.inputs, codes)
        defines = port_defines(firmware)
        work.mkdir(parents=True, exist_ok=True)
        (work / "stimulus.hex").write_text("\n".join(words) + "\n", encoding="ascii")
        self.observed = observed_port(firmware.design)
        self.threshold(0)
        sources = [resources.folder("sim") / "stream_harness.sv", *firmware.source_paths]
        self.program = verilator.build([s.resolve() for s in sources], _TOP, defines, work.resolve(), waves)

    def threshold(self, code: int) -> None:
        """Set the threshold, a code of its port, for what is played from now on; nothing where there is none."""
        write_threshold(self.firmware, code, self.work)

    def play(self, schedule: NDArray[np.int64]) -> Codes:
        """Codes of the observed port after each edge of a schedule of event indices."""
        work = self.work.resolve()
        bench = resources.folder("sim") / "stream_bench.py"
        response = work / "response.hex"
        response.unlink(missing_ok=True)
        (work / "schedule.txt").write_text("\n".join(map(str, schedule.tolist())) + "\n", encoding="ascii")
        environment = verilator.simulate_environment(bench.resolve(), _TOP, work / "results.xml")
        environment["CODESIGN_STREAM"] = str(work)
        arguments: list[str | Path] = [self.program, "+verilator+rand+reset+2", "+verilator+seed+1"]
        arguments += ["--trace"] if self.waves else []
        done = run_tool(arguments, work, _SIMULATION_SECONDS, environment, work / "simulation.log", name="simulation")
        if not response.is_file():
            raise ToolError(
                f"simulation: the bench gave no response; {_reason(done.output)} (see {work}/simulation.log)"
            )
        self.clocks += len(schedule)
        return unpack(self.observed, response.read_text(encoding="ascii").split())

    def stream(self, probes: Sequence[int]) -> _Recording:
        """Every event once, one each clock, then ``probes`` held until the output is at rest."""
        events = len(self.codes)
        tail = [events - 1] * MAXIMUM_LATENCY
        held = np.repeat(np.asarray(probes, dtype=np.int64), MAXIMUM_LATENCY + 1)
        schedule = np.concatenate([np.arange(events), tail, held])
        outputs = self.play(schedule)
        start = events + MAXIMUM_LATENCY
        return _Recording(schedule, outputs, {"stream": slice(0, start), "held": slice(start, len(schedule))})

    def clean(self) -> None:
        """Remove what only this simulation needed; waves and logs stay."""
        for name in ("stimulus.hex", "schedule.txt", "response.hex", "threshold.hex", "simulation", "results.xml"):
            (self.work / name).unlink(missing_ok=True)
        shutil.rmtree(self.work / "generated", ignore_errors=True)


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if "Error" in line or "error" in line]
    return lines[-1] if lines else "no error was printed"


def _even_probes(events: int) -> list[int]:
    """Events spread evenly over the batch."""
    return [int(i) for i in np.linspace(0, events - 1, min(events, _PROBES))]


def _changing_probes(reference: Codes) -> list[int]:
    """Events each of which has another output than the one before it in the list."""
    changes = np.flatnonzero((reference[1:] != reference[:-1]).any(axis=1))
    chosen = (
        changes[np.linspace(0, len(changes) - 1, min(len(changes), _PROBES // 2)).astype(int)] if len(changes) else []
    )
    return [int(i) for c in chosen for i in (c, c + 1)] or _even_probes(len(reference))


def _step_latencies(recording: _Recording) -> set[tuple[int, int]]:
    """For every step between held events that moved the output: edges to its first and to its last movement."""
    start = recording.stretches["held"].start
    steps = [t for t in range(start, len(recording.schedule)) if recording.schedule[t] != recording.schedule[t - 1]]
    found = set()
    for t in steps:
        window = recording.outputs[t - 1 : t + MAXIMUM_LATENCY + 1]
        moved = np.flatnonzero((window[1:] != window[:-1]).any(axis=1))
        if len(moved):
            found.add((int(moved[0]), int(moved[-1])))
    return found


def _one_latency(steps: set[tuple[int, int]]) -> int | None:
    """The latency on which all steps agree, the output moving at one edge only; None where there is no such."""
    return next(iter(steps))[0] if len(steps) == 1 and len(set(next(iter(steps)))) == 1 else None


def _shifts(recorded: Codes, reference: Codes, interval: int = 1) -> list[int]:
    """All shifts N at which ``recorded[event * interval + N] == reference[event]`` for every event."""
    found = []
    few = min(len(reference), 16)
    for shift in range(MAXIMUM_LATENCY + 1):
        at = recorded[shift::interval]
        if np.array_equal(at[:few], reference[:few]) and np.array_equal(at[: len(reference)], reference):
            found.append(shift)
    return found


def simulate(
    firmware: Firmware,
    codes: Codes,
    work: Path,
    waves: WaveFormat | None = None,
    probes: Sequence[int] | None = None,
) -> SimulationResult:
    """Simulate input ``codes`` (events, n), a new event every clock, with cocotb on Verilator in folder ``work``.

    ``probes`` are indices of events held for the latency measurement (default: some, evenly spread). With ``waves``,
    ``work/dump.vcd`` or ``work/dump.fst`` holds the traces. InputError if codes do not fit the design's input types;
    ToolError if the firmware does not compile, its latency cannot be determined although its output moves, or a header
    that FST needs is missing.
    """
    simulation = _Simulation(firmware, codes, work, waves)
    recording = simulation.stream(_even_probes(len(codes)) if probes is None else probes)
    steps = _step_latencies(recording)
    latency = _one_latency(steps)
    recorded = recording.outputs[recording.stretches["stream"]]
    if latency is None and (steps or (recorded[MAXIMUM_LATENCY:] != recorded[-1]).any()):
        raise ToolError(f"simulation: the latency cannot be determined ({_steps_in_words(steps)})")
    outputs = recorded[latency or 0 :][: len(codes)] if latency is not None else recorded[-len(codes) :]
    size = firmware.design.outputs.size
    held = recording.schedule[recording.stretches["held"]][MAXIMUM_LATENCY :: MAXIMUM_LATENCY + 1]
    at_rest = recording.outputs[recording.stretches["held"]][MAXIMUM_LATENCY :: MAXIMUM_LATENCY + 1]
    interval = 1 if np.array_equal(outputs[held], at_rest) else None
    simulation.clean()
    return SimulationResult(
        outputs=outputs[:, :size],
        latency_cycles=latency,
        initiation_interval=interval,
        clocks=simulation.clocks,
        tool="cocotb",
        version=verilator.tool_version(),
    )


def verify(
    firmware: Firmware,
    codes: Codes,
    references: Mapping[str, Codes],
    work: Path,
    waves: WaveFormat | None = None,
    threshold: int | None = None,
) -> Verified:
    """Compare the simulated RTL with every reference model, for a new event every clock, or as often as it says.

    A design that triggers is simulated with all events at two thresholds, one that half of the events reach and
    ``threshold`` (a code of the output that is compared), and its trigger bit is compared like an output.

    ``references`` maps a model's name to its output codes (events, m) for the input ``codes`` (events, n). The verdict
    is exact only where all outputs of all events equal those of every model at one and the same shift, and the latency
    measured is the one that the firmware claims, since its figures rest on it. Errors as in :func:`simulate`. RTL with
    handshakes goes through :mod:`codesign.verify.handshake`, and what is told when an event comes through
    :mod:`codesign.verify.started`.
    """
    shape = (len(codes), firmware.design.outputs.size)
    if not references:
        raise InputError("nothing to compare the RTL with: give at least one reference model")
    for name, reference in references.items():
        if reference.shape != shape:
            raise InputError(f"reference '{name}': expected output codes of shape {shape}, got {reference.shape}")
    if firmware.rtl is not None and firmware.rtl.protocol == "axi-stream":
        return verify_handshake(firmware, codes, references, work, firmware.rtl.data, waves)
    if firmware.rtl is not None and firmware.rtl.protocol == "started":
        return verify_started(firmware, codes, references, work, waves, threshold)
    simulation = _Simulation(firmware, codes, work, waves)
    design, own = firmware.design, references
    thresholds: list[int] = []
    if design.threshold is not None and design.trigger_index is not None:
        compared = next(iter(own.values()))[:, design.trigger_index]
        thresholds = [int(np.quantile(compared, 0.5, method="higher"))]
        kind = design.threshold.types[0]
        if threshold is not None:
            thresholds.append(min(max(threshold, kind.minimum), kind.maximum))
        simulation.threshold(thresholds[0])
        references = {name: with_trigger(design, reference, thresholds[0]) for name, reference in own.items()}
    first = next(iter(references.values()))
    recording = simulation.stream(_changing_probes(first))
    recorded = recording.outputs[recording.stretches["stream"]]
    steps = _step_latencies(recording)
    by_model = {name: _shifts(recorded, reference) for name, reference in references.items()}
    common = sorted(set.intersection(*(set(shifts) for shifts in by_model.values())))
    latency, interval, difference = _one_latency(steps), 1 if common else None, None
    if not common:
        matched = next((shifts[0] for shifts in by_model.values() if shifts), None)
        interval = 1 if matched is not None else None
        at: int | None = latency if matched is None else matched
        slower = _slower(simulation, first) if matched is None else None
        if slower is not None:
            interval, at = slower
            latency = at
        if slower is not None and firmware.rtl is not None and interval == firmware.rtl.initiation_interval:
            if any(not _at_interval(simulation, reference, interval, at) for reference in references.values()):
                difference = f"with a new event every {interval} clocks the models differ"
        elif slower is not None:
            words = _first_difference(firmware, recorded, references, slower[1])
            difference = f"outputs are right only with a new event every {interval} clocks; at one a clock, {words}"
        else:
            latency = matched
            difference = _first_difference(
                firmware, recorded, references, _nearest(recorded, first) if at is None else at
            )
    elif len(steps) > 0 and latency not in common:
        difference = f"outputs match after {common[0]} cycles, but {_steps_in_words(steps)}"
        latency = common[0]
    elif latency is None and len(common) == 1:
        latency = common[0]
    if difference is None and latency is not None and latency != firmware.latency_cycles:
        difference = (
            f"outputs are exact, but the measured latency is {latency} cycles and the firmware claims "
            f"{firmware.latency_cycles}"
        )
    for code in thresholds[1:] if difference is None else ():
        simulation.threshold(code)
        again = simulation.play(np.concatenate([np.arange(len(codes)), [len(codes) - 1] * MAXIMUM_LATENCY]))
        expected = {name: with_trigger(design, reference, code) for name, reference in own.items()}
        if any(latency not in _shifts(again, reference) for reference in expected.values()):
            difference = f"at threshold {code}: {_first_difference(firmware, again, expected, latency or 0)}"
    simulation.clean()
    return Verified(
        exact=difference is None,
        events=len(codes),
        latency_cycles=latency or None,
        initiation_interval=interval,
        compared=list(references),
        tool="cocotb",
        version=verilator.tool_version(),
        first_difference=difference,
        thresholds=thresholds,
        fired=[int(design.fires(next(iter(own.values())), code).sum()) for code in thresholds],
    )


def _at_interval(simulation: _Simulation, reference: Codes, interval: int, shift: int | None) -> bool:
    """Whether every output is right at this shift with an event every ``interval`` clocks."""
    schedule = np.concatenate([np.repeat(np.arange(len(reference)), interval), [len(reference) - 1] * MAXIMUM_LATENCY])
    return shift in _shifts(simulation.play(schedule), reference, interval)


def _slower(simulation: _Simulation, reference: Codes) -> tuple[int, int] | None:
    """The smallest interval above 1, and its shift, at which the outputs are right for every event; None if none is."""
    few = min(len(reference), _TRIED_EVENTS)
    for interval in range(2, _MAXIMUM_INTERVAL + 1) if _try(simulation, reference[:few]) else ():
        schedule = np.concatenate(
            [np.repeat(np.arange(len(reference)), interval), [len(reference) - 1] * MAXIMUM_LATENCY]
        )
        shifts = _shifts(simulation.play(schedule), reference, interval)
        if shifts:
            return interval, shifts[0]
    return None


def _try(simulation: _Simulation, reference: Codes) -> bool:
    """Whether any interval above 1 is right for the first events: one run, before all events are played so often."""
    pieces = [
        np.concatenate([np.repeat(np.arange(len(reference)), interval), [len(reference) - 1] * MAXIMUM_LATENCY])
        for interval in range(2, _MAXIMUM_INTERVAL + 1)
    ]
    outputs = simulation.play(np.concatenate(pieces))
    starts = np.cumsum([0, *(len(p) for p in pieces)])
    return any(
        _shifts(outputs[start : start + len(piece)], reference, interval)
        for interval, start, piece in zip(range(2, _MAXIMUM_INTERVAL + 1), starts[:-1], pieces, strict=True)
    )


def _nearest(recorded: Codes, reference: Codes) -> int:
    """The shift at which most outputs agree, where none makes all agree."""
    agreeing = [
        int((recorded[shift : shift + len(reference)] == reference).sum()) for shift in range(MAXIMUM_LATENCY + 1)
    ]
    return int(np.argmax(agreeing))


def _first_difference(firmware: Firmware, recorded: Codes, references: Mapping[str, Codes], shift: int) -> str:
    """The first difference in words: event, output, both codes, and how many events differ."""
    port = observed_port(firmware.design)
    for name, reference in references.items():
        outputs = recorded[shift : shift + len(reference)]
        wrong = np.argwhere(outputs != reference)
        if len(wrong):
            event, i = wrong[0]
            count = len(np.unique(wrong[:, 0]))
            return (
                f"event {event}, output '{port.labels[i]}': RTL {outputs[event, i]}, {name} {reference[event, i]} "
                f"({count} of {len(reference)} events differ, {shift} cycles after sampling)"
            )
    raise AssertionError("called without a difference")


def _steps_in_words(steps: set[tuple[int, int]]) -> str:
    if not steps:
        return "no held event moved the output"
    parts = [f"{a}" if a == b else f"{a} to {b}" for a, b in sorted(steps)]
    return f"after a step at the input the output moves {', '.join(parts)} cycles later"
