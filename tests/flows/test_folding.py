"""Folded firmware: the same integers in simulation, whatever is between events; in the wrapper, on the board."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from codesign.core.errors import InputError, ToolError
from codesign.core.figures import Fidelity, find
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid import folded_modules
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.graph.reader import read_graph
from codesign.graph.schedule import fold
from codesign.rtl import folded_phases, folded_turns
from codesign.rtl.firmware import Firmware
from codesign.rtl.transport import Beats, Parallel
from codesign.rtl.uart import SerialBoard
from codesign.tools.yosys import used_sources
from codesign.verify.axi_simulation import episodes_for, first_difference, simulate_axi
from codesign.verify.bitstream_simulation import SimulatedPort
from codesign.verify.rtl import verify
from tests.flows.folded_firmware import TARGET, checked, compiled
from tests.graph.everywhere import exact_codes
from tests.graph.item_networks import KINDS, Network, network


def edited(firmware: Firmware, file: str, old: str, new: str) -> Firmware:
    """The firmware with another text in a source."""
    path = firmware.folder / "src" / file
    text = path.read_text()
    assert old in text, file
    path.write_text(text.replace(old, new, 1))
    return firmware


@pytest.fixture(scope="module")
def jedi(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    return compiled(network("JEDI-linear", 10, seed=11, width=4, outputs=3), tmp_path_factory.mktemp("jedi"), 4)


def test_every_event_with_gaps_garbage_and_resets(jedi: Firmware, tmp_path: Path) -> None:
    verdict = checked(jedi, tmp_path)
    assert verdict.exact, verdict.first_difference
    assert (verdict.latency_cycles, verdict.initiation_interval) == (jedi.latency_cycles, 4)
    figures = Alkaid().figures(jedi)
    assert find(figures, "initiation_interval", Fidelity.COMPILED).value == 4
    assert jedi.rtl.transport == Parallel(4)
    assert Alkaid().layers(jedi) is None


def test_it_is_the_same_when_made_again_and_opened_again(jedi: Firmware, tmp_path: Path) -> None:
    again = compiled(jedi.design, tmp_path, 4)
    assert [p.read_bytes() for p in again.source_paths] == [p.read_bytes() for p in jedi.source_paths]
    assert Alkaid().load(jedi.design, TARGET, again.folder).rtl == jedi.rtl


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["parallel", "beats"])
@pytest.mark.parametrize("interval", [3, 9])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_in_simulation(kind: str, interval: int, transport: str, tmp_path: Path) -> None:
    items = 8 if kind.endswith("mean") else 10
    firmware = compiled(network(kind, items, seed=2, width=5), tmp_path, interval, transport)
    assert isinstance(firmware.rtl.transport, Beats) is (transport == "beats")
    verdict = checked(firmware, tmp_path, 200)
    assert verdict.exact, verdict.first_difference
    assert verdict.initiation_interval == firmware.rtl.initiation_interval <= interval


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_a_module_for_each_item(kind: str, tmp_path: Path) -> None:
    design = network(kind, 8 if kind.endswith("mean") else 10, seed=2, width=5)
    firmware = Alkaid().compile(design, TARGET, tmp_path / "firmware", AlkaidSettings(modules="items"))
    assert (firmware.rtl.protocol, firmware.rtl.initiation_interval) == ("pipelined", 1)
    few = "strides" in kind or "field biases" in kind
    assert firmware.rtl.repeated or few, "eight copies and more are synthesised apart"
    verdict = checked(firmware, tmp_path, 200)
    assert verdict.exact, verdict.first_difference
    assert (verdict.latency_cycles, verdict.initiation_interval) == (firmware.latency_cycles, 1)


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["parallel", "beats"])
def test_of_an_input_the_first_items_alone_are_taken(transport: str, tmp_path: Path) -> None:
    made = Network(3, 4, 2)
    x = made.block("items", 12, 3)
    some = made.node("Slice", x, *(made.integers([v]) for v in (0, 6, 1)))
    design = made.design(made.head(made.reduce("ReduceSum", made.active(made.dense(some, 3, 4))), 4))
    verdict = checked(compiled(design, tmp_path, 3, transport), tmp_path)
    assert verdict.exact, verdict.first_difference


FAULTS = {
    "a slot that is counted": ("(at[11] ? ", "(1'b0 ? "),  # behind a module: of the inputs they are zeros
    "an event's value that comes after its first items": ("if (at[6]) r", "if (at[7]) r"),
    "an accumulator that does not begin anew": ("(at[1] ? ", "(1'b0 ? "),
    "events too close that are let in": ("wire close = |after[3:1]", "wire close = |after[2:1]"),
    "valid a clock too late": ("assign valid = at[", "assign valid = after[1] & at["),
    "an error that is never told": ("error | (first & close)", "1'b0"),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_what_is_written_is_seen(fault: str, tmp_path: Path) -> None:
    firmware = compiled(network("JEDI-linear", 10, seed=11, width=4, outputs=3), tmp_path, 4)
    verdict = checked(edited(firmware, "codesign_top.v", *FAULTS[fault]), tmp_path)
    assert not verdict.exact
    assert verdict.first_difference


def test_constants_of_each_item_in_simulation(tmp_path: Path) -> None:
    firmware = compiled(network("mixer, field biases", 4, 5, seed=2, width=4, outputs=3), tmp_path, 2)
    assert "} & " in (firmware.folder / "src" / "codesign_top.v").read_text()
    verdict = checked(firmware, tmp_path, 40)
    assert verdict.exact, verdict.first_difference


@pytest.mark.slow
def test_a_constant_of_another_item_is_seen(tmp_path: Path) -> None:
    firmware = compiled(network("mixer, field biases", 4, 5, seed=2, width=4, outputs=3), tmp_path, 2)
    path = firmware.folder / "src" / "codesign_top.v"
    text, found = re.subn(
        r"( wire \[\d+:0\] c\d+ = .*at\[)(\d+)(\].*\n.*at\[)(\d+)(\])", r"\1\4\3\2\5", path.read_text()
    )
    assert found == 1
    path.write_text(text)
    assert not checked(firmware, tmp_path).exact


@pytest.mark.slow
@pytest.mark.parametrize("late", [0, 1])
def test_a_word_that_is_chosen_a_clock_late_is_seen(late: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        folded_phases, "number_of_word", lambda words, start: folded_turns.number_of_word(words, start + late)
    )
    verdict = checked(compiled(network("mixer", 10, seed=2, width=4, outputs=3), tmp_path, 4), tmp_path, 60)
    assert verdict.exact == (not late), verdict.first_difference


def with_dead_channels(folder: Path) -> Firmware:
    """Of its second convolution some channels have no weight: alkaid's port has no bits of them."""
    return compiled(network("conv1d", 10, seed=2, width=5, outputs=3), folder, 4)


