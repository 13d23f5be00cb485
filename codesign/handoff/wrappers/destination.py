"""Write what a destination takes of a firmware, and simulate what was written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codesign.core.errors import InputError, nearest
from codesign.core.runfolder import write_atomically
from codesign.handoff.wrappers.bench_sources import bench_files, makefile
from codesign.handoff.wrappers.ctp7_wrapper import CTP7_MHZ, Ctp7Wrapper
from codesign.handoff.wrappers.emp_wrapper import EmpWrapper
from codesign.handoff.wrappers.l1topo_wrapper import L1TopoWrapper
from codesign.handoff.wrappers.ugt_wrapper import CROSSINGS_MHZ, UgtWrapper
from codesign.handoff.wrappers.verilog_benches import verilog_bench_files, verilog_makefile
from codesign.handoff.wrappers.wrapper import Codes, PinBench, WrappedNetwork, Wrapper, network_of, play
from codesign.rtl.firmware import Firmware

__all__ = ("DESTINATIONS", "Golden", "WrittenDestination", "simulate_destination", "write_destination")

#: events that travel with the sources
_MOST_EVENTS = 1000


@dataclass(frozen=True)
class Golden:
    """Input codes (events, n), the output codes (events, m) of a design, and the code of its threshold, if known."""

    inputs: Codes
    outputs: Codes
    threshold: int | None = None


@dataclass(frozen=True)
class WrittenDestination:
    """What lies in a destination's folder."""

    network: WrappedNetwork
    wrapper: Wrapper
    benches: tuple[PinBench, ...]


def _ugt(firmware: Firmware, folder: Path, threshold: int | None) -> Wrapper:
    return UgtWrapper.of(firmware.design, network_of(firmware, folder, CROSSINGS_MHZ), threshold)


def _ctp7(firmware: Firmware, folder: Path, bits: int) -> Wrapper:
    return Ctp7Wrapper.of(firmware.design, network_of(firmware, folder, CTP7_MHZ), bits)


_Maker = Callable[[Firmware, Path, int | None], Wrapper]
DESTINATIONS: Mapping[str, _Maker] = {
    "ugt": _ugt,
    "ctp7": lambda firmware, folder, threshold: _ctp7(firmware, folder, 128),
    "l1topo": lambda firmware, folder, threshold: L1TopoWrapper.of(
        firmware.design, network_of(firmware, folder, CROSSINGS_MHZ), threshold
    ),
    "emp": lambda firmware, folder, threshold: EmpWrapper.of(firmware, network_of(firmware, folder), threshold),
    "ctp7-192": lambda firmware, folder, threshold: _ctp7(firmware, folder, 192),
}


def write_destination(name: str, firmware: Firmware, golden: Golden, folder: Path) -> WrittenDestination:
    """Write the destination ``name`` into a new ``folder``; InputError where the design does not fit it."""
    if name not in DESTINATIONS:
        raise InputError(f"--for: unknown place '{name}'{nearest(name, DESTINATIONS)}; {', '.join(DESTINATIONS)} are")
    wrapper = DESTINATIONS[name](firmware, folder, golden.threshold)
    few = slice(0, _MOST_EVENTS)
    benches = wrapper.benches(golden.inputs[few], np.asarray(golden.outputs[few]))
    files = wrapper.files() | wrapper.patterns(golden.inputs[few], golden.outputs[few])
    places = [(bench, f"test/{number}") for number, bench in enumerate(benches, 1)]
    command = f"`codesign check BUNDLE --rtl` simulates {len(benches)} benches of it and compares every word."
    write, make, needs = (
        (bench_files, makefile, "GHDL alone")
        if wrapper.network.vhdl
        else (verilog_bench_files, verilog_makefile, "GHDL and Verilator 5")
    )
    for bench, place in places:
        files |= write(bench, place)
    files["Makefile"] = make(wrapper.network, places, wrapper.rules())
    command = f"`make test` needs {needs}; {command[0].lower()}{command[1:]}"
    listed = [f"- {bench.name}: {bench.events} events, {len(bench.clocks)} clocks" for bench in benches]
    files["README.md"] = "\n".join([*wrapper.readme(), "", "## Test", "", command, "", *listed, ""])
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / path, text.encode())
    return WrittenDestination(wrapper.network, wrapper, tuple(benches))


def simulate_destination(
    written: WrittenDestination, folder: Path, work: Path, verilator: bool = False
) -> tuple[int, str | None]:
    """Events of all benches, and the first difference in words; see :func:`codesign.handoff.wrappers.wrapper.play`."""
    for number, bench in enumerate(written.benches):
        if (difference := play(bench, written.network, folder, work / str(number), verilator)) is not None:
            return bench.events, difference
    return sum(bench.events for bench in written.benches), None
