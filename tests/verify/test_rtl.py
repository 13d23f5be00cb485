"""The RTL verification on real firmware: right where it is right, and able to notice what is wrong."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path

import cramjam
import numpy as np
import pytest

from codesign.core.errors import InputError, ToolError
from codesign.report.waves import read_waves
from codesign.tools.verilator import require_fst
from codesign.verify.rtl import simulate, verify
from tests.verify.small_firmware import Small, make_small, plant_fault, with_top

INNER = "inner_top inner (.clk(clk), .model_inp(model_inp), .model_out({}));"


def test_exact_for_every_reference(small: Small, tmp_path: Path) -> None:
    verdict = verify(small.firmware, small.codes, {"interpreter": small.outputs, "qonnx": small.outputs}, tmp_path)
    assert verdict.exact, verdict.first_difference
    assert verdict.first_difference is None
    assert verdict.compared == ["interpreter", "qonnx"]
    assert verdict.events == len(small.codes)
    assert verdict.latency_cycles == small.alkaid_latency
    assert verdict.initiation_interval == 1
    assert "Verilator" in verdict.version


def test_simulation_needs_no_reference(small: Small, tmp_path: Path) -> None:
    result = simulate(small.firmware, small.codes, tmp_path)
    np.testing.assert_array_equal(result.outputs, small.outputs)
    assert result.latency_cycles == small.alkaid_latency
    assert result.initiation_interval == 1


@pytest.mark.slow  # compiles a run-time library of its own, once
def test_waves(small: Small, tmp_path: Path) -> None:
    result = simulate(small.firmware, small.codes, tmp_path, waves="vcd")
    np.testing.assert_array_equal(result.outputs, small.outputs)
    picture = read_waves(tmp_path / "dump.vcd", small.firmware.design, result.latency_cycles)
    assert picture is not None
    for column, row in enumerate(picture.rows[1:]):
        shown = {cell.event: int(cell.text) for cell in row.cells if cell.event is not None}
        assert len(shown) > 3
        assert shown == {event: int(result.outputs[event, column]) for event in shown}


@pytest.mark.slow  # compiles two run-time libraries of its own, once
def test_waves_as_fst_hold_what_they_hold_as_vcd(small: Small, tmp_path: Path) -> None:
    try:
        require_fst()
    except ToolError as error:
        pytest.skip(str(error))
    for form in ("vcd", "fst"):
        result = simulate(small.firmware, small.codes, tmp_path, waves=form)
        np.testing.assert_array_equal(result.outputs, small.outputs)
    text, packed = (tmp_path / "dump.vcd").read_text(), (tmp_path / "dump.fst").read_bytes()
    # the blocks of an FST: kind (one byte), length of what follows (eight bytes, big-endian), content
    blocks, at = {}, 0
    while at < len(packed):
        kind, length = struct.unpack_from(">BQ", packed, at)
        blocks[kind], at = packed[at + 9 : at + 1 + length], at + 1 + length
    _, last, _, _, _, variables = struct.unpack_from(">QQdQQQ", blocks[0])
    assert last == int(re.findall(r"^#(\d+)$", text, re.MULTILINE)[-1])
    assert variables == len(re.findall(r"^\s*\$var ", text, re.MULTILINE))
    (size,) = struct.unpack_from(">Q", blocks[6])
    names = bytes(cramjam.lz4.decompress_block(blocks[6][8:], output_len=size)).split(b"\0")
    assert any(name.startswith(b"model_out") for name in names), names
    assert len(packed) < len(text) / 2


def test_what_fst_lacks_is_named_before_anything_is_built(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = (("zlib-of-nobody.h", "z", "apt install zlib-of-nobody"), ("stdio.h", "c", "apt install libc6-dev"))
    monkeypatch.setattr("codesign.tools.verilator._FST_NEEDS", needs)
    with pytest.raises(ToolError, match=r"zlib-of-nobody.h with libz \(apt install zlib-of-nobody\); as VCD") as raised:
        simulate(small.firmware, small.codes, tmp_path, waves="fst")
    assert "stdio.h" not in str(raised.value)
    assert not (tmp_path / "build.log").exists()


@pytest.mark.parametrize("stage_delay", [1.0, 100.0])
def test_latency_is_measured_at_any_depth(stage_delay: float, tmp_path: Path) -> None:
    small = make_small(tmp_path / "firmware", dims=(5, 3), stage_delay=stage_delay)
    verdict = verify(small.firmware, small.codes, {"interpreter": small.outputs}, tmp_path / "work")
    assert verdict.exact, verdict.first_difference
    assert verdict.latency_cycles == small.alkaid_latency
    assert (small.alkaid_latency == 1) == (stage_delay == 100.0)


def test_wide_ports_and_a_dead_output(tmp_path: Path) -> None:
    small = make_small(tmp_path / "firmware", dims=(70, 4), density=0.2, dead_output=True)
    assert sum(t.width for t in small.firmware.design.inputs.types) > 512
    assert small.firmware.design.outputs.types[1].width == 0
    verdict = verify(small.firmware, small.codes, {"interpreter": small.outputs}, tmp_path / "work")
    assert verdict.exact, verdict.first_difference


def test_planted_fault_is_caught(small: Small, tmp_path: Path) -> None:
    broken = plant_fault(small.firmware, tmp_path / "broken")
    verdict = verify(broken, small.codes, {"interpreter": small.outputs}, tmp_path / "work")
    assert not verdict.exact
    assert verdict.initiation_interval is None
    assert verdict.first_difference is not None
    assert verdict.first_difference.startswith("event ")
    assert "interpreter" in verdict.first_difference


def test_one_reference_that_differs_in_one_event(small: Small, tmp_path: Path) -> None:
    other = small.outputs.copy()
    other[17, 2] += 1
    verdict = verify(small.firmware, small.codes, {"interpreter": small.outputs, "brevitas": other}, tmp_path)
    assert not verdict.exact
    expected = f"event 17, output 'y2': RTL {small.outputs[17, 2]}, brevitas {other[17, 2]} (1 of 200 events differ"
    assert str(verdict.first_difference).startswith(expected)


def test_one_register_more_than_claimed(small: Small, tmp_path: Path) -> None:
    width = sum(t.width for t in small.firmware.design.outputs.types)
    body = (
        f"wire [{width - 1}:0] early; reg [{width - 1}:0] late; assign model_out = late;\n"
        f"always @(posedge clk) late <= early;\n{INNER.format('early')}"
    )
    longer = with_top(small.firmware, tmp_path / "longer", body, small.alkaid_latency)
    verdict = verify(longer, small.codes, {"interpreter": small.outputs}, tmp_path / "work")
    assert not verdict.exact
    assert verdict.latency_cycles == small.alkaid_latency + 1
    assert "claims" in str(verdict.first_difference)


def test_one_output_later_than_the_others(small: Small, tmp_path: Path) -> None:
    width = sum(t.width for t in small.firmware.design.outputs.types)
    body = (
        f"wire [{width - 1}:0] early; reg late;\n"
        f"assign model_out = {{early[{width - 1}:1], late}};\n"
        f"always @(posedge clk) late <= early[0];\n{INNER.format('early')}"
    )
    skewed = with_top(small.firmware, tmp_path / "skewed", body, small.alkaid_latency)
    verdict = verify(skewed, small.codes, {"interpreter": small.outputs}, tmp_path / "work")
    assert not verdict.exact
    assert "output 'y0'" in str(verdict.first_difference)


def test_interval_of_three_is_measured_and_refused(small: Small, tmp_path: Path) -> None:
    # takes its input at every third edge only, in step with the first event or not as the random start decides
    width = sum(t.width for t in small.firmware.design.inputs.types)
    body = (
        f"reg [1:0] phase = 0; reg [{width - 1}:0] held;\n"
        "always @(posedge clk) begin phase <= phase == 2 ? 0 : phase + 1; if (phase == 0) held <= model_inp; end\n"
        f"inner_top inner (.clk(clk), .model_inp(held), .model_out(model_out));"
    )
    slow = with_top(small.firmware, tmp_path / "slow", body, small.alkaid_latency + 1)
    verdict = verify(slow, small.codes, {"interpreter": small.outputs}, tmp_path / "work")
    assert not verdict.exact
    assert verdict.initiation_interval == 3
    assert "every 3 clocks" in str(verdict.first_difference)


def test_port_of_another_width_is_refused(small: Small, tmp_path: Path) -> None:
    inputs = small.firmware.design.input_quantisation
    wider = inputs.types[0].model_copy(update={"integer_bits": 3})
    changed = inputs.model_copy(update={"types": (wider, *inputs.types[1:])})
    firmware = replace(small.firmware, design=replace(small.firmware.design, input_quantisation=changed))
    with pytest.raises(ToolError, match="width"):
        simulate(firmware, small.codes, tmp_path)


def test_wrong_shapes_and_codes_are_refused(small: Small, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="shape"):
        verify(small.firmware, small.codes, {"interpreter": small.outputs[:-1]}, tmp_path)
    with pytest.raises(InputError, match="reference"):
        verify(small.firmware, small.codes, {}, tmp_path)
    with pytest.raises(InputError, match="event 0, 'x0' is 128"):
        simulate(small.firmware, small.codes * 0 + 128, tmp_path)
