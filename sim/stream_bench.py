"""cocotb bench: play a schedule of input words, one per clock, and record the output after every rising edge.

It knows nothing of the network: what to play and what the recording means is decided outside. Files in the folder
that CODESIGN_STREAM names: `stimulus.hex` (one input word per line), `schedule.txt` (per clock, the index of the word
that is at the input when the edge comes), `response.hex` (written: the output word after each of those edges), and
for a design that triggers `threshold.hex`, its threshold's word.
"""

import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge


@cocotb.test()
async def stream(dut):
    folder = Path(os.environ["CODESIGN_STREAM"])
    words = [int(line, 16) for line in (folder / "stimulus.hex").read_text().split()]
    schedule = [int(line) for line in (folder / "schedule.txt").read_text().split()]
    # Everything happens at the falling edge, half a period away from the edge that samples: no race is possible.
    falling = FallingEdge(dut.clk)
    inp, out = dut.model_inp, dut.model_out
    threshold = folder / "threshold.hex"
    if threshold.is_file():
        dut.threshold.value = int(threshold.read_text(), 16)
    Clock(dut.clk, 2, unit="ns").start(start_high=False)
    responses = []
    previous = None
    for index in schedule:
        await falling
        responses.append(str(out.value))  # after the edge before; the first one is dropped below
        if index != previous:
            inp.value = words[index]
            previous = index
    await falling
    responses.append(str(out.value))
    lines = (f"{int(bits, 2):x}\n" for bits in responses[1:])
    (folder / "response.hex").write_text("".join(lines))
