"""Vitis HLS on a project of hls4ml: C synthesis, and the co-simulation of the RTL that it makes.

Tried with an executable that replays reports, not with Vitis itself, which is not to be had here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import ToolError
from codesign.core.figures import Figure
from codesign.core.process import run_tool
from codesign.core.records import Verified
from codesign.core.runfolder import write_atomically
from codesign.core.targets import Target
from codesign.flows.hls4ml.differences import first_difference
from codesign.rtl.firmware import Firmware
from codesign.tools.vendor import hls_reports
from codesign.tools.vendor.find import vitis_command, vitis_hls

__all__ = ("c_synthesis", "co_simulation")

_SECONDS = 7200.0
_STEPS = ("reset", "csim", "synth", "cosim", "validation", "export", "vsynth", "fifo_opt")
_RESULTS = "tb_data/rtl_cosim_results.log"

Codes = NDArray[np.int64]


def _run(project: Path, steps: tuple[str, ...], log: str) -> None:
    """Run hls4ml's own script with these steps of it."""
    command = vitis_command()
    if command is None:
        raise ToolError(f"Vitis HLS: {vitis_hls().reason}")
    chosen = "".join(f"    {step} {int(step in steps)}\n" for step in _STEPS)
    write_atomically(project / "build_opt.tcl", f"array set opt {{\n{chosen}}}\n".encode())
    run_tool([*command, "build_prj.tcl"], project, _SECONDS, log=project / log, name="Vitis HLS")


def _report(project: Path, path: str) -> str:
    found = project / path
    if not found.is_file():
        raise ToolError(f"Vitis HLS: wrote no {path}: not measured")
    return found.read_text(encoding="utf-8", errors="replace")


def c_synthesis(project: Path, name: str, target: Target) -> list[Figure]:
    """Compile the project to Verilog; what the vendor estimates of it."""
    path = f"{name}_prj/solution1/syn/report/{name}_csynth.xml"
    (project / path).unlink(missing_ok=True)
    _run(project, ("reset", "synth"), "csynth.log")
    return hls_reports.c_synthesis(_report(project, path), target.clock_ns)


def co_simulation(
    firmware: Firmware, project: Path, name: str, codes: Codes, references: Mapping[str, Codes]
) -> Verified:
    """Simulate the RTL of the last C synthesis on ``codes`` (events, n), and compare every integer with ``references``.

    ToolError where the simulator fails or writes no results.
    """
    design, solution = firmware.design, f"{name}_prj/solution1"
    version = hls_reports.tool_version(_report(project, f"{solution}/syn/report/{name}_csynth.xml"))
    report = f"{solution}/sim/report/{name}_cosim.rpt"
    for stale in (report, _RESULTS):
        (project / stale).unlink(missing_ok=True)
    expected = next(iter(references.values()))
    _write(project / "tb_data/tb_input_features.dat", design.inputs.values(codes))
    _write(project / "tb_data/tb_output_predictions.dat", design.outputs.values(expected))
    bench = project / f"{name}_test.cpp"
    text = bench.read_text(encoding="utf-8")
    opened = "std::ofstream fout(RESULTS_LOG);"
    if "fout.precision" not in text:  # hls4ml's test bench prints six digits, which do not tell all integers apart
        write_atomically(bench, text.replace(opened, f"{opened}\n    fout.precision(17);").encode())
    _run(project, ("cosim",), "cosim.log")
    counted = hls_reports.co_simulation(_report(project, report))
    rows = [[float(word) for word in line.split()] for line in _report(project, _RESULTS).splitlines() if line.strip()]
    if len(rows) != len(codes) or any(len(row) != design.outputs.size for row in rows):
        raise ToolError(f"Vitis HLS: the co-simulation gave {len(rows)} results of {len(codes)} events")
    scaled = np.array(rows) / design.outputs.lsbs
    simulated = np.rint(scaled).astype(np.int64)
    if (simulated != scaled).any():
        raise ToolError("Vitis HLS: the co-simulation gave a value that no output of the design can have")
    difference = first_difference(firmware, simulated, references, "RTL")
    return Verified(
        exact=difference is None,
        events=len(codes),
        latency_cycles=counted.latency_cycles or None,
        initiation_interval=counted.initiation_interval or None,
        compared=list(references),
        tool="Vitis HLS co-simulation",
        version=version,
        proven="RTL",
        first_difference=difference,
    )


def _write(path: Path, values: NDArray[np.float64]) -> None:
    lines = (" ".join(repr(float(v)) for v in row) for row in values)
    write_atomically(path, ("\n".join(lines) + "\n").encode("ascii"))
