"""Modules with many copies: synthesised once, counted as often as there are copies, what they share once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from codesign.core.errors import InputError, ToolError
from codesign.rtl.firmware import Firmware, Rtl
from codesign.tools.repeated import Copied
from codesign.tools.yosys import count_all, synthesise
from tests.tools.hand_written import hand_written

#: four copies, each of a bit of its own and of a word that all have, of which each keeps the sum in registers
TEXT = """
module unit (input clk, input [6:0] model_inp, output reg model_out);
  reg [2:0] total; reg own;
  always @(posedge clk) begin
    total <= model_inp[2:0] * model_inp[5:3];
    own <= model_inp[6];
    model_out <= own & ^total;
  end
endmodule
module top (input clk, input [7:0] model_inp, output [7:0] model_out);
  wire [3:0] one;
  unit a (.clk(clk), .model_inp({model_inp[6], model_inp[5:0]}), .model_out(one[0]));
  unit b (.clk(clk), .model_inp({model_inp[7], model_inp[5:0]}), .model_out(one[1]));
  unit c (.clk(clk), .model_inp({~model_inp[6], model_inp[5:0]}), .model_out(one[2]));
  unit d (.clk(clk), .model_inp({~model_inp[7], model_inp[5:0]}), .model_out(one[3]));
  assign model_out = {4'd0, one};
endmodule
"""


@pytest.fixture
def firmware(tmp_path: Path) -> Firmware:
    made = hand_written(tmp_path / "f", TEXT)
    return replace(made, rtl=Rtl((Path("top.v"),), "top", 1, repeated=("unit",)))


@pytest.mark.slow
def test_what_all_copies_share_is_counted_once(firmware: Firmware, tmp_path: Path) -> None:
    found = {f.quantity: f.value for f in synthesise(firmware, tmp_path / "apart", 300)}
    flat = replace(firmware, rtl=replace(firmware.rtl, repeated=()))
    whole = {f.quantity: f.value for f in synthesise(flat, tmp_path / "whole", 300)}
    assert found["ff"] == whole["ff"] == 3 + 4 * 2
    assert whole["lut"] <= found["lut"] <= whole["lut"] + 2


def test_copies_and_what_they_share_add_up() -> None:
    apart = {"unit": Copied(copies=4, each={"LUT2": 3, "FDRE": 1}, once={"FDRE": 5})}
    found = count_all({"LUT6": 10, "unit": 4}, apart, "xcup")
    assert (found["lut"], found["ff"]) == (10 + 4 * 3, 4 + 5)
    with pytest.raises(ToolError, match="holds no unit"):
        count_all({"LUT6": 10}, {"unit": Copied(0, {}, {})}, "xcup")
    with pytest.raises(ToolError, match="strange"):
        count_all({"unit": 4}, {"unit": Copied(4, {"strange": 1}, {})}, "xcup")


def test_a_module_is_named_plainly() -> None:
    with pytest.raises(InputError):
        Rtl((Path("top.v"),), "top", 1, repeated=("unit; exec",))
