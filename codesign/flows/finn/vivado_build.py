"""FINN's own build with Vivado on the PATH: stitched IP, placed and routed, bitstream and driver; its reports read.

FINN builds from the integer layers that were folded, simulated and estimated here (``integers.onnx``), for the same
rate, with its own FIFO sizes and without the changes of :mod:`codesign.flows.finn.repair`. What lies outside its
layers (the constant and shift after the last matrix) is the software's to apply. This was tried against recorded
reports only; no Vivado was at hand when it was written.

Reports, in ``output/report``: ``post_synth_resources.json`` (the whole board design), ``ooc_synth_and_timing.json``
(the accelerator alone, placed and routed out of context), ``rtlsim_performance.json``. The figures are those of the
accelerator alone, as everywhere else.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.figures import Fidelity, Figure
from codesign.core.process import run_tool
from codesign.core.runfolder import write_atomically
from codesign.flows.finn.environment import environment
from codesign.rtl.firmware import Firmware

__all__ = ("build", "configuration", "read_reports")

_SECONDS = 24 * 3600.0
_STYLES = "styles.json"
#: part -> FINN's name of the board with it, and of the way its shell is made
_BOARDS = {
    "xc7z020clg400-1": ("Pynq-Z2", "vivado_zynq"),
    "xck26-sfvc784-2lv-c": ("KV260_SOM", "vivado_zynq"),
    "xcu250-figd2104-2l-e": ("U250", "vitis_alveo"),
    "xcu55c-fsvh2892-2l-e": ("U55C", "vitis_alveo"),
}
#: FINN's key -> quantity and unit of ours per unit of FINN's, of the accelerator out of context
_OUT_OF_CONTEXT = {"LUT": "lut", "FF": "ff", "DSP": "dsp", "BRAM": "bram", "fmax_mhz": "fmax", "total_power_W": "power"}


def configuration(firmware: Firmware, output: Path) -> dict[str, Any]:
    """FINN's build configuration; UnsupportedError where FINN knows no board with the target's part."""
    target = firmware.target
    if target.part.lower() not in _BOARDS:
        raise UnsupportedError(
            f"flow finn: FINN knows no board with part {target.part}; it builds for targets with {', '.join(_BOARDS)}"
        )
    board, shell = _BOARDS[target.part.lower()]
    interval = int(firmware.settings["initiation_interval"])
    return {
        "output_dir": str(output),
        "synth_clk_period_ns": target.clock_ns,
        "board": board,
        "shell_flow_type": shell,
        "target_fps": math.floor(1e9 / target.clock_ns / interval),
        "mvau_wwidth_max": 10**6,
        "specialize_layers_config_file": str(output.parent / _STYLES),
        "standalone_thresholds": True,
        "generate_outputs": [
            "estimate_reports",
            "stitched_ip",
            "rtlsim_performance",
            "out_of_context_synth",
            "bitfile",
            "pynq_driver" if shell == "vivado_zynq" else "cpp_driver",
            "deployment_package",
        ],
    }


def build(firmware: Firmware, work: Path, timeout: float = _SECONDS) -> tuple[Path, list[Figure]]:
    """Build in folder ``work``; the bitstream, and the figures of FINN's reports (fidelity ``vendor``).

    The driver lies in ``work/output/driver``. ToolError where Vivado is missing, or FINN's build failed.
    """
    vivado = shutil.which("vivado")
    if vivado is None:
        raise ToolError(
            "vivado is not on the PATH: FINN's build to a bitstream needs it (AMD's installer, settings64.sh)"
        )
    work = work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    (work / "tmp").mkdir(parents=True)
    configured = configuration(firmware, work / "output")
    # FINN would take C++ for Vitis HLS for matrices below 4 bits
    styles = {"Defaults": {"preferred_impl_style": ["rtl", ["MVAU", "Thresholding"]]}}
    write_atomically(work / _STYLES, json.dumps(styles).encode())
    write_atomically(work / "build.yaml", yaml.safe_dump(configured, sort_keys=False).encode())
    release = _release(run_tool([vivado, "-version"], work, 120).output)
    program = "from finn.interface.run_finn import main; main()"
    command = [sys.executable, "-P", "-c", program, "build", "--batch", "--accept-defaults"]
    command += ["--build-path", str(work / "tmp"), "build.yaml", str(firmware.folder.resolve() / "integers.onnx")]
    run_tool(command, work, timeout, environment(), work / "finn.log", name="finn build")
    made = sorted((work / "output" / "bitfile").glob("*.bit")) + sorted((work / "output" / "bitfile").glob("*.xclbin"))
    if not made:
        raise ToolError(f"finn build: gave no bitstream (see {work}/finn.log)")
    return made[0], read_reports(work / "output" / "report", f"Vivado {release}")


def _release(output: str) -> str:
    found = re.search(r"\bv(\d{4}\.\d\S*)", output, re.IGNORECASE)
    if found is None:
        raise ToolError(f"vivado: its version cannot be read from {output.strip()[:80]!r}")
    return found[1]


def read_reports(folder: Path, version: str) -> list[Figure]:
    """Figures of what FINN's reports hold; what is not in them is absent. ToolError where one cannot be read."""
    figures = []
    placed = _read(folder / "ooc_synth_and_timing.json")
    if placed is not None:
        known = str(placed.get("vivado_version") or "")
        version = f"Vivado {known}" if known else version
        for key, quantity in _OUT_OF_CONTEXT.items():
            if key in placed:
                figures.append(Figure.of(quantity, float(placed[key]), Fidelity.VENDOR, "finn-plus", version))  # type: ignore[arg-type]
    simulated = _read(folder / "rtlsim_performance.json")
    if simulated:
        last = simulated[-1]
        for key, quantity in (("latency_cycles", "latency_cycles"), ("intervals", "initiation_interval")):
            if last.get(key):
                worst = max(float(value) for value in last[key])
                figures.append(Figure.of(quantity, worst, Fidelity.VENDOR, "finn-plus", version))  # type: ignore[arg-type]
    if not figures:
        raise ToolError(f"finn build: no figures in its reports ({folder})")
    return figures


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError:
        raise ToolError(f"finn build: {path.name} is not valid JSON") from None
