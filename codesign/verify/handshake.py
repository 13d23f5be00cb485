"""Simulate RTL with AXI4-Stream ports, one event a beat: its integers, its initiation interval and its latency.

Three runs. *Flood*: an event is offered as soon as the last one was taken, which shows the interval at which the RTL
takes events. *Steady*: events are offered at that interval, none of them may wait, and the latency is measured: the
largest over all events, in the unit of :data:`codesign.core.figures.QUANTITIES`, from the edge that takes an event to
the edge after which its result is at the output. *Stalls*: both sides wait at random. In every run every event must
come out, once, in order, with the integers of every reference, and by the protocol (Arm IHI 0051).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core import resources
from codesign.core.errors import InputError, ToolError
from codesign.core.process import last_words, run_tool
from codesign.core.records import Verified
from codesign.rtl.axi import bytes_of
from codesign.rtl.firmware import Firmware
from codesign.rtl.firmware_record import own_files
from codesign.rtl.packing import pack, unpack
from codesign.tools import verilator
from codesign.tools.verilator import WaveFormat

__all__ = ("Played", "play", "simulation_of", "verify_handshake")

_TOP = "handshake_harness"
_SECONDS = 3600.0
_STALLED_EVENTS = 200

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Played:
    """What one run showed: clock numbers of the edges on which events were taken and given, and the codes given."""

    taken: Codes
    given: Codes
    outputs: Codes
    breaches: int

    @property
    def latencies(self) -> Codes:
        """Clock periods from taking an event to its result at the output, for each event that came out."""
        return self.given - 1 - self.taken[: len(self.given)]


@dataclass(frozen=True)
class _Simulation:
    firmware: Firmware
    program: Path
    work: Path
    events: int
    waves: WaveFormat | None


def simulation_of(
    firmware: Firmware, codes: Codes, work: Path, data: Sequence[Path] = (), waves: WaveFormat | None = None
) -> _Simulation:
    """Compile the RTL with the harness for ``codes`` (events, n); ``data`` are memory files that it reads."""
    if not len(codes):
        raise InputError("no events to simulate")
    work = work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    (work / "stimulus.hex").write_text("\n".join(pack(firmware.design.inputs, codes)) + "\n", encoding="ascii")
    for path in data:
        shutil.copyfile(own_files(firmware.folder, [path])[0], work / path.name)
    defines = {
        "CODESIGN_TOP": firmware.top,
        "CODESIGN_INP_WIDTH": str(8 * bytes_of(firmware.design.inputs.width)),
        "CODESIGN_OUT_WIDTH": str(8 * bytes_of(firmware.design.outputs.width)),
        "CODESIGN_EVENTS": str(len(codes)),
    }
    harness = resources.folder("sim") / f"{_TOP}.sv"
    sources = [*firmware.source_paths, harness]
    program = verilator.build([s.resolve() for s in sources], _TOP, defines, work, waves)
    return _Simulation(firmware, program, work, len(codes), waves)


def play(simulation: _Simulation, events: int, period: int = 0, stalls: tuple[int, int] = (0, 0)) -> Played:
    """Play the first ``events``; ``period`` and ``stalls`` (percent in, out) as ``sim/handshake_harness.sv`` says."""
    work = simulation.work
    response = work / "response.txt"
    response.unlink(missing_ok=True)
    bench = resources.folder("sim") / "handshake_bench.py"
    environment = verilator.simulate_environment(bench.resolve(), _TOP, work / "results.xml")
    arguments: list[str | Path] = [simulation.program, "+verilator+rand+reset+2", "+verilator+seed+1"]
    arguments += [f"+period={period}", f"+stall_in={stalls[0]}", f"+stall_out={stalls[1]}", f"+events={events}"]
    arguments += ["--trace"] if simulation.waves else []
    done = run_tool(arguments, work, _SECONDS, environment, work / "simulation.log", name="simulation")
    if not response.is_file():
        raise ToolError(f"simulation: the bench gave no response; {last_words(done.output)}")
    taken, given, words, breaches = [], [], [], 0
    for line in response.read_text(encoding="ascii").splitlines():
        kind, clock, *rest = line.split()
        if kind == "i":
            taken.append(int(clock))
        elif kind == "o":
            given.append(int(clock))
            words.append(rest[0])
        else:
            breaches += 1
    port = simulation.firmware.design.outputs
    digits = -(-port.width // 4)
    padding = f"{'0' * (2 * bytes_of(port.width) - digits)}"
    if any(not word.startswith(padding) for word in words):
        breaches += 1  # the bits above the last output must be 0
    outputs = unpack(port, [word[-digits:] for word in words]) if words else np.zeros((0, port.size), dtype=np.int64)
    return Played(np.array(taken, dtype=np.int64), np.array(given, dtype=np.int64), outputs, breaches)


def verify_handshake(
    firmware: Firmware,
    codes: Codes,
    references: Mapping[str, Codes],
    work: Path,
    data: Sequence[Path] = (),
    waves: WaveFormat | None = None,
) -> Verified:
    """Compare the simulated RTL with every reference (model -> output codes (events, m)), and measure its timing.

    ToolError where the RTL does not compile or the simulation fails. That it gives other integers, loses an event or
    breaks the protocol is the verdict, not an error.
    """
    if not references:
        raise InputError("nothing to compare the RTL with: give at least one reference model")
    simulation = simulation_of(firmware, codes, work, data, waves)
    flood = play(simulation, len(codes))
    difference = _difference(firmware, flood, references, len(codes), "events offered without a pause")
    latency = interval = None
    if difference is None:
        half = flood.given[len(flood.given) // 2 :]
        if len(half) > 1:
            interval = max(1, int(np.ceil((half[-1] - half[0]) / (len(half) - 1))))
            steady = play(simulation, len(codes), interval)
            waits = np.diff(steady.taken) != interval
            difference = _difference(firmware, steady, references, len(codes), f"an event every {interval} clocks")
            if difference is None and waits.any():
                difference = f"an event offered every {interval} clocks waits: event {int(waits.argmax()) + 1}"
            latency = max(1, int(steady.latencies.max())) if difference is None else None
    if difference is None:
        few = min(len(codes), _STALLED_EVENTS)
        stalled = play(simulation, few, 0, (40, 60))
        difference = _difference(firmware, stalled, references, few, "random stalls on both sides")
    _clean(work, data)
    return Verified(
        exact=difference is None,
        events=len(codes),
        latency_cycles=latency,
        initiation_interval=interval,
        compared=list(references),
        tool="cocotb",
        version=verilator.tool_version(),
        first_difference=difference,
    )


def _difference(
    firmware: Firmware, played: Played, references: Mapping[str, Codes], events: int, how: str
) -> str | None:
    """What is wrong with a run, in words; None where nothing is."""
    if played.breaches:
        return f"with {how}: {played.breaches} breaches of the protocol at the output"
    if len(played.outputs) != events or len(played.taken) != events:
        return f"with {how}: {len(played.taken)} of {events} events were taken and {len(played.outputs)} came out"
    for name, reference in references.items():
        wrong = np.argwhere(played.outputs != reference[:events])
        if len(wrong):
            event, i = wrong[0]
            return (
                f"with {how}: event {event}, output '{firmware.design.outputs.labels[i]}': RTL "
                f"{played.outputs[event, i]}, {name} {reference[event, i]} "
                f"({len(np.unique(wrong[:, 0]))} of {events} events differ)"
            )
    return None


def _clean(work: Path, data: Sequence[Path]) -> None:
    """Remove what only this simulation needed; waves and logs stay."""
    for name in ("stimulus.hex", "response.txt", "simulation", "results.xml", *(p.name for p in data)):
        (work / name).unlink(missing_ok=True)
