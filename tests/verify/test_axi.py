"""The AXI4-Stream wrapper: no event lost, doubled or changed, whoever stalls and whenever it is reset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.core import resources
from codesign.core.errors import InputError
from codesign.rtl.axi import axi_stream
from codesign.rtl.packing import pack, unpack
from codesign.verify import axi_simulation
from codesign.verify.axi_simulation import Episode, episodes_for, first_difference, simulate_axi
from codesign.verify.rtl import verify
from tests.verify.small_firmware import Small, make_small, with_top


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return make_small(tmp_path_factory.mktemp("firmware") / "f", events=22_000, stage_delay=1.0)


def test_every_event_of_many_packets_with_random_stalls_and_resets(small: Small, tmp_path: Path) -> None:
    episodes = episodes_for(len(small.codes))
    received = simulate_axi(small.firmware, small.codes, episodes, tmp_path)
    assert first_difference(episodes, received, small.outputs) is None
    assert sum(r.events_out for r in received if r.events_out == r.events_in) > 15_000
    # the stalls were real: the wrapper had to hold the sender, the receiver the wrapper, and resets met events inside
    assert received[3].waits_in > 100
    assert received[3].waits_out > 100
    assert all(r.events_in > r.events_out > 0 for r in received[1:3])
    # without stalls, one event each clock: only filling the pipeline and the bench's waiting at the end add clocks
    assert received[0].clocks < received[0].events_in + small.firmware.latency_cycles + 220
    assert received[0].waits_in <= 1


@pytest.mark.slow
def test_a_million_events(tmp_path: Path) -> None:
    small = make_small(tmp_path / "f", events=1_000_000, stage_delay=2.0)
    episodes = episodes_for(len(small.codes), seed=2)
    received = simulate_axi(small.firmware, small.codes, episodes, tmp_path / "w", seed=2)
    assert first_difference(episodes, received, small.outputs) is None


def test_one_register_and_no_latency(small: Small, tmp_path: Path) -> None:
    firmware = with_top(
        small.firmware,
        tmp_path / "f",
        "localparam W = $bits(model_out); reg [W-1:0] q; always @(posedge clk) q <= model_inp[W-1:0];\n"
        "assign model_out = q;",
        0,
    )
    width = sum(t.width for t in firmware.design.outputs.types)
    assert width <= sum(t.width for t in firmware.design.inputs.types)
    codes = small.codes[:400]
    words = [f"{int(word, 16) % (1 << width):x}" for word in pack(firmware.design.inputs, codes)]
    episodes = [Episode((150, 50)), Episode((1,) * 100 + (100,), 0.5, 0.5)]
    received = simulate_axi(firmware, codes, episodes, tmp_path / "w")
    assert first_difference(episodes, received, unpack(firmware.design.outputs, words)) is None


@pytest.mark.parametrize("interval", [pytest.param(2, marks=pytest.mark.slow), 5])
def test_a_pipeline_that_takes_an_event_every_few_clocks(interval: int, small: Small, tmp_path: Path) -> None:
    """It gives the event's bits only if they stood at its input for so many edges, and their complement otherwise."""
    firmware = with_top(
        small.firmware,
        tmp_path / "f",
        "localparam W = $bits(model_out); reg [W-1:0] q; reg [$bits(model_inp)-1:0] prior; reg [3:0] same;\n"
        "wire [3:0] now = prior == model_inp ? (same == 4'd15 ? same : same + 4'd1) : 4'd1;\n"
        "always @(posedge clk) begin prior <= model_inp; same <= now;\n"
        f"q <= now >= {interval} ? model_inp[W-1:0] : ~model_inp[W-1:0]; end\n"
        "assign model_out = q;",
        interval - 1,
    )
    firmware = replace(firmware, rtl=replace(firmware.rtl, initiation_interval=interval))
    codes = small.codes[:1500]
    width = sum(t.width for t in firmware.design.outputs.types)
    words = [f"{int(word, 16) % (1 << width):x}" for word in pack(firmware.design.inputs, codes)]
    reference = unpack(firmware.design.outputs, words)
    episodes = episodes_for(len(codes))
    received = simulate_axi(firmware, codes, episodes, tmp_path / "w")
    assert first_difference(episodes, received, reference) is None
    assert received[0].clocks >= interval * received[0].events_in
    verdict = verify(firmware, codes[:200], {"itself": reference[:200]}, tmp_path / "v")
    assert verdict.exact, verdict.first_difference
    assert (verdict.initiation_interval, verdict.latency_cycles) == (interval, interval - 1)
    claimed = replace(firmware, rtl=replace(firmware.rtl, initiation_interval=1))
    assert not verify(claimed, codes[:200], {"itself": reference[:200]}, tmp_path / "v").exact


FAULTS = {
    "a credit too many": ("open_next != DEPTH", "1'b1"),
    "data one clock early": ("valid[LATENCY]", "valid[LATENCY-1]"),
    "last forgotten": ("{last[LATENCY], result}", "{last[0], result}"),
    "reset leaves events under way": ("      valid <= 0;\n", ""),
    "offer withdrawn": ("load | (full & ~m_ready)", "load"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_found(fault: str, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boards = tmp_path / "shipped" / "boards"
    boards.mkdir(parents=True)
    text = (resources.folder("targets") / "boards" / "axi_stream.v").read_text()
    old, new = FAULTS[fault]
    assert text.count(old) >= 1
    (boards / "axi_stream.v").write_text(text.replace(old, new))
    real = resources.folder
    monkeypatch.setattr(resources, "folder", lambda kind: boards.parent if kind == "targets" else real(kind))
    episodes = [Episode((40,) * 20, 0.0, 0.7, 200), Episode((30,) * 10, 0.3, 0.6)]
    events = sum(sum(e.packets) for e in episodes)
    received = simulate_axi(small.firmware, small.codes[:events], episodes, tmp_path / "w", timeout=600)
    assert first_difference(episodes, received, small.outputs) is not None


def test_first_difference_names_it(small: Small) -> None:
    episodes = [Episode((2, 1))]
    good = axi_simulation.ReceivedWords((small.outputs[:2], small.outputs[2:3]), 9, 0, 0, 3, 3, 0)
    assert first_difference(episodes, [good], small.outputs) is None
    wrong = small.outputs.copy()
    wrong[1, 0] += 1
    assert "event 1" in str(first_difference(episodes, [good], wrong))
    assert "packets came out" in str(first_difference(episodes, [replace(good, packets=good.packets[:1])], wrong))
    assert "4 events came out" in str(first_difference(episodes, [replace(good, events_out=4)], small.outputs))
    merged = replace(good, packets=(small.outputs[:1], small.outputs[1:3]))
    assert "packet 0: 1 events" in str(first_difference(episodes, [merged], small.outputs))
    assert "breaches" in str(first_difference(episodes, [replace(good, breaches=1)], small.outputs))


def test_wrapper_widths_and_depth(small: Small, tmp_path: Path) -> None:
    stream = axi_stream(small.firmware, tmp_path)
    assert stream.input_bytes == 6
    assert stream.depth >= small.firmware.latency_cycles + 4
    assert axi_stream(small.firmware, tmp_path, depth=100).depth == 128
    with pytest.raises(InputError, match="episodes send 3 events"):
        simulate_axi(small.firmware, np.zeros((2, 6), dtype=np.int64), [Episode((3,))], tmp_path)
