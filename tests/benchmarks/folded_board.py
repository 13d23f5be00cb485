"""A folded deep set on an ULX3S: its bitstream, golden events through the simulated board, Fmax by nextpnr.

    python -m tests.benchmarks.folded_board [bitstream] [folded] [unrolled] [counted] [--seconds S]

``bitstream``: of 32 items of 3 fields, folded into 8 clocks; ``folded`` and ``unrolled``: what nextpnr says of the
circuit by itself, or why it says nothing, and then the cells that it would place; ``counted``: what Yosys counts of the
unrolled one, which needs no placement. Kept in
``reports/reference/folded_board.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import codesign
from codesign.core.errors import CodesignError
from codesign.core.probes import probe_codes
from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.flows.alkaid.timing_closure import next_stage_delay
from codesign.graph import reference
from codesign.rtl.firmware import Firmware
from codesign.rtl.uart import SerialBoard
from codesign.tools.bitstream import MissedClock, bitstream
from codesign.tools.nextpnr import available, place_and_route
from codesign.tools.placed_examples import EXAMPLES
from codesign.verify.bitstream_simulation import SimulatedPort
from tests.graph.item_networks import network

RECORD = Path(__file__).parents[2] / "reports" / "reference" / "folded_board.json"
KIND, ITEMS, FIELDS, INTERVAL = "deep set, sum", 32, 3, 9
TARGET, EVENTS = "ulx3s-85f", 96


def firmware_of(folder: Path, interval: int, stage_delay: float | None = None) -> Firmware:
    """The deep set for the board."""
    design, target = network(KIND, ITEMS, FIELDS), load_target(TARGET)
    return Alkaid().compile(design, target, folder, AlkaidSettings(interval=interval, stage_delay=stage_delay))


def made_bitstream(work: Path, seconds: float) -> dict[str, Any]:
    """A bitstream whose simulated board answers every golden event."""
    delay: float | None = load_target(TARGET).stage_delay
    while delay is not None:
        firmware = firmware_of(work / "firmware", INTERVAL, delay)
        try:
            made = bitstream(firmware, work / "board", seconds)
            break
        except MissedClock as missed:
            print(f"{delay:g} adders between registers: {missed}", flush=True)
            delay = next_stage_delay(delay, missed.fmax_mhz, firmware.target.clock_mhz)
    else:
        raise CodesignError("no pipeline reaches the board's clock")
    assert firmware.rtl is not None
    codes = probe_codes(firmware.design.inputs)[:EVENTS]
    truth = reference.qonnx_codes(firmware.design, codes)
    answered = SerialBoard(firmware.design, SimulatedPort(firmware, work / "simulation")).run(codes)
    return {
        "tool": "nextpnr-ecp5", "version": available("ecp5").version, "interval": firmware.rtl.initiation_interval,
        "stage_delay": delay, "latency_cycles": firmware.latency_cycles, "fmax_mhz": round(made.fmax_mhz, 1),
        "clock_mhz": firmware.target.clock_mhz, "bytes": made.path.stat().st_size, "events": len(codes),
        "different_results": len(np.unique(truth, axis=0)), "equal": int((answered == truth).all(axis=1).sum()),
    }  # fmt: skip


def placed(work: Path, interval: int, seconds: float) -> dict[str, Any]:
    """nextpnr's figures of the circuit, or what it says instead."""
    firmware = firmware_of(work / "firmware", interval)
    assert firmware.rtl is not None
    tool = {"tool": "nextpnr-ecp5", "version": available("ecp5").version}
    found: dict[str, Any] = {"latency_cycles": firmware.latency_cycles, "compiled_lut": round(firmware.extra["lut"]),
                             "interval": firmware.rtl.initiation_interval, **tool}  # fmt: skip
    try:
        return found | {f.quantity: f.value for f in place_and_route(firmware, work / "placed", seconds)}
    except CodesignError as error:
        return found | {"failed": " ".join(str(error).split()), "cells": cells_of(work / "placed" / "nextpnr.log")}


def counted(work: Path, seconds: float) -> dict[str, Any]:
    """Yosys' count of the unrolled circuit beside what the chip has."""
    firmware, has = firmware_of(work / "firmware", 1), load_target(TARGET).resources
    found = Alkaid().synthesise(firmware, work / "yosys", seconds)
    figures = {f.quantity: f.value for f in found if f.quantity in ("lut", "ff", "carry")}
    chip = {name: getattr(has, name) for name in ("lut", "ff")}
    return figures | {"tool": found[0].tool, "version": found[0].version, "chip": chip}


def cells_of(log: Path) -> dict[str, str]:
    """What nextpnr says of the chip before it places: cells of each kind in use, of how many there are."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    found = re.findall(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%", text, re.MULTILINE)
    return {kind: f"{used} of {there}" for kind, used, there in found if used != "0"}


def examples_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """What ``codesign targets`` shows of a record."""
    shown = ("interval", "fmax", "lut", "failed", "tool", "version")
    about = {"target": record["target"], "network": f"{KIND}, {ITEMS} x {FIELDS}"}
    parts = [record[part] for part in ("folded", "unrolled") if part in record]
    if "folded" not in record:  # as it was placed with all of the board around it
        made = record["bitstream"]
        parts.insert(0, {**made, "fmax": made["fmax_mhz"]})
    return [about | {key: part[key] for key in shown if key in part} for part in parts]


def main() -> None:
    """Measure what is asked for, each anew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=["bitstream", "folded", "unrolled", "counted"])
    parser.add_argument("--seconds", type=float, default=1200, help="for each tool")
    options = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {"codesign": codesign.__version__}
    record |= {"network": f"{KIND}, {ITEMS} x {FIELDS}, interval {INTERVAL}", "target": TARGET}
    for part in options.parts:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder)
            if part == "bitstream":
                found = made_bitstream(work, options.seconds)
            elif part == "counted":
                found = counted(work, options.seconds)
            else:
                found = placed(work, INTERVAL if part == "folded" else 1, options.seconds)
        record[part] = found | {"seconds": round(time.monotonic() - start, 1)}
        print(part, record[part], flush=True)
        write_atomically(RECORD, (json.dumps(record, indent=1) + "\n").encode())
        write_atomically(EXAMPLES, (json.dumps(examples_of(record), indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
