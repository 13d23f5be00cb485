"""Place and route on ECP5: what is counted is the firmware's, what failed says why, and timing closure ends."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from codesign.core.errors import InputError, ToolError
from codesign.core.figures import Fidelity, Figure, find
from codesign.core.fixedpoint import FixedPoint
from codesign.core.targets import load_target
from codesign.flows.alkaid.timing_closure import close_timing, next_stage_delay
from codesign.rtl.firmware import Firmware, Rtl
from codesign.tools import nextpnr, nextpnr_family
from codesign.tools.nextpnr import available, place_and_route
from codesign.tools.nextpnr_family import FAMILIES
from tests.families.mlp_networks import CONFIGS
from tests.flows.small_designs import design_of
from tests.verify.small_firmware import make_design, make_small

TARGET = load_target("ulx3s-85f")
NEXUS = load_target("lifcl-40")
ECP5 = FAMILIES["ecp5"]
needs_nextpnr = pytest.mark.skipif(not available().available, reason=available().reason)
needs_nexus = pytest.mark.skipif(not available("nexus").available, reason=available("nexus").reason)
HEAD = "module top (input clk, input [7:0] model_inp, output reg [7:0] model_out);\n"


def hand_written(folder: Path, body: str) -> Firmware:
    byte = FixedPoint(signed=False, integer_bits=8, fraction_bits=0)
    folder.mkdir(exist_ok=True)
    (folder / "top.v").write_text(HEAD + body + "\nendmodule\n")
    return Firmware(
        design=make_design((byte,), (byte,)),
        target=TARGET,
        folder=folder,
        rtl=Rtl((Path("top.v"),), "top", 1),
    )


@needs_nextpnr
def test_a_known_circuit_is_counted_without_its_harness(tmp_path: Path) -> None:
    body = "reg [7:0] a; always @(posedge clk) begin a <= model_inp; model_out <= {8{a[0] & a[1] & a[2]}} ^ a; end"
    figures = place_and_route(hand_written(tmp_path / "f", body), tmp_path / "w", 300)
    values = {f.quantity: f.value for f in figures}
    assert values.pop("fmax") > 100
    # a LUT of four inputs for each bit, and nextpnr's source of the constant 1; registers in and out
    assert values == {"lut": 9, "ff": 16, "carry": 0, "dsp": 0, "bram": 0}
    assert {(f.fidelity, f.tool) for f in figures} == {(Fidelity.PLACED, "nextpnr-ecp5")}
    assert figures[0].version[0].isdigit()


@needs_nextpnr
def test_carries_are_counted_and_the_harness_is_not(tmp_path: Path) -> None:
    body = "reg [7:0] a, b; always @(posedge clk) begin a <= model_inp; b <= a + {a[3:0], a[7:4]}; model_out <= b; end"
    adder = place_and_route(hand_written(tmp_path / "f", body), tmp_path / "w", 300)
    carry = find(adder, "carry", Fidelity.PLACED)
    lut = find(adder, "lut", Fidelity.PLACED)
    assert carry is not None
    assert lut is not None
    assert 4 <= carry.value <= 6  # four of two bits, and what feeds the chain
    assert lut.value >= 2 * carry.value
    small = make_small(tmp_path / "s", dims=(5, 3))
    figures = place_and_route(replace(small.firmware, target=TARGET), tmp_path / "sw", 300)
    ff = find(figures, "ff", Fidelity.PLACED)
    assert ff is not None
    report = json.loads((tmp_path / "sw" / "netlist.report.json").read_text())
    wide, out = (
        sum(t.width for t in port.types) for port in (small.firmware.design.inputs, small.firmware.design.outputs)
    )
    assert ff.value == report["utilization"]["TRELLIS_FF"]["used"] - wide - 2 * out


@needs_nextpnr
def test_what_cannot_be_placed_or_timed_is_refused(tmp_path: Path) -> None:
    firmware = hand_written(tmp_path / "f", "always @(posedge clk) model_out <= ~model_inp;")
    netlist = tmp_path / "broken.json"
    netlist.write_text('{"modules": ')
    with pytest.raises(ToolError, match="JSON"):
        nextpnr.route(netlist, ECP5, TARGET.part, 50, 300)
    place_and_route(firmware, tmp_path / "w", 300)
    with pytest.raises(ToolError, match=r"nextpnr-ecp5: stopped after 0\.01 s"):
        nextpnr.route(tmp_path / "w" / "netlist.json", ECP5, TARGET.part, 50, 0.01)
    lines = "".join(f'LOCATE COMP "{pin}" SITE "ZZ99";\n' for pin in ("clk", "serial_in", "serial_out"))
    (tmp_path / "w" / "bad.lpf").write_text(lines)
    with pytest.raises(ToolError, match="ZZ99"):
        nextpnr.route(
            tmp_path / "w" / "netlist.json", ECP5, TARGET.part, 50, 300, constraints=tmp_path / "w" / "bad.lpf"
        )
    config, report = tmp_path / "c", tmp_path / "r"
    config.write_text("")
    report.write_text('{"fmax": {}, "utilization": {}, "critical_paths": []}')
    with pytest.raises(ToolError, match="no clock frequency"):
        nextpnr._read(ECP5, report, config, 1.0)
    report.write_text('{"fmax": {"clk": 7}}')
    with pytest.raises(ToolError, match="cannot be read"):
        nextpnr._read(ECP5, report, config, 1.0)


def test_other_families_and_other_parts_are_refused(tmp_path: Path) -> None:
    firmware = replace(hand_written(tmp_path / "f", ""), target=load_target("vu13p-360"))
    with pytest.raises(InputError, match="family xcup"):
        place_and_route(firmware, tmp_path / "w", 10)
    assert ECP5.device("LFE5U-85F-6BG381C") == ["--85k", "--package", "CABGA381", "--speed", "6"]
    assert ECP5.device("LFE5UM5G-45F-8MG285I") == ["--um5g-45k", "--package", "CSFBGA285", "--speed", "8"]
    for family in FAMILIES.values():
        with pytest.raises(InputError, match="xcvu9p"):
            family.device("xcvu9p")


@needs_nexus
def test_a_known_circuit_on_nexus_is_counted_without_its_harness(tmp_path: Path) -> None:
    body = "reg [7:0] a, b; always @(posedge clk) begin a <= model_inp; b <= a + {a[3:0], a[7:4]}; model_out <= b; end"
    firmware = replace(hand_written(tmp_path / "f", body), target=NEXUS)
    figures = place_and_route(firmware, tmp_path / "w", 300)
    values = {f.quantity: f.value for f in figures}
    assert values["fmax"] > 100
    assert values["ff"] == 24
    assert values["carry"] == 5  # four of two bits, and one that feeds the chain
    assert 10 <= values["lut"] <= 12  # the halves of the carries, and what nextpnr adds as a constant
    assert (values["dsp"], values["bram"]) == (0, 0)
    assert {(f.fidelity, f.tool) for f in figures} == {(Fidelity.PLACED, "nextpnr-nexus")}


def test_a_missing_tool_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(nextpnr_family.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(nextpnr_family.shutil, "which", lambda name: None)
    assert "pip install" in available().reason
    with pytest.raises(ToolError, match="nextpnr-ecp5"):
        place_and_route(hand_written(tmp_path / "f", ""), tmp_path / "w", 10)
    assert sys.executable  # the package is started by this very Python, not by a script on the PATH


def speed(fmax_of_latency):  # type: ignore[no-untyped-def]
    def place(firmware: Firmware, work: Path, timeout: float, seed: int) -> list[Figure]:
        return [Figure.of("fmax", fmax_of_latency(firmware), Fidelity.PLACED, "model", "1")]

    return place


def test_timing_closure_deepens_the_pipeline_and_says_what_is_missing(tmp_path: Path) -> None:
    _, design, _ = design_of(CONFIGS[0])
    slow = TARGET.model_copy(update={"clock_mhz": 100.0})
    closed = close_timing(design, slow, tmp_path / "a", place=speed(lambda f: 400 / (f.target.stage_delay + 1.5)))
    assert closed.met
    assert closed.missing_mhz == 0
    assert [s.stage_delay for s in closed.steps] == sorted((s.stage_delay for s in closed.steps), reverse=True)
    assert len(closed.steps) > 1
    assert closed.steps[-1].latency_cycles > closed.steps[0].latency_cycles
    assert closed.firmware.latency_cycles == closed.steps[-1].latency_cycles
    assert closed.firmware.target.stage_delay == closed.steps[-1].stage_delay
    missed = close_timing(design, slow, tmp_path / "b", steps=3, place=speed(lambda f: 90 + f.target.stage_delay / 10))
    assert not missed.met
    assert len(missed.steps) == 3
    assert missed.missing_mhz == pytest.approx(100 - 90.4)
    assert missed.firmware.target.stage_delay == 4  # the fastest one, not the last
    assert "misses 100 MHz by 9.6 MHz" in str(missed)
    with pytest.raises(InputError, match="at least one step"):
        close_timing(design, slow, tmp_path / "c", steps=0)


def test_the_next_step_is_always_shallower_and_ends() -> None:
    delay: float | None = 9.0
    seen = []
    while delay is not None:
        seen.append(delay)
        delay = next_stage_delay(delay, 99.9, 100)
    assert seen == sorted(set(seen), reverse=True)
    assert seen[-1] == 1
    assert next_stage_delay(8, 25, 100) == 2


@pytest.mark.slow
@needs_nextpnr
def test_timing_closure_with_the_real_tool(tmp_path: Path) -> None:
    _, design, _ = design_of(CONFIGS[0])
    closed = close_timing(design, TARGET, tmp_path)
    assert closed.met == (max(s.fmax_mhz for s in closed.steps) >= TARGET.clock_mhz)
    assert closed.met


@pytest.mark.slow
@needs_nexus
def test_timing_closure_on_the_second_family(tmp_path: Path) -> None:
    _, design, _ = design_of(CONFIGS[0])
    closed = close_timing(design, NEXUS.model_copy(update={"stage_delay": 8.0}), tmp_path)
    assert closed.met == (max(s.fmax_mhz for s in closed.steps) >= NEXUS.clock_mhz)
    assert closed.met
