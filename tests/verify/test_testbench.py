"""The standalone testbench, run for real in a simulator that knows nothing of Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesign.core.errors import InputError
from codesign.verify.testbench import run_testbench, write_testbench
from tests.verify.small_firmware import Small, plant_fault


def test_passes_and_fails(small: Small, tmp_path: Path) -> None:
    write_testbench(small.firmware, small.codes, small.outputs, tmp_path)
    good = run_testbench(tmp_path, small.firmware.source_paths)
    assert "PASS: 200 events" in good

    broken = plant_fault(small.firmware, tmp_path / "broken")
    bad = run_testbench(tmp_path, broken.source_paths)
    assert "FAIL:" in bad
    assert "PASS" not in bad
    assert "event 0: output" in bad or "expected" in bad


def test_wrong_latency_fails(small: Small, tmp_path: Path) -> None:
    later = replace(small.firmware, rtl=replace(small.firmware.rtl, latency_cycles=small.alkaid_latency + 1))
    write_testbench(later, small.codes, small.outputs, tmp_path)
    assert "FAIL:" in run_testbench(tmp_path, later.source_paths)


def test_needs_as_many_outputs_as_inputs(small: Small, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="199"):
        write_testbench(small.firmware, small.codes, small.outputs[1:], tmp_path)
