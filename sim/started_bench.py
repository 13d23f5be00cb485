"""cocotb bench: play input words with `first` and `rst`, one per clock, and record the outputs in every clock.

It knows nothing of the network: what to play and what the recording means is decided outside. Files in the folder
that CODESIGN_STREAM names: `stimulus.hex` (one input word per line), `schedule.txt` (per clock: the index of the word
at the input, `first` and `rst`), `response.hex` (written: per clock the output word, `valid` and `error`, before its
rising edge), and for a design that triggers `threshold.hex`, its threshold's word.
"""

import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge


@cocotb.test()
async def started(dut):
    folder = Path(os.environ["CODESIGN_STREAM"])
    words = [int(line, 16) for line in (folder / "stimulus.hex").read_text().split()]
    schedule = [tuple(map(int, line.split())) for line in (folder / "schedule.txt").read_text().splitlines()]
    # Everything happens at the falling edge, half a period away from the edge that samples: no race is possible.
    falling = FallingEdge(dut.clk)
    threshold = folder / "threshold.hex"
    if threshold.is_file():
        dut.threshold.value = int(threshold.read_text(), 16)
    Clock(dut.clk, 2, unit="ns").start(start_high=False)
    responses = []
    for index, first, rst in schedule:
        await falling
        responses.append((str(dut.model_out.value), str(dut.valid.value), str(dut.error.value)))
        dut.model_inp.value = words[index]
        dut.first.value = first
        dut.rst.value = rst
    await falling
    lines = (f"{int(out, 2):x} {valid} {error}\n" for out, valid, error in responses)
    (folder / "response.hex").write_text("".join(lines))
