"""The synthesised netlist computes the integers of the RTL, with the same latency."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.core.errors import ToolError
from codesign.rtl.firmware import Firmware
from codesign.tools.gates import cell_models, gate_level
from codesign.verify.rtl import verify
from tests.verify.small_firmware import Small, make_small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make_small(tmp_path_factory.mktemp("firmware") / "f", events=300)


def gates_of(small: Small, family: str, folder: Path) -> Firmware:
    target = small.firmware.target.model_copy(update={"family": family})
    return gate_level(replace(small.firmware, target=target), folder, 300)


@pytest.fixture(scope="module")
def ecp5(small: Small, tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return gates_of(small, "ecp5", tmp_path_factory.mktemp("gates") / "g")


def check(gates: Firmware, small: Small, lut: str, work: Path) -> None:
    assert "Yosys" in gates.notes[-1]
    text = (gates.folder / "gates.v").read_text()
    assert lut in text
    assert "posedge" not in text  # nothing behavioural is left
    verdict = verify(gates, small.codes, {"alkaid": small.outputs}, work)
    assert verdict.exact, verdict.first_difference
    assert verdict.latency_cycles == small.firmware.latency_cycles


def test_gates_of_an_ecp5_equal_the_interpreter(small: Small, ecp5: Firmware, tmp_path: Path) -> None:
    check(ecp5, small, "LUT4", tmp_path)


def test_gates_of_a_nexus_equal_the_interpreter(small: Small, tmp_path: Path) -> None:
    check(gates_of(small, "nexus", tmp_path / "g"), small, "FD1P3IX", tmp_path / "sim")


@pytest.mark.parametrize("family", ["xcup", pytest.param("xc7", marks=pytest.mark.slow)])
def test_gates_of_amd_equal_the_interpreter(family: str, small: Small, tmp_path: Path) -> None:
    check(gates_of(small, family, tmp_path / "g"), small, "LUT6", tmp_path / "sim")


def test_a_wrong_gate_shows(small: Small, ecp5: Firmware, tmp_path: Path) -> None:
    spoiled = replace(ecp5, folder=tmp_path / "g")
    shutil.copytree(ecp5.folder, spoiled.folder)
    models = spoiled.folder / "cells.v"
    text = models.read_text()
    assert text.count("assign COUT = ") == 1
    models.write_text(text.replace("assign COUT = ", "assign COUT = 1'b0 & "))  # no carry passes a pair of bits
    assert not verify(spoiled, small.codes, {"alkaid": small.outputs}, tmp_path / "sim").exact


def test_models_are_complete_or_refused() -> None:
    text = cell_models("ecp5", {"CCU2C"})
    assert "module CCU2C" in text
    assert "module LUT4" in text  # what it instantiates
    assert "module MULT18X18D" not in text
    with pytest.raises(ToolError, match="DP16KD"):  # a black box: its ports are there, its behaviour is not
        cell_models("ecp5", {"LUT4", "DP16KD"})
    with pytest.raises(ToolError, match="NO_SUCH_CELL"):
        cell_models("xcup", {"LUT6", "NO_SUCH_CELL"})