def test_ports_of_a_module_are_alkaids_element_by_element(tmp_path: Path) -> None:
    texts = [p.read_text() for p in with_dead_channels(tmp_path).source_paths if p.name.startswith("codesign_item")]
    given = [re.search(r"core core \(\.clk\(clk\), \.model_inp\((.*?)\), \.model_out", t, re.DOTALL) for t in texts]
    bits = [sum(int(h) - int(w) + 1 for h, w in re.findall(r"\[(\d+):(\d+)\]", g[1])) for g in given if g]
    ports = [re.search(r"input wire \[(\d+):0\] model_inp", t) for t, g in zip(texts, given, strict=True) if g]
    whole = [int(p[1]) + 1 for p in ports if p]
    assert any(b < w for b, w in zip(bits, whole, strict=True))


@pytest.mark.slow
def test_ports_that_are_taken_for_the_schedules_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A core fed with the bus as it is: behind a channel without bits nothing is where it is thought to be."""
    written = folded_modules._wrapper
    monkeypatch.setattr(folded_modules, "_wrapper", lambda n, core, outer, inner: written(n, core, outer, outer))
    firmware = with_dead_channels(tmp_path)
    codes = probe_codes(firmware.design.inputs, 60)
    try:
        verdict = verify(firmware, codes, {"exact": exact_codes(firmware.design, codes)}, tmp_path / "simulation")
    except ToolError:
        return  # Verilator sees it
    assert not verdict.exact


def multiplies(text: str) -> bool:
    """Whether Verilog has a product of its own."""
    return " * " in re.sub(r"//.*|@ ?\(\*\)|\(\*.*?\*\)|\[[^\]]*\]", "", text)


def test_products_of_signals_are_no_multipliers(tmp_path: Path) -> None:
    """A product written as one would become a DSP slice."""
    assert multiplies("(* keep *) assign y = a * b; // planted")
    design = network("linear attention", 10, seed=2, width=5)
    firmware = compiled(design, tmp_path, 3)
    for path in used_sources(firmware.source_paths, firmware.top):  # alkaid's own multiplier lies there, unused
        assert not multiplies(path.read_text()), path.name
    folded = fold(read_graph(design.onnx), design.inputs, 3)
    nodes = [s.node for p in folded.phases for s in p.steps if s.node is not None]
    assert any(n.op == "MatMul" and not set(n.inputs) & set(folded.constants) for n in nodes), "there are products"


@pytest.mark.slow
def test_a_latency_that_is_not_the_stated_one_is_told(jedi: Firmware, tmp_path: Path) -> None:
    off = replace(jedi, rtl=replace(jedi.rtl, latency_cycles=jedi.latency_cycles + 1))
    verdict = checked(off, tmp_path)
    assert not verdict.exact
    assert "the measured latency is" in verdict.first_difference


@pytest.mark.slow
def test_the_wrapper_feeds_it_and_no_event_is_lost(jedi: Firmware, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    low, high = jedi.design.inputs.bounds
    codes = rng.integers(low, high + 1, (900, jedi.design.inputs.size))
    episodes = episodes_for(len(codes))
    received = simulate_axi(jedi, codes, episodes, tmp_path)
    assert first_difference(episodes, received, exact_codes(jedi.design, codes)) is None


@pytest.mark.slow
def test_events_through_the_serial_line_of_a_board(tmp_path: Path) -> None:
    design = network("JEDI-linear", 8, seed=2, width=4, outputs=3)
    firmware = Alkaid().compile(design, load_target("ulx3s-85f"), tmp_path / "f", AlkaidSettings(interval=4))
    codes = probe_codes(design.inputs, 60)
    found = SerialBoard(design, SimulatedPort(firmware, tmp_path / "w")).run(codes)
    assert np.array_equal(found, exact_codes(design, codes))


def in_beats(folder: Path, interval: int = 4, items: int | None = None, kind: str = "JEDI-linear") -> Firmware:
    made = network(kind, 10, seed=11, width=4, outputs=3)
    settings = AlkaidSettings(interval=interval, transport="beats", items=items)
    return Alkaid().compile(made, TARGET, folder / "firmware", settings)


def test_beats_of_more_items_than_are_taken_at_once(tmp_path: Path) -> None:
    """As links deliver them: five items in each of two clocks, where three are taken in each of four."""
    firmware = in_beats(tmp_path, items=5)
    assert firmware.rtl.transport == Beats(5, 2, 4)
    assert Alkaid().load(firmware.design, TARGET, firmware.folder).rtl == firmware.rtl
    verdict = checked(firmware, tmp_path, 40)
    assert verdict.exact, verdict.first_difference
    assert (verdict.latency_cycles, verdict.initiation_interval) == (firmware.latency_cycles, 4)


def test_beats_of_too_few_items_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"10 items, 2 a beat, take 5 clocks, and the interval is 4: .* at least 3"):
        in_beats(tmp_path, items=2)


@pytest.mark.slow
@pytest.mark.parametrize("items", [4, 7, 10, 16])
@pytest.mark.parametrize("kind", ["conv1d", "deep set, validity bit", "event beside items", "mixer"])
def test_beats_of_any_number_of_items(kind: str, items: int, tmp_path: Path) -> None:
    firmware = in_beats(tmp_path, 5, items, kind)
    assert firmware.rtl.transport == Beats(min(items, 10), -(-10 // items), 5)
    verdict = checked(firmware, tmp_path, 100)
    assert verdict.exact, verdict.first_difference


@pytest.mark.slow
def test_an_item_that_is_not_kept_for_its_clock_is_seen(tmp_path: Path) -> None:
    """The registers between beats and words: one that takes the next beat too is of another item."""
    firmware = in_beats(tmp_path, items=5)
    path = firmware.folder / "src" / "codesign_top.v"
    text, found = re.subn(r"if \(after\[1\]\) (r\d+ <= model_inp)", r"\1", path.read_text())
    assert found
    path.write_text(text)
    assert not checked(firmware, tmp_path).exact


@pytest.mark.slow
@pytest.mark.parametrize("items", [None, 7])
def test_the_wrapper_feeds_beats(items: int | None, tmp_path: Path) -> None:
    firmware = in_beats(tmp_path, items=items, kind="event beside items")
    codes = probe_codes(firmware.design.inputs, 400)
    episodes = episodes_for(len(codes))
    received = simulate_axi(firmware, codes, episodes, tmp_path)
    assert first_difference(episodes, received, exact_codes(firmware.design, codes)) is None


@pytest.mark.slow
def test_a_board_gets_its_events_in_beats(tmp_path: Path) -> None:
    design = network("JEDI-linear", 8, seed=2, width=4, outputs=3)
    settings = AlkaidSettings(interval=4, transport="beats", items=3)
    firmware = Alkaid().compile(design, load_target("ulx3s-85f"), tmp_path / "f", settings)
    codes = probe_codes(design.inputs, 40)
    found = SerialBoard(design, SimulatedPort(firmware, tmp_path / "w")).run(codes)
    assert np.array_equal(found, exact_codes(design, codes))


@pytest.mark.slow
def test_a_trigger_compares_the_result(tmp_path: Path) -> None:
    design = replace(network("JEDI-linear", 10, seed=11, width=4, outputs=3), trigger="y1")
    verdict = checked(compiled(design, tmp_path, 4), tmp_path)
    assert verdict.exact, verdict.first_difference
    assert 0 < verdict.fired[0] < verdict.events


def test_a_damaged_program_is_told(jedi: Firmware, tmp_path: Path) -> None:
    firmware = compiled(jedi.design, tmp_path, 4)
    (program, *_) = sorted(firmware.folder.glob("program_*.json.gz"))
    program.write_bytes(b"no gzip")
    with pytest.raises((ToolError, InputError)):
        Alkaid().predict(firmware, probe_codes(jedi.design.inputs, 4))


@pytest.mark.slow
def test_a_module_that_is_counted_apart_is_the_whole(tmp_path: Path) -> None:
    """Of JEDI-linear's modules what depends on the event's mean alone is the same in each copy."""
    design = network("JEDI-linear", 16)
    firmware = Alkaid().compile(design, TARGET, tmp_path / "items", AlkaidSettings(modules="items"))
    flat = replace(firmware, rtl=replace(firmware.rtl, repeated=()))
    apart, whole = (Alkaid().synthesise(f, tmp_path / f"yosys{i}", 600) for i, f in enumerate((firmware, flat)))
    assert {f.tool for f in apart} == {"yosys by modules"}
    assert {f.tool for f in whole} == {"yosys"}
    found, truth = ({f.quantity: f.value for f in figures} for figures in (apart, whole))
    assert found["lut"] == pytest.approx(truth["lut"], rel=0.1)  # 5 % above; of 4 neurons 15 %: most of it border
    assert found["ff"] == pytest.approx(truth["ff"], rel=0.25)
    assert found["carry"] == pytest.approx(truth["carry"], rel=0.1)


@pytest.mark.slow
def test_synthesis_counts_a_third_of_the_unrolled_and_no_multiplier(tmp_path: Path) -> None:
    design = network("deep set, sum", 16, width=8, outputs=3)
    folded = compiled(design, tmp_path / "folded", 9, "beats")
    whole = Alkaid().compile(design, TARGET, tmp_path / "whole")
    small, large = (
        {f.quantity: f.value for f in Alkaid().synthesise(f, tmp_path / f"yosys{i}", 600)}
        for i, f in enumerate((folded, whole))
    )
    assert small["dsp"] == 0
    assert small["lut"] < large["lut"] / 2
