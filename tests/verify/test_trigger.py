"""A score with a programmable threshold: the trigger bit in RTL, in the test bench, behind AXI4-Stream and in C++."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from codesign.core.design import Design
from codesign.core.errors import InputError, ToolError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.handoff.emulator import build_emulator, write_emulator
from codesign.rtl.packing import with_trigger
from codesign.rtl.top_module import top_module
from codesign.rtl.uart import SerialBoard, encode, event_bytes
from codesign.tools.bitstream import board_top
from codesign.training import export
from codesign.verify.axi_simulation import Episode, simulate_axi
from codesign.verify.bitstream_simulation import SimulatedPort
from codesign.verify.rtl import simulate, verify
from codesign.verify.testbench import run_testbench, write_testbench
from tests.families.anomaly_cases import CASES, built
from tests.graph.graphs import GraphBuilder, design_of

TARGET = load_target("vu13p-360")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Firmware of a small VAE, codes of events, and the scores' codes."""
    quantisation, _, _, network = built(*CASES[0])
    network.fold()
    design = export.export(network.eval(), quantisation, ("score",), trigger="score")
    flow = Alkaid()
    firmware = flow.compile(design, TARGET, tmp_path_factory.mktemp("scored") / "firmware")
    codes = probe_codes(design.inputs)[-1200:]
    outputs = flow.predict(firmware, codes)
    assert np.array_equal(outputs, export.brevitas_codes(network, design, codes))
    return firmware, codes, outputs


def test_score_and_trigger_bit_are_exact_at_two_thresholds(scored, tmp_path):
    firmware, codes, outputs = scored
    high = int(np.quantile(outputs, 0.95))
    verdict = verify(firmware, codes, {"interpreter": outputs}, tmp_path, threshold=high)
    assert verdict.exact, verdict.first_difference
    assert (verdict.events, verdict.latency_cycles) == (1200, firmware.latency_cycles)
    assert verdict.thresholds[1] == high
    assert verdict.fired == [int((outputs >= t).sum()) for t in verdict.thresholds]
    assert 500 < verdict.fired[0] < 1190
    assert 0 < verdict.fired[1] < 200
    assert np.array_equal(simulate(firmware, codes, tmp_path).outputs, outputs)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("compared >= least", "compared > least", "output 'trigger bit': RTL 0, interpreter 1"),
        pytest.param("kept <= found", "kept <= found + 1", "output 'score'", marks=pytest.mark.slow),
        (
            "assign trigger = fired",
            "reg late; always @(posedge clk) late <= fired; assign trigger = late",
            "outputs are right only with a new event every 2 clocks",
        ),
    ],
)
def test_a_wrong_comparison_is_caught(scored, old, new, words, tmp_path):
    firmware, codes, outputs = scored
    shutil.copytree(firmware.folder, tmp_path / "broken")
    top = tmp_path / "broken" / "src" / "codesign_top.v"
    assert old in top.read_text()
    top.write_text(top.read_text().replace(old, new))
    verdict = verify(
        replace(firmware, folder=tmp_path / "broken"), codes, {"interpreter": outputs}, tmp_path / "w", threshold=5
    )
    assert not verdict.exact
    assert words in verdict.first_difference


def test_the_register_behind_the_comparison_is_counted(scored, tmp_path):
    firmware, _, _ = scored
    plain = Alkaid().compile(replace(firmware.design, trigger=None), TARGET, tmp_path)
    assert firmware.design.hash != plain.design.hash
    assert firmware.latency_cycles == plain.latency_cycles + 1
    width = firmware.design.outputs.width
    assert firmware.extra["lut"] == plain.extra["lut"] + width
    assert firmware.extra["ff"] == plain.extra["ff"] + width + 1


@pytest.mark.slow
def test_the_standalone_test_bench_compares_the_trigger_bit(scored, tmp_path):
    firmware, codes, outputs = scored
    write_testbench(firmware, codes, outputs, tmp_path)
    sources = [firmware.folder / s for s in firmware.sources]
    assert "PASS: 1200 events" in run_testbench(tmp_path, sources)
    golden = (tmp_path / "outputs.mem").read_text().splitlines()
    bit = 1 << firmware.design.outputs.width
    golden[7] = f"{int(golden[7], 16) ^ bit:x}"
    (tmp_path / "outputs.mem").write_text("\n".join(golden))
    assert "FAIL: 1 of 1200" in run_testbench(tmp_path, sources)


def test_the_trigger_bit_passes_the_axi_wrapper(scored, tmp_path):
    firmware, codes, outputs = scored
    threshold = int(np.median(outputs))
    (received,) = simulate_axi(firmware, codes[:300], [Episode((200, 100), 0.3, 0.3)], tmp_path, threshold=threshold)
    found = np.concatenate(received.packets)
    assert np.array_equal(found[:, :1], outputs[:300])
    assert np.array_equal(found[:, 1], outputs[:300, 0] >= threshold)
    assert 30 < found[:, 1].sum() < 290


