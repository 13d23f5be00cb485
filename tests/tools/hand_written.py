"""Verilog written by hand."""

from __future__ import annotations

from pathlib import Path

from codesign.core.fixedpoint import FixedPoint
from codesign.rtl.firmware import Firmware, Rtl
from tests.verify.small_firmware import TARGET, make_design


def hand_written(folder: Path, text: str, family: str = "xcup") -> Firmware:
    """Firmware with an 8-bit input and an 8-bit output."""
    byte = FixedPoint(signed=False, integer_bits=8, fraction_bits=0)
    folder.mkdir(exist_ok=True)
    (folder / "top.v").write_text(text)
    return Firmware(
        design=make_design((byte,), (byte,)),
        target=TARGET.model_copy(update={"family": family}),
        folder=folder,
        rtl=Rtl((Path("top.v"),), "top", 1),
    )


HEAD = "module top (input clk, input [7:0] model_inp, output reg [7:0] model_out);\n"
