"""cocotb bench: send bytes to a board top through its serial line, and record the bytes that come back.

Files in the folder that CODESIGN_STREAM names: `serial.json` (clocks per bit, and what is sent: bytes as numbers, or
"break"), `answer.json` (written: the bytes received, frames with a wrong stop bit, the LEDs at the end).
"""

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, First, Timer

PERIOD = 2  # ns


@cocotb.test()
async def serial(dut):
    folder = Path(os.environ["CODESIGN_STREAM"])
    plan = json.loads((folder / "serial.json").read_text())
    bit = plan["divisor"] * PERIOD
    received, broken = [], 0

    async def listen():
        nonlocal broken
        while True:
            await FallingEdge(dut.from_board)
            await Timer(bit // 2, "ns")
            value = 0
            for position in range(8):
                await Timer(bit, "ns")
                value |= int(dut.from_board.value) << position
            await Timer(bit, "ns")
            broken += not int(dut.from_board.value)
            received.append(value)

    Clock(dut.clk, PERIOD, unit="ns").start(start_high=False)
    await ClockCycles(dut.clk, 64)  # the board's own start
    cocotb.start_soon(listen())
    for symbol in plan["symbols"]:
        levels = [0] * 12 + [1] * 2 if symbol == "break" else [0, *(symbol >> i & 1 for i in range(8)), 1]
        for level in levels:
            dut.to_board.value = level
            await Timer(bit, "ns")
    silence = Timer(40 * bit, "ns")  # longer than a byte: nothing more will come
    while await First(silence, FallingEdge(dut.from_board)) is not silence:
        silence = Timer(40 * bit, "ns")
    answer = {"bytes": received, "broken": broken, "led": int(dut.led.value)}
    (folder / "answer.json").write_text(json.dumps(answer))
