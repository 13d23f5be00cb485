"""cocotb bench: play words at a harness' inputs `d`, one a clock, and record its outputs `q` after every rising edge.

It knows nothing of what the pins mean. Files in the folder that CODESIGN_PINS names: `stimulus.hex` (one word a
clock), and `response.txt` (written: a line for each edge, a character for each bit, the highest first; what has no
value yet is no digit).
"""

import os
from pathlib import Path

import cocotb
from cocotb.triggers import Timer


@cocotb.test()
async def pins(dut):
    folder = Path(os.environ["CODESIGN_PINS"])
    words = [int(line, 16) for line in (folder / "stimulus.hex").read_text().split()]
    half = Timer(5, unit="ns")
    responses = []
    for word in words:
        # inputs change while the clock is low, outputs are read while it is high: no race is possible
        dut.clk.value = 0
        dut.d.value = word
        await half
        dut.clk.value = 1
        await half
        responses.append(str(dut.q.value))
    (folder / "response.txt").write_text("".join(f"{bits}\n" for bits in responses))
