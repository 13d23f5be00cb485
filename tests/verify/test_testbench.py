"""The standalone testbench, run for real in a simulator that knows nothing of Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesign.errors import InputError
from codesign.hardware.base import Firmware
from codesign.hardware.process import run_tool
from codesign.verify import verilator
from codesign.verify.testbench import write_testbench
from tests.verify.small_firmware import Small, plant_fault


def run(firmware: Firmware, folder: Path, build: Path) -> str:
    """Compile the testbench in ``folder`` with Verilator's own makefile and run it; what it prints."""
    root = verilator.root()
    sources = [firmware.folder / s for s in firmware.sources]
    arguments = [
        root / "bin" / "verilator_bin",
        "--binary",
        "--timing",
        "--top-module",
        "tb",
        "-Wno-lint",
        "-Wno-fatal",
    ]
    # builds share a folder, so that make compiles the simulator's own library once
    arguments += ["-Mdir", build, "-CFLAGS", "-std=c++20 -fcoroutines -O0"]
    arguments += ["-MAKEFLAGS", "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_GLOBAL=-O0"]
    arguments += ["-MAKEFLAGS", "CXX=g++ LINK=g++ AR=ar PYTHON3=python3"]
    run_tool([*arguments, folder / "tb.sv", *sources], folder, 600, {"VERILATOR_ROOT": str(root)})
    return run_tool([build / "Vtb"], folder, 60).output


def test_passes_and_fails(small: Small, tmp_path: Path) -> None:
    write_testbench(small.firmware, small.codes, small.outputs, tmp_path)
    good = run(small.firmware, tmp_path, tmp_path / "build")
    assert "PASS: 200 events" in good

    broken = plant_fault(small.firmware, tmp_path / "broken")
    bad = run(broken, tmp_path, tmp_path / "build")
    assert "FAIL:" in bad
    assert "PASS" not in bad
    assert "event 0: output" in bad or "expected" in bad


@pytest.mark.slow  # compiles once more
def test_wrong_latency_fails(small: Small, tmp_path: Path) -> None:
    later = replace(small.firmware, rtl=replace(small.firmware.rtl, latency_cycles=small.alkaid_latency + 1))
    write_testbench(later, small.codes, small.outputs, tmp_path)
    assert "FAIL:" in run(later, tmp_path, tmp_path / "build")


def test_needs_as_many_outputs_as_inputs(small: Small, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="199"):
        write_testbench(small.firmware, small.codes, small.outputs[1:], tmp_path)
