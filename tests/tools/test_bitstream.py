"""The board top answers over its serial line what the network computes, and becomes a bitstream."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.core import resources
from codesign.core.errors import InputError, ToolError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.targets import load_target
from codesign.rtl.firmware import Firmware, Rtl
from codesign.rtl.uart import SerialBoard, decode, encode, event_bytes
from codesign.tools import bitstream as module
from codesign.tools.bitstream import Pll, bitstream, board_top, divisor, pll
from codesign.tools.nextpnr import Routed, available
from codesign.tools.nextpnr_family import FAMILIES
from codesign.verify.bitstream_simulation import SimulatedPort
from tests.verify.small_firmware import Small, make_design, make_small, plant_fault

TARGET = load_target("ulx3s-85f")
NEXUS = load_target("lifcl-40-evn")
needs_nextpnr = pytest.mark.skipif(not available().available, reason=available().reason)
needs_nexus = pytest.mark.skipif(not available("nexus").available, reason=available("nexus").reason)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    made = make_small(tmp_path_factory.mktemp("firmware") / "f", events=24)
    return replace(made, firmware=replace(made.firmware, target=TARGET))


def test_golden_vectors_through_the_serial_line(small: Small, tmp_path: Path) -> None:
    port = SimulatedPort(small.firmware, tmp_path)
    outputs = SerialBoard(small.firmware.design, port, window=16).run(small.codes)
    assert np.array_equal(outputs, small.outputs)
    assert not port.overrun
    # half an event is lost on the way; the break at the start of a run brings the board into step again
    port.write(b"\x55\xaa")
    assert np.array_equal(SerialBoard(small.firmware.design, port).run(small.codes[:5]), small.outputs[:5])
    port.write(b"\x55\xaa" + encode(small.firmware.design.inputs, small.codes[:2]))
    garbled = port.read(1000)
    assert garbled != encode(small.firmware.design.outputs, small.outputs[:2])


def test_golden_vectors_through_the_second_board(small: Small, tmp_path: Path) -> None:
    nexus = replace(small.firmware, target=NEXUS)
    assert np.array_equal(SerialBoard(nexus.design, SimulatedPort(nexus, tmp_path)).run(small.codes), small.outputs)
    with pytest.raises(InputError, match="oscillator"):
        board_top(replace(nexus, target=NEXUS.model_copy(update={"clock_mhz": 100.0})), tmp_path / "b")


def test_a_fault_in_the_firmware_or_the_line_shows(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiled = plant_fault(small.firmware, tmp_path / "spoiled")
    port = SimulatedPort(spoiled, tmp_path / "a")
    assert not np.array_equal(SerialBoard(spoiled.design, port).run(small.codes), small.outputs)
    boards = tmp_path / "shipped" / "boards"
    boards.mkdir(parents=True)
    shipped = resources.folder("targets") / "boards"
    for path in shipped.iterdir():
        (boards / path.name).write_bytes(path.read_bytes())
    text = (shipped / "uart.v").read_text()
    assert text.count("data <= {line[2], data[7:1]}") == 1
    (boards / "uart.v").write_text(text.replace("data <= {line[2], data[7:1]}", "data <= {data[6:0], line[2]}"))
    real = resources.folder
    monkeypatch.setattr(resources, "folder", lambda kind: boards.parent if kind == "targets" else real(kind))
    reversed_bits = SimulatedPort(small.firmware, tmp_path / "b")
    assert not np.array_equal(SerialBoard(small.firmware.design, reversed_bits).run(small.codes[:4]), small.outputs[:4])


def test_a_host_that_sends_too_much_is_told(tmp_path: Path) -> None:
    """One byte in, four out: the board falls behind, holds what it has room for, and says that it lost an event."""
    byte, word = (FixedPoint(signed=False, integer_bits=bits, fraction_bits=0) for bits in (8, 32))
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "top.v").write_text(
        "module top (input clk, input [7:0] model_inp, output reg [31:0] model_out);\n"
        "always @(posedge clk) model_out <= {4{model_inp}};\nendmodule\n"
    )
    design = make_design((byte,), (word,))
    firmware = Firmware(design, TARGET, tmp_path / "f", Rtl((Path("top.v"),), "top", 0))
    codes = np.arange(1, 201, dtype=np.int64)[:, None]
    within = SimulatedPort(firmware, tmp_path / "w")
    assert np.array_equal(SerialBoard(design, within).run(codes[:128]), codes[:128] * 0x01010101)
    assert not within.overrun
    within.write(encode(design.inputs, codes))
    answered = decode(design.outputs, within.read(10_000))
    assert within.overrun
    assert 64 < len(answered) < 200
    assert np.array_equal(answered[:64], codes[:64] * 0x01010101)


@needs_nextpnr
def test_bitstream_of_a_small_network(small: Small, tmp_path: Path) -> None:
    made = bitstream(small.firmware, tmp_path)
    path = made.path
    assert made.fmax_mhz >= 50
    assert "critical_paths" in made.report.read_text()
    content = path.read_bytes()
    assert path.suffix == ".bit"
    assert len(content) > 100_000
    assert b"LFE5U-85F" in content[:200]
    assert b"\xff\xff\xbd\xb3" in content[:300]  # the preamble of Lattice's bitstreams, FPGA-TN-02039


@needs_nexus
@pytest.mark.slow
def test_bitstream_of_a_small_network_for_the_second_board(small: Small, tmp_path: Path) -> None:
    content = bitstream(replace(small.firmware, target=NEXUS), tmp_path).path.read_bytes()
    assert content.startswith(b"LSCC")
    assert b"\xff\xff\xbd\xb3" in content[:300]  # the same preamble
    assert len(content) > 50_000


@pytest.mark.slow
@needs_nextpnr
def test_the_same_seed_gives_the_same_bitstream_and_another_another(small: Small, tmp_path: Path) -> None:
    first, again, other = (
        bitstream(small.firmware, tmp_path / str(i), seed=seed).path.read_bytes() for i, seed in enumerate((1, 1, 2))
    )
    assert first == again != other


def test_a_design_that_misses_its_clock_gets_no_bitstream(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Routed(tmp_path / "c", tmp_path / "r", {"clk": 49.0}, {}, ("a", "b"), "1", 1.0)
    monkeypatch.setattr(module, "route", lambda *a: slow)
    monkeypatch.setattr(module, "family_of", lambda target, name: FAMILIES["ecp5"])
    monkeypatch.setattr(module, "write_netlist", lambda *a: type("N", (), {"path": tmp_path / "n.json"}))
    with pytest.raises(ToolError, match=r"49\.0 MHz, not the 50 MHz"):
        bitstream(small.firmware, tmp_path)
    assert not list(tmp_path.glob("*.bit"))


def test_clock_and_line_speed_are_made_exactly_or_refused(small: Small, tmp_path: Path) -> None:
    assert pll(25, 50) == Pll(1, 2, 12)
    for clock in (40, 62.5, 75, 100, 160):
        found = pll(25, clock)
        assert 25 / found.reference * found.feedback == clock
        assert 400 <= clock * found.output <= 800
        assert 25 / found.reference >= 3.125
    with pytest.raises(InputError, match="PLL"):
        pll(25, 33.333)
    assert divisor(50, 1_000_000) == 50
    assert divisor(50, 115_200) == 434
    with pytest.raises(InputError, match="baud"):
        divisor(5, 1_150_000)
    plain = replace(small.firmware, target=TARGET.model_copy(update={"clock_mhz": 25.0}))
    assert "EHXPLLL" not in board_top(plain, tmp_path / "a").sources[0].read_text()
    assert ".CLKFB_DIV(2)" in board_top(small.firmware, tmp_path / "b").sources[0].read_text()
    with pytest.raises(InputError, match="names no board"):
        board_top(replace(small.firmware, target=load_target("vu13p-360")), tmp_path / "c")


class Loop:
    """A port that gives back prepared bytes, a few at a time."""

    def __init__(self, answer: bytes) -> None:
        self.answer, self.sent = answer, b""

    def write(self, data: bytes, /) -> None:
        self.sent += data

    def read(self, size: int, /) -> bytes:
        size = min(size, 3)
        data, self.answer = self.answer[:size], self.answer[size:]
        return data


def test_bytes_on_the_line() -> None:
    kinds = (
        FixedPoint(signed=True, integer_bits=2, fraction_bits=2),
        FixedPoint(signed=False, integer_bits=7, fraction_bits=0),
    )
    port = Port(name="p", types=kinds, labels=("a", "b"))
    codes = np.array([[-1, 1], [3, 127]], dtype=np.int64)
    assert event_bytes(port) == 2
    data = encode(port, codes)
    assert data == bytes([0x3F, 0x00, 0xE3, 0x0F])  # 5 bits of a, then 7 of b, the low byte first
    assert np.array_equal(decode(port, data), codes)
    with pytest.raises(InputError, match="not whole events"):
        decode(port, data[:3])
    with pytest.raises(InputError, match="out of step"):
        decode(port, b"\xff\xff")


def test_driver_reads_until_all_is_there_or_says_what_is_missing(small: Small) -> None:
    design = small.firmware.design
    answer = encode(design.outputs, small.outputs)
    port = Loop(answer)
    assert np.array_equal(SerialBoard(design, port, window=5).run(small.codes), small.outputs)
    assert port.sent == encode(design.inputs, small.codes)
    with pytest.raises(ToolError, match="bytes came back"):
        SerialBoard(design, Loop(answer[:-1])).run(small.codes)
    with pytest.raises(InputError, match="window"):
        SerialBoard(design, port, window=65)
    assert SerialBoard(design, port).run(small.codes[:0]).shape == (0, design.outputs.size)
