"""A trial on a board: its timing closed, its bitstream made, and the board's top simulated through its serial line."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from codesign.core.errors import CodesignError, InputError, ToolError
from codesign.core.probes import probe_codes
from codesign.core.runfolder import RunFolder, TrialFolder, write_atomically
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.alkaid.timing_closure import Closure, close_timing, next_stage_delay
from codesign.flows.reopening import seal_bitstream
from codesign.flows.settings import flow_settings
from codesign.graph import reference
from codesign.pipeline.stages import add_figures
from codesign.pipeline.trial import design_of, firmware_for, flow_of, golden_codes, threshold_of, trial_of
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import with_trigger
from codesign.rtl.provenance import provenance
from codesign.tools.bitstream import Bitstream, MissedClock, bitstream, starting_threshold

__all__ = ("OnBoard", "bitstream_of_trial", "close_timing_of_trial")

_RECORD = "bitstream.json"
_STEPS = 4
#: golden events that go through the simulated serial line: more than the board holds at once
_EVENTS = 96


@dataclass(frozen=True)
class OnBoard:
    """What was made for a board.

    Attributes
    ----------
    bitstream: the file; ``timing``: nextpnr's timing report, None where another tool built it and has its own.
    latency_cycles: of the firmware; ``stage_delay``: the logic between two registers that reached the clock.
    simulated_events: golden events that came back right through the simulated board's serial line; ``not_simulated``:
        why there are none.
    threshold: of a design that triggers, the code that the board compares with after a reset; ``thresholds``: those at
        which the golden events came back, the first as it is, the second set by the host; ``fired``: how many trigger.
    """

    bitstream: Path
    timing: Path | None = None
    clock_mhz: float | None = None
    fmax_mhz: float | None = None
    latency_cycles: int | None = None
    stage_delay: float | None = None
    simulated_events: int = 0
    not_simulated: str | None = None
    threshold: int | None = None
    thresholds: tuple[int, ...] = ()
    fired: tuple[int, ...] = ()

    def __str__(self) -> str:
        lines = [f"bitstream: {self.bitstream}"]
        if self.fmax_mhz is not None:
            lines.append(
                f"timing: {self.fmax_mhz:.1f} MHz, of {self.clock_mhz:g} MHz needed; latency {self.latency_cycles} "
                f"cycles; report: {self.timing}"
            )
        if self.not_simulated:
            lines.append(f"board not simulated: {self.not_simulated}")
        elif self.simulated_events:
            lines.append(f"board simulated: {self.simulated_events} golden events through the serial line, all equal")
        for code, fired in zip(self.thresholds, self.fired, strict=True):
            after = " (after a reset)" if code == self.threshold else ""
            lines.append(f"threshold {code}{after}: {fired} of {self.simulated_events} events trigger")
        return "\n".join(lines)


def close_timing_of_trial(run: RunFolder, number: int, target_name: str | None = None) -> Closure:
    """Deepen a trial's pipeline until place and route reaches the target's clock (``codesign synth --close-timing``).

    What was tried lies in ``trials/NNNN/timing-TARGET``.
    """
    study, folder = trial_of(run, number)
    if study.flow.name != Alkaid.name:
        raise InputError(f"timing closure deepens the pipelines of the flow alkaid, not of '{study.flow.name}'")
    target = load_target(target_name or study.target)
    settings = flow_settings(Alkaid(), folder.read_json("config.json") or {})
    return close_timing(design_of(folder), target, folder.path / f"timing-{target.name}", settings=settings)


def bitstream_of_trial(
    run: RunFolder,
    number: int,
    target_name: str,
    output: Path | None = None,
    tick: Callable[[str], None] = lambda stage: None,
) -> OnBoard:
    """Compile one trial for a board, place and route it, write its bitstream, and simulate the board's top.

    Where the clock is missed and the flow can, the pipeline is deepened and placed again. Bitstream, logs, timing
    report and :class:`OnBoard` as JSON land in ``trials/NNNN/bitstream-TARGET``; ``output`` gets a copy of the
    bitstream. ToolError where the simulated board gives other integers than QONNX: then there is no bitstream.
    """
    folder, firmware = firmware_for(run, number, target_name)
    work = folder.path / f"bitstream-{firmware.target.name}"
    own = flow_of(run, number).own_bitstream(firmware, work)
    if own is None:
        threshold = threshold_of(folder, firmware.design)
        made, firmware = _close(run, number, firmware, work, threshold, tick)
        tick("simulating the board")
        found = _proven(made, firmware, folder, work, threshold)
        write_atomically(work / _RECORD, (json.dumps(asdict(found), indent=1, default=str) + "\n").encode())
    else:
        path, figures = own
        found = OnBoard(path)
        if firmware.folder == folder.firmware:
            add_figures(folder, provenance(figures, firmware))
    seal_bitstream(work, firmware.design)
    if output is not None:
        write_atomically(output, found.bitstream.read_bytes())
    return found


def _close(
    run: RunFolder, number: int, firmware: Firmware, work: Path, threshold: int | None, tick: Callable[[str], None]
) -> tuple[Bitstream, Firmware]:
    """A bitstream that reaches the clock, and the firmware in it; MissedClock where no pipeline that was tried does.

    ``threshold`` is what a design that triggers compares with after a reset.
    """
    flow, design, target = flow_of(run, number), firmware.design, firmware.target
    delay = float(firmware.settings.get("stage_delay") or target.stage_delay)
    for step in range(_STEPS):
        tick(f"placing and routing, {delay:g} adders between registers")
        try:
            return bitstream(firmware, work, threshold=threshold), firmware
        except MissedClock as missed:
            deeper = next_stage_delay(delay, missed.fmax_mhz, target.clock_mhz)
            if deeper is None or step == _STEPS - 1 or (settings := flow.deeper(firmware, deeper)) is None:
                raise
            delay = deeper
            firmware = flow.compile(design, target, work / "firmware", settings)
    raise AssertionError("every step ends the loop or goes on")


def _proven(made: Bitstream, firmware: Firmware, folder: TrialFolder, work: Path, threshold: int | None) -> OnBoard:
    """Golden events through the simulated serial line; a simulation that cannot run costs the proof only.

    Those of a design that triggers go twice: at the threshold that the board has after a reset, and at one that half of
    the events reach, which the host sets.
    """
    from codesign.rtl.uart import SerialBoard
    from codesign.verify.bitstream_simulation import SimulatedPort

    design = firmware.design
    codes = golden_codes(folder, design)
    codes = (probe_codes(design.inputs) if codes is None else codes)[:_EVENTS]
    outputs = reference.qonnx_codes(design, codes)
    start = starting_threshold(design, threshold)
    thresholds = () if start is None else (start, int(np.median(outputs[:, design.trigger_index])))
    failed: str | None = None
    try:
        board = SerialBoard(design, SimulatedPort(firmware, work / "simulation", threshold=threshold))
        answered = [board.run(codes), *(board.run(codes, threshold=code) for code in thresholds[1:])]
    except CodesignError as error:
        failed = " ".join(str(error).split())
    else:
        expected = [with_trigger(design, outputs, code) for code in thresholds] or [outputs]
        wrong = sum((a != e).any(axis=1) for a, e in zip(answered, expected, strict=True))
        if wrong.any():
            made.path.unlink()
            raise ToolError(
                f"board: {int((wrong > 0).sum())} of {len(codes)} golden events come back wrong through the simulated "
                "serial line: no bitstream is made"
            )
    return OnBoard(
        made.path,
        made.report,
        firmware.target.clock_mhz,
        made.fmax_mhz,
        firmware.latency_cycles,
        float(firmware.settings.get("stage_delay") or firmware.target.stage_delay),
        0 if failed else len(codes),
        failed,
        start,
        () if failed else thresholds,
        () if failed else tuple(int(design.fires(outputs, code).sum()) for code in thresholds),
    )
