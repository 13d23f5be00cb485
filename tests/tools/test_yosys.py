"""Synthesis: the numbers are the netlist's, and what was not measured is not reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesign.core.errors import ToolError
from codesign.core.figures import Fidelity, find
from codesign.rtl.firmware import Rtl
from codesign.tools.yosys import count, synthesise, used_sources
from tests.tools.hand_written import HEAD, hand_written
from tests.verify.small_firmware import make_small


def test_known_circuit_and_a_library_file_that_does_not_parse(tmp_path: Path) -> None:
    text = HEAD + "wire unused_thing; always @(posedge clk) model_out <= {8{^model_inp[5:0]}};\nendmodule\n"
    firmware = hand_written(tmp_path / "f", text)
    (firmware.folder / "library.v").write_text("module lookup_table (; this is not Verilog\n")
    figures = synthesise(replace(firmware, rtl=Rtl((Path("library.v"), Path("top.v")), "top", 1)), tmp_path / "w", 300)
    values = {figure.quantity: figure.value for figure in figures}
    assert values == {"lut": 1, "ff": 1, "carry": 0, "dsp": 0, "bram": 0}
    assert {figure.fidelity for figure in figures} == {Fidelity.SYNTHESISED}
    assert {figure.tool for figure in figures} == {"yosys"}
    assert figures[0].version[0].isdigit()


def test_network_is_of_the_size_the_compiler_expects(tmp_path: Path) -> None:
    small = make_small(tmp_path / "firmware")
    figures = synthesise(small.firmware, tmp_path / "work", 300)
    lut = find(figures, "lut", Fidelity.SYNTHESISED)
    ff = find(figures, "ff", Fidelity.SYNTHESISED)
    assert lut is not None
    assert ff is not None
    assert 50 < lut.value < 500
    assert ff.value >= sum(t.width for t in small.firmware.design.outputs.types) / 2


def test_block_memory_is_counted(tmp_path: Path) -> None:
    text = HEAD + (
        "reg [7:0] memory [0:4095]; reg [11:0] address = 0;\n"
        "always @(posedge clk) begin\n"
        "  address <= address + 1; memory[address] <= model_inp; model_out <= memory[address ^ 12'h555];\n"
        "end\nendmodule\n"
    )
    figures = synthesise(hand_written(tmp_path / "f", text), tmp_path / "w", 300)
    bram = find(figures, "bram", Fidelity.SYNTHESISED)
    assert bram is not None
    assert bram.value == 1


@pytest.mark.slow
def test_ecp5(tmp_path: Path) -> None:
    text = HEAD + "always @(posedge clk) model_out <= {8{^model_inp[3:0]}};\nendmodule\n"
    figures = synthesise(hand_written(tmp_path / "f", text, "ecp5"), tmp_path / "w", 300)
    assert {f.quantity: f.value for f in figures} == {"lut": 1, "ff": 1, "carry": 0, "dsp": 0, "bram": 0}


@pytest.mark.slow
def test_memory_that_falls_to_flip_flops_is_refused(tmp_path: Path) -> None:
    text = HEAD + (
        '(* ram_style = "registers" *) reg [7:0] memory [0:63]; reg [5:0] a = 0; always @(posedge clk)\n'
        "begin a <= a + 1; memory[a] <= model_inp; model_out <= memory[a ^ 6'h15]; end\nendmodule\n"
    )
    with pytest.raises(ToolError, match="flip-flops"):
        synthesise(hand_written(tmp_path / "f", text), tmp_path / "w", 300)


def test_what_does_not_compile_or_takes_too_long_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="yosys"):
        synthesise(hand_written(tmp_path / "f", HEAD + "syntax error\nendmodule\n"), tmp_path / "w", 300)
    fine = hand_written(tmp_path / "g", HEAD + "always @(posedge clk) model_out <= model_inp;\nendmodule\n")
    with pytest.raises(ToolError, match=r"stopped after 0\.01 s"):
        synthesise(fine, tmp_path / "w", 0.01)


def test_cells_that_are_not_the_targets_are_refused() -> None:
    with pytest.raises(ToolError, match=r"\$_DFF_P_ \(3\), \$add \(1\), RAM64X9 \(2\)"):
        count({"LUT6": 5, "$_DFF_P_": 3, "$add": 1, "RAM64X9": 2}, "xcup")
    with pytest.raises(ToolError, match="LUT6"):
        count({"LUT6": 5}, "ecp5")


def test_every_kind_is_counted_once() -> None:
    cells = {
        "LUT1": 1,
        "LUT6": 2,
        "INV": 4,
        "SRL16E": 8,
        "RAMB18E2": 1,
        "RAMB36E2": 1,
        "FDRE": 3,
        "DSP48E2": 2,
        "MUXF7": 9,
    }
    assert count(cells, "xcup") == {"lut": 15, "ff": 3, "carry": 0, "dsp": 2, "bram": 1.5}


def test_only_needed_sources_are_read(tmp_path: Path) -> None:
    for name, text in {
        "a.v": "module a; b inner(); endmodule",
        "b.v": "module b; // c\nendmodule",
        "c.v": "module c; a outer(); endmodule",
    }.items():
        (tmp_path / name).write_text(text)
    sources = [tmp_path / name for name in ("c.v", "b.v", "a.v")]
    assert used_sources(sources, "a") == [tmp_path / "b.v", tmp_path / "a.v"]
    with pytest.raises(ToolError, match="'z'"):
        used_sources(sources, "z")
