"""``python -m tests.benchmarks.wrappers [NAME ...]``: what each wrapper adds to a network: clocks, LUTs, flip-flops.

Networks of the tests: Level-1 objects to one score (uGT, L1Topo), regions to one score (CTP7), constituents to three
numbers (EMP, unrolled and folded into beats; AXI4-Stream). A wrapper becomes Verilog by GHDL; it and the network alone
are synthesised by Yosys for the same family, flattened. Parts that are in ``reports/reference/wrappers.json`` already
are not measured again, unless they are named.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.runfolder import write_atomically
from codesign.handoff.wrappers.destination import Golden, WrittenDestination, write_destination
from codesign.handoff.wrappers.emp_wrapper import EmpWrapper
from codesign.rtl.axi import AXI_TOP, axi_stream
from codesign.rtl.firmware import Firmware
from codesign.rtl.signatures import HARNESS
from codesign.tools.ghdl import ghdl_version, to_verilog
from codesign.tools.yosys import count
from codesign.verify.pin_simulation import without_black_boxes
from tests.trees import ROOT, commit_of

sys.path.insert(0, str(ROOT / "tests" / "handoff" / "wrappers"))

RECORD = ROOT / "reports" / "reference" / "wrappers.json"
_FAMILY = "xcup"


def _synthesised(top: str, sources: Sequence[Path], work: Path) -> tuple[dict[str, float], str]:
    """LUTs and flip-flops, and Yosys' version."""
    result = work / f"{top}.json"
    command = [sys.executable, "-m", "codesign.tools.yosys", "--family", _FAMILY, "--top", top, "--result", result]
    subprocess.run([*map(str, command), *map(str, sources)], check=True, cwd=work, stdout=subprocess.DEVNULL)
    answer = json.loads(result.read_text())
    found = count(answer["cells"], _FAMILY)
    return {name: found[name] for name in ("lut", "ff")}, answer["version"]


def _wrapped(written: WrittenDestination, folder: Path, work: Path) -> tuple[dict[str, Any], str]:
    """Network and wrapper."""
    network, bench = written.network, written.benches[0]
    verilog = [folder / name for name in network.verilog]
    (work / "harness.vhd").write_text(bench.signature.vhdl_harness())
    vhdl = [folder / name for name in (*network.vhdl, *bench.sources)]
    whole = without_black_boxes(to_verilog([*vhdl, work / "harness.vhd"], HARNESS, work), verilog)
    (work / "whole.v").write_text(whole)
    if network.vhdl:
        (work / "network.v").write_text(to_verilog([folder / n for n in network.vhdl], network.top, work))
    alone, version = _synthesised(network.top, verilog or [work / "network.v"], work)
    both, _ = _synthesised(HARNESS, [work / "whole.v", *verilog], work)
    return {"network": alone, "wrapped": both}, version


def _clocks(written: WrittenDestination) -> dict[str, int]:
    """From the clock in which an event's first word is sampled to the one in which its result is there."""
    network, wrapper = written.network.latency, written.wrapper
    if isinstance(wrapper, EmpWrapper):
        frames = 0 if wrapper.links.beats else wrapper.links.frames
        return {"network": network, "wrapped": network + 3 + frames, "words of a packet": wrapper.links.frames}
    return {"network": network, "wrapped": network + (2 if wrapper.destination == "ctp7" else 0)}


def _level1(folder: Path) -> tuple[Firmware, Golden]:
    import wrapper_designs

    design, raw = wrapper_designs.level1_design()
    own = wrapper_designs.compiled(design, raw[:40], folder)
    return own.firmware, Golden(own.inputs, own.outputs)


def _regions(folder: Path) -> tuple[Firmware, Golden]:
    import test_ctp7_wrapper
    import wrapper_designs

    codes = np.random.default_rng(0).integers(0, 1024, (30, 30))
    own = wrapper_designs.compiled(test_ctp7_wrapper.regions(), codes, folder)
    return own.firmware, Golden(own.inputs, own.outputs)


def _topo(folder: Path) -> tuple[Firmware, Golden]:
    import test_l1topo_wrapper
    import wrapper_designs

    design = test_l1topo_wrapper.design()
    low, high = design.inputs.bounds
    codes = np.random.default_rng(2).integers(low, high, (30, len(low)), endpoint=True)
    own = wrapper_designs.compiled(design, codes, folder)
    return own.firmware, Golden(own.inputs, own.outputs)


def _constituents(way: str) -> Callable[[Path], tuple[Firmware, Golden]]:
    def make(folder: Path) -> tuple[Firmware, Golden]:
        import test_emp_wrapper

        own = test_emp_wrapper.constituents(folder, way)
        return own.firmware, Golden(own.inputs[:20], own.outputs[:20])

    return make


#: name -> (destination, network)
_PARTS: dict[str, tuple[str, Callable[[Path], tuple[Firmware, Golden]]]] = {
    "ugt": ("ugt", _level1),
    "l1topo": ("l1topo", _topo),
    "ctp7": ("ctp7", _regions),
    "emp-unrolled": ("emp", _constituents("unrolled")),
    "emp-beats": ("emp", _constituents("beats")),
    "axi-unrolled": ("axi", _constituents("unrolled")),
    "axi-folded": ("axi", _constituents("parallel")),
}


def _part(name: str, work: Path) -> tuple[dict[str, Any], str]:
    """One row of the record."""
    destination, make = _PARTS[name]
    firmware, golden = make(work / "firmware")
    if destination != "axi":
        written = write_destination(destination, firmware, golden, work / "wrapped")
        row, version = _wrapped(written, work / "wrapped", work)
        return row | {"clocks": _clocks(written)}, version
    assert firmware.rtl is not None
    wrapper, latency = axi_stream(firmware, work / "axi"), firmware.latency_cycles
    alone, version = _synthesised(firmware.rtl.top, firmware.source_paths, work)
    both, _ = _synthesised(AXI_TOP, wrapper.sources, work)
    added = 3 if firmware.rtl.initiation_interval > 1 else 2
    return {"network": alone, "wrapped": both, "clocks": {"network": latency, "wrapped": latency + added}}, version


def main() -> None:
    """Measure, and write after each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(_PARTS)}")
    parser.add_argument("-o", "--output", type=Path, default=RECORD)
    options = parser.parse_args()
    report: dict[str, Any] = json.loads(options.output.read_text()) if options.output.is_file() else {"wrappers": {}}
    for name in options.names or [n for n in _PARTS if n not in report["wrappers"]]:
        with tempfile.TemporaryDirectory() as folder:
            report["wrappers"][name], version = _part(name, Path(folder))
        report |= {"family": _FAMILY, "versions": {"yosys": version, "ghdl": ghdl_version()}}
        report |= {"commit": commit_of(), "date": datetime.now(UTC).date().isoformat()}
        write_atomically(options.output, (json.dumps(report, indent=1) + "\n").encode())
        print(name, json.dumps(report["wrappers"][name]), flush=True)


if __name__ == "__main__":
    main()
