"""cocotb bench: send packets of events into an AXI4-Stream wrapper, with random stalls, and record what comes out.

It knows nothing of the network: what to send and what the recording means is decided outside. Files in the folder that
CODESIGN_STREAM names: `stimulus.hex` (one word of s_axis_tdata per line), `plan.json` (episodes, each with the lengths
of its packets, the fraction of clocks on which either side stalls, and the number of events out after which a reset
ends it, or null), `received.json` (written: per episode the packets received, as words, and the harness' counters).
"""

import contextlib
import itertools
import json
import logging
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout
from cocotbext.axi import AxiStreamBus, AxiStreamSink, AxiStreamSource

PERIOD = 2  # ns
PATIENCE = 10_000  # clocks without a packet after which it will not come: none is as long, with stalls
COUNTERS = ("clocks", "waits_in", "waits_out", "events_in", "events_out", "breaches")


def stalls(fraction, rng):
    """Per clock, whether to stall: stretches of mostly one clock, but also long ones, which fill and empty the FIFO."""
    while True:
        length = rng.choice((1, 1, 1, 2, 3, 8, 60))
        yield from itertools.repeat(rng.random() < fraction, length)


@cocotb.test()
async def packets(dut):
    folder = Path(os.environ["CODESIGN_STREAM"])
    words = [int(line, 16) for line in (folder / "stimulus.hex").read_text().split()]
    plan = json.loads((folder / "plan.json").read_text())
    rng = random.Random(plan["seed"])  # noqa: S311
    logging.getLogger("cocotb").setLevel(logging.WARNING)
    Clock(dut.aclk, PERIOD, unit="ns").start(start_high=False)
    await ClockCycles(dut.aclk, 3)
    # one "byte" is a whole word: a beat is an event
    source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, False, byte_lanes=1)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, False, byte_lanes=1)
    recorded = []
    position = 0
    for episode in plan["episodes"]:
        dut.aresetn.value = 0
        await ClockCycles(dut.aclk, 3)
        source.clear()
        sink.clear()
        dut.aresetn.value = 1
        await RisingEdge(dut.aclk)
        before = {name: int(getattr(dut, name).value) for name in COUNTERS}
        source.set_pause_generator(stalls(episode["stall_in"], rng))
        sink.set_pause_generator(stalls(episode["stall_out"], rng))
        for length in episode["packets"]:
            source.send_nowait(words[position : position + length])
            position += length
        packets = []
        if episode["reset_after"] is None:
            with contextlib.suppress(SimTimeoutError):
                for _ in episode["packets"]:
                    packets.append(await with_timeout(sink.recv(), PATIENCE * PERIOD, "ns"))
            await ClockCycles(dut.aclk, 200)  # anything more would be an event too many
        else:
            for _ in range(PATIENCE):
                await RisingEdge(dut.aclk)
                if int(dut.events_out.value) - before["events_out"] >= episode["reset_after"]:
                    break
        while not sink.empty():
            packets.append(sink.recv_nowait())
        counted = {name: int(getattr(dut, name).value) - before[name] for name in COUNTERS}
        recorded.append({"packets": [[f"{w:x}" for w in p.tdata] for p in packets], **counted})
    (folder / "received.json").write_text(json.dumps(recorded))