def test_a_board_takes_thresholds_over_its_serial_line(scored, tmp_path):
    """At the threshold it starts with, at two that the host sets, and kept where the host sets none."""
    firmware, codes, outputs = scored
    firmware, codes, outputs = replace(firmware, target=load_target("ulx3s-85f")), codes[:70], outputs[:70]
    start, low, high = (int(np.quantile(outputs, q)) for q in (0.7, 0.3, 0.9))
    port = SimulatedPort(firmware, tmp_path, threshold=start)
    board = SerialBoard(firmware.design, port)
    seen = []
    for sent, holds, events in ((None, start, 20), (high, high, 70), (None, high, 20), (low, low, 70)):
        answered = board.run(codes[:events], threshold=sent)
        assert np.array_equal(answered, with_trigger(firmware.design, outputs[:events], holds))
        seen.append(answered[:20, 1].sum())
    assert seen[1] == seen[2] < seen[0] < seen[3]
    port.send_break()  # a host that dies within a threshold sets none
    port.write(b"\1" + encode(firmware.design.threshold, np.array([[high]]))[:-1])
    assert np.array_equal(board.run(codes[:20]), with_trigger(firmware.design, outputs[:20], low))
    with pytest.raises(InputError, match=r"'threshold' is -1, outside 0 \.\. "):
        board.run(codes, threshold=-1)


def test_a_board_whose_trial_fixes_no_threshold_starts_with_the_largest(scored, tmp_path):
    firmware, _, _ = scored
    kind = firmware.design.threshold.types[0]
    firmware = replace(firmware, target=load_target("ulx3s-85f"))
    size = 8 * event_bytes(firmware.design.threshold) + 8
    for given, code in ((None, kind.maximum), (kind.maximum + 7, kind.maximum), (-3, kind.minimum), (5, 5)):
        text = board_top(firmware, tmp_path, threshold=given).sources[0].read_text()
        (word,) = re.findall(rf"SETTING_START\({size}'h(\w+)\)", text)
        assert int(word, 16) == code
    with pytest.raises(InputError, match="this port has no send_break"):
        SerialBoard(firmware.design, object()).run(np.zeros((1, 1), dtype=np.int64), threshold=3)
    with pytest.raises(InputError, match="triggers on nothing"):
        SerialBoard(replace(firmware.design, trigger=None), object()).run(np.zeros((1, 1), dtype=np.int64), threshold=3)


def test_the_emulator_has_the_trigger_too(scored, tmp_path):
    firmware, codes, outputs = scored
    write_emulator(firmware.design, "score", tmp_path)
    build_emulator(tmp_path)
    rows = ",".join("{" + ",".join(map(str, row)) + "}" for row in codes[:20].tolist())
    threshold = int(np.median(outputs[:20]))
    (tmp_path / "host.cpp").write_text(
        f"""#include "score_v1.h"
#include <cstdio>
int main() {{
  const std::int32_t in[20][score_v1::INPUTS] = {{{rows}}};
  for (const auto& event : in) {{
    score_v1::Output out;
    codesign_predict(event, out.data(), 1);
    std::printf("%d", score_v1::triggered(out, {threshold}));
  }}
}}"""
    )
    subprocess.run(
        ["g++", "-std=c++17", "-I.", "host.cpp", "score_v1.so", "-Wl,-rpath,.", "-o", "host"], cwd=tmp_path, check=True
    )
    printed = subprocess.run(["./host"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert printed == "".join(str(int(v)) for v in outputs[:20, 0] >= threshold)
    assert {"0", "1"} == set(printed)


def test_a_signed_output_among_others_is_compared_as_what_it_is(tmp_path):
    kind = FixedPoint(signed=True, integer_bits=2, fraction_bits=2)
    b = GraphBuilder(3)
    made = design_of(b.finish(b.node("MatMul", "x", b.constant([[1, 2], [0, -1], [3, 1]])), 2), kind, 3)
    design = Design(made.onnx, made.input_quantisation, made.outputs, trigger="y1")
    flow = Alkaid()
    firmware = flow.compile(design, TARGET, tmp_path / "firmware")
    codes = probe_codes(design.inputs)[:300]
    outputs = flow.predict(firmware, codes)
    verdict = verify(firmware, codes, {"interpreter": outputs}, tmp_path / "w", threshold=-7)
    assert verdict.exact, verdict.first_difference
    assert verdict.fired[1] == (outputs[:, 1] >= -7).sum() < 300


def test_what_cannot_trigger_is_refused(scored, tmp_path):
    firmware, _, _ = scored
    with pytest.raises(ValueError, match="trigger 'rate' is no output; outputs: score"):
        replace(firmware.design, trigger="rate")
    dead = FixedPoint(signed=False, integer_bits=0, fraction_bits=0)
    alive = FixedPoint(signed=False, integer_bits=2, fraction_bits=0)
    port = Port(name="o", types=(alive, dead), labels=("a", "b"))
    with pytest.raises(ToolError, match="'b' is always 0: there is nothing to trigger on"):
        top_module("top", "core", port, port, (alive, dead), (alive, dead), trigger=1)


def test_a_design_with_a_trigger_is_read_back(scored, tmp_path):
    firmware, _, _ = scored
    firmware.design.save(tmp_path)
    assert Design.load(tmp_path) == firmware.design
