"""Simulate an AXI4-Stream wrapper with random stalls and resets, and compare every event that comes out."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core import resources
from codesign.core.errors import InputError, ToolError
from codesign.core.process import last_words, run_tool
from codesign.rtl.axi import axi_stream
from codesign.rtl.firmware import Firmware
from codesign.rtl.packing import observed_port, pack, unpack
from codesign.tools import verilator

__all__ = ("Episode", "ReceivedWords", "episodes_for", "first_difference", "simulate_axi")

_TOP = "axi_harness"
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Episode:
    """What is sent between two resets.

    Attributes
    ----------
    packets: events in each packet; they are taken one after the other from the events given.
    stall_in, stall_out: fraction of clocks on which the sender and the receiver stall, at random.
    reset_after: events out after which the next reset comes, in the middle of everything; None: all come out first.
    """

    packets: tuple[int, ...]
    stall_in: float = 0.0
    stall_out: float = 0.0
    reset_after: int | None = None


@dataclass(frozen=True)
class ReceivedWords:
    """What came out in an episode: output codes (events, m) of every whole packet, and what the harness counted.

    ``waits_in`` and ``waits_out`` are clocks on which the wrapper, or the receiver, made the other side wait;
    ``breaches`` are breaches of the protocol.
    """

    packets: tuple[Codes, ...]
    clocks: int
    waits_in: int
    waits_out: int
    events_in: int
    events_out: int
    breaches: int


def simulate_axi(
    firmware: Firmware,
    codes: Codes,
    episodes: Sequence[Episode],
    work: Path,
    seed: int = 1,
    timeout: float = 3600,
    threshold: int = 0,
) -> list[ReceivedWords]:
    """Send ``codes`` (events, n) through the wrapper of ``firmware`` in simulation, episode after episode.

    Cocotb with cocotbext-axi on Verilator, in folder ``work``, at most ``timeout`` seconds. InputError where the
    episodes do not send exactly these events; ToolError where the simulation fails. A lost event is no error here:
    the bench waits for some time, and records what came. A design that triggers is given ``threshold``, a code, and its
    trigger bit is the last column of what is received.
    """
    wanted = sum(sum(e.packets) for e in episodes)
    if wanted != len(codes):
        raise InputError(f"the episodes send {wanted} events, but {len(codes)} were given")
    if importlib.util.find_spec("cocotbext") is None or importlib.util.find_spec("cocotbext.axi") is None:
        raise ToolError("cocotbext-axi is missing: python -m pip install cocotbext-axi==0.1.28")
    work = work.resolve()
    stream = axi_stream(firmware, work / "axi")
    for path in stream.data:
        shutil.copyfile(path, work / path.name)
    defines = {
        "CODESIGN_INP_WIDTH": str(8 * stream.input_bytes),
        "CODESIGN_OUT_WIDTH": str(8 * stream.output_bytes),
    }
    if firmware.design.threshold is not None:
        (word,) = pack(firmware.design.threshold, np.array([[threshold]], dtype=np.int64))
        defines["CODESIGN_THRESHOLD"] = f"{firmware.design.threshold.width}'h{word}"
    simulations = resources.folder("sim").resolve()
    program = verilator.build([simulations / "axi_harness.sv", *stream.sources], _TOP, defines, work)
    plan = {
        "seed": seed,
        "episodes": [
            {
                "packets": e.packets,
                "stall_in": e.stall_in,
                "stall_out": e.stall_out,
                "reset_after": e.reset_after,
            }
            for e in episodes
        ],
    }
    (work / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (work / "stimulus.hex").write_text("\n".join(pack(firmware.design.inputs, codes)) + "\n", encoding="ascii")
    response = work / "received.json"
    response.unlink(missing_ok=True)
    environment = verilator.simulate_environment(simulations / "axi_bench.py", _TOP, work / "results.xml")
    environment["CODESIGN_STREAM"] = str(work)
    environment["PYTHONWARNINGS"] = "ignore"  # cocotbext-axi 0.1.28 still uses names that cocotb 2 deprecates
    arguments: list[str | Path] = [program, "+verilator+rand+reset+2", "+verilator+seed+1"]
    done = run_tool(arguments, work, timeout, environment, work / "simulation.log", name="simulation")
    if not response.is_file():
        raise ToolError(f"simulation: the bench gave no response; {last_words(done.output)}")
    return [_receive(firmware, episode) for episode in json.loads(response.read_text(encoding="utf-8"))]


def _receive(firmware: Firmware, record: dict[str, Any]) -> ReceivedWords:
    """Words to codes, for all packets at once."""
    packets: list[list[str]] = record.pop("packets")
    codes = unpack(observed_port(firmware.design), [word for packet in packets for word in packet])
    ends = np.cumsum([len(packet) for packet in packets])
    return ReceivedWords(packets=tuple(np.split(codes, ends[:-1])) if packets else (), **record)


def episodes_for(events: int, seed: int = 1) -> list[Episode]:
    """Episodes that send so many events: without stalls, with resets mid-stream, and with stalls on either side."""
    rng = np.random.default_rng(seed)
    cuts = [0, *(int(events * part) for part in (0.1, 0.2, 0.3, 0.55, 0.8)), events]
    sizes = np.diff(cuts)
    stalls = [(0.0, 0.0), (0.4, 0.4), (0.0, 0.7), (0.3, 0.6), (0.6, 0.2), (0.5, 0.5)]
    resets = [None, int(sizes[1]) // 2, int(sizes[2]) // 3, None, None, None]
    return [
        Episode(_lengths(int(size), rng), into, out, reset)
        for size, (into, out), reset in zip(sizes, stalls, resets, strict=True)
    ]


def _lengths(events: int, rng: np.random.Generator) -> tuple[int, ...]:
    """Random packet lengths, single events among them, that add up to ``events``."""
    lengths: list[int] = []
    while (left := events - sum(lengths)) > 0:
        lengths.append(min(left, int(rng.choice([1, 2, 3, 7, 32, 100]))))
    return tuple(lengths)


def first_difference(episodes: Sequence[Episode], received: Sequence[ReceivedWords], reference: Codes) -> str | None:
    """Where what came out is not the ``reference`` (events, m), in words; None where every event is right.

    Right means: the same packets, of the same events, in the same order, once each, by the protocol. An episode that a
    reset cut short may end early, but not otherwise differ, and nothing of it may show in the next one.
    """
    position = 0
    for number, (episode, got) in enumerate(zip(episodes, received, strict=True)):
        name = f"episode {number}"
        if got.breaches:
            return f"{name}: {got.breaches} breaches of the protocol at the output"
        if episode.reset_after is None and len(got.packets) != len(episode.packets):
            return f"{name}: {len(got.packets)} packets came out, {len(episode.packets)} went in"
        if episode.reset_after is None and got.events_out != sum(episode.packets):
            return f"{name}: {got.events_out} events came out, {sum(episode.packets)} went in"
        start = position
        for index, packet in enumerate(got.packets):
            length = episode.packets[index]
            if len(packet) != length:
                return f"{name}, packet {index}: {len(packet)} events came out, {length} went in"
            expected = reference[start : start + length]
            if not np.array_equal(packet, expected):
                event = start + int(np.argwhere((packet != expected).any(axis=1))[0, 0])
                return f"{name}, packet {index}: event {event} is {packet[event - start]}, not {reference[event]}"
            start += length
        position += sum(episode.packets)
    return None
