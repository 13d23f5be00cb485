"""cocotb bench: tick the clock until the harness says that it is done; see handshake_harness.sv for what it does."""

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge


@cocotb.test()
async def handshakes(dut):
    Clock(dut.aclk, 2, unit="ns").start(start_high=False)
    await RisingEdge(dut.done)
