"""The synthesised netlist computes the integers of the RTL, with the same latency."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesign.errors import ToolError
from codesign.hardware.gates import cell_models, gate_level
from codesign.verify.rtl import verify
from tests.verify.small_firmware import Small, make_small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make_small(tmp_path_factory.mktemp("firmware") / "f", events=300)


@pytest.mark.parametrize("family", ["ecp5", "xcup", pytest.param("xc7", marks=pytest.mark.slow)])
def test_gates_equal_the_interpreter(family: str, small: Small, tmp_path: Path) -> None:
    target = small.firmware.target.model_copy(update={"family": family})
    gates = gate_level(replace(small.firmware, target=target), tmp_path / "g", 300)
    assert "Yosys" in gates.notes[-1]
    text = (tmp_path / "g" / "gates.v").read_text()
    assert ("LUT4" if family == "ecp5" else "LUT6") in text
    assert "posedge" not in text  # nothing behavioural is left
    verdict = verify(gates, small.codes, {"alkaid": small.outputs}, tmp_path / "sim")
    assert verdict.exact, verdict.first_difference
    assert verdict.latency_cycles == small.firmware.latency_cycles


def test_a_wrong_gate_shows(small: Small, tmp_path: Path) -> None:
    target = small.firmware.target.model_copy(update={"family": "ecp5"})
    gates = gate_level(replace(small.firmware, target=target), tmp_path / "g", 300)
    models = tmp_path / "g" / "cells.v"
    text = models.read_text()
    # a carry of a full adder that is never passed on
    spoiled = text.replace("assign COUT = ", "assign COUT = 1'b0 & ")
    assert spoiled != text
    models.write_text(spoiled)
    assert not verify(gates, small.codes, {"alkaid": small.outputs}, tmp_path / "sim").exact


def test_models_are_complete_or_refused() -> None:
    text = cell_models("ecp5", {"CCU2C"})
    assert "module CCU2C" in text
    assert "module LUT4" in text  # what it instantiates
    assert "module MULT18X18D" not in text
    with pytest.raises(ToolError, match="NO_SUCH_CELL"):
        cell_models("xcup", {"LUT6", "NO_SUCH_CELL"})
