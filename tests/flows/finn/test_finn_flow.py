"""FINN's graph and its RTL give the design's integers, at the interval that folding aims at."""

import json
from math import ceil, gcd

import numpy as np
import pytest

from codesign.calibration.plan import member
from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.figures import Fidelity, find
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.finn.estimate import converter_cycles, dsp_slices, lanes
from codesign.flows.finn.flow import FinnSettings
from codesign.flows.finn.repair import repair
from codesign.testing.cases import family_design
from codesign.training import export
from codesign.verify.rtl import verify
from tests.families.learned_networks import exported, scattered
from tests.families.mlp_networks import CONFIGS
from tests.flows.finn.small_networks import KIND, small
from tests.flows.small_designs import design_of
from tests.graph.everywhere import exact_codes
from tests.graph.item_networks import network

TARGET = load_target("vu13p-360")


def value(figures, quantity):
    return find(figures, quantity, Fidelity.COMPILED).value


@pytest.mark.parametrize(("config", "interval"), [(CONFIGS[0], 1), (CONFIGS[1], 16), (CONFIGS[2], 64)])
def test_graph_and_rtl_equal_the_network(finn, config, interval, tmp_path):
    network, design, codes = design_of(config)
    firmware = finn.compile(design, TARGET, tmp_path / "fw", FinnSettings(initiation_interval=interval), codes)
    every = np.concatenate([codes[:150], probe_codes(design.inputs)[::20]])
    brevitas = export.brevitas_codes(network, design, every)
    predicted = finn.predict(firmware, every)
    assert np.array_equal(predicted, brevitas)
    verdict = verify(firmware, every, {"brevitas": brevitas, "finn": predicted}, tmp_path / "sim")
    assert verdict.exact, verdict.first_difference
    figures = finn.figures(firmware)
    assert {(f.fidelity, f.tool) for f in figures} == {(Fidelity.COMPILED, "finn-plus")}
    assert verdict.initiation_interval == value(figures, "initiation_interval") <= interval
    assert 0.7 * value(figures, "latency_cycles") < verdict.latency_cycles <= value(figures, "latency_cycles")
    assert find(figures, "lut", Fidelity.COMPILED) is None
    assert len(firmware.notes) == 2


@pytest.mark.parametrize(
    ("inputs", "hidden", "outputs", "asked", "converter", "interval"),
    [
        (4, 10, 2, 5, (2, 5), 6),  # 4 x 10 in beats of 2, 10 x 2 in beats of 5: no layer needs more than 5
        pytest.param(16, 48, 5, 16, (3, 16), 18, marks=pytest.mark.slow),
        pytest.param(4, 30, 2, 15, (2, 5), 18, marks=pytest.mark.slow),
        pytest.param(4, 18, 4, 9, (2, 9), 10, marks=pytest.mark.slow),
        pytest.param(4, 24, 2, 8, (3, 6), 8, marks=pytest.mark.slow),  # one width divides the other
    ],
)
def test_a_width_converter_may_be_the_slowest(finn, inputs, hidden, outputs, asked, converter, interval, tmp_path):
    config = {"widths": (hidden,), "weight_bits": (4, 4), "activation_bits": (3,), "input_bits": 5, "sparsity": 0.3}
    design = family_design("mlp", config, outputs, inputs)
    firmware = finn.compile(design, TARGET, tmp_path / "fw", FinnSettings(initiation_interval=asked))
    (made,) = (m for m in firmware.extra["modules"] if m["kind"] == "StreamingDataWidthConverter")
    assert [b // 3 for b in made["bits"]] == list(converter)  # activations of 3 bits
    assert firmware.extra["estimates"]["initiation_interval"] <= asked
    codes = probe_codes(design.inputs)[:60]
    verdict = verify(firmware, codes, {"qonnx": export.qonnx_codes(design, codes)}, tmp_path / "sim")
    assert verdict.exact, verdict.first_difference
    assert verdict.initiation_interval == value(finn.figures(firmware), "initiation_interval") == interval


@pytest.mark.parametrize(("taken", "given"), [(3, 16), (16, 3), (2, 5), (1, 7), (7, 1), (4, 6), (10, 15), (9, 2)])
def test_cycles_of_a_width_converter_are_those_of_its_counter(taken, given):
    """FINN's converter by the one counter that steers it, both sides always ready."""
    unit = gcd(taken, given)
    a, b = taken // unit, given // unit
    room, clocks = b, []  # at which clock a beat was taken
    for clock in range(20 * (a + b)):
        takes, gives = room >= 0, room <= 0
        room += gives * b - takes * a
        clocks += [clock] * takes
    assert clocks[12 * b] - clocks[2 * b] == converter_cycles(taken, given, 10 * b)


def test_widths_of_their_own(finn, tmp_path):
    network = scattered("weight")
    design, codes = exported(network)
    firmware = finn.compile(design, TARGET, tmp_path / "fw", None, codes)
    few = codes[:100]
    reference = export.brevitas_codes(network, design, few)
    verdict = verify(firmware, few, {"brevitas": reference}, tmp_path / "sim")
    assert verdict.exact, verdict.first_difference


def test_a_wrong_reference_is_seen(finn, tmp_path):
    design = small(seed=3)
    firmware = finn.compile(design, TARGET, tmp_path / "fw")
    codes = probe_codes(design.inputs)[:60]
    wrong = finn.predict(firmware, codes)
    wrong[37, 1] += 1
    verdict = verify(firmware, codes, {"wrong": wrong}, tmp_path / "sim")
    assert not verdict.exact
    assert "event 37" in verdict.first_difference
    assert verdict.latency_cycles is None


def test_slower_folding_takes_fewer_slices(finn, tmp_path):
    _, design, _ = design_of(CONFIGS[1])
    dsp = []
    for interval in (1, 8, 64):
        firmware = finn.compile(design, TARGET, tmp_path / str(interval), FinnSettings(initiation_interval=interval))
        dsp.append(value(finn.figures(firmware), "dsp"))
    assert dsp == sorted(dsp, reverse=True)
    assert dsp[0] > dsp[-1] > 0


def test_firmware_is_opened_again_and_only_for_its_design(finn, tmp_path):
    design = small()
    finn.compile(design, TARGET, tmp_path / "fw")
    again = finn.load(design, TARGET, tmp_path / "fw")
    codes = probe_codes(design.inputs)
    assert len(finn.predict(again, codes)) == len(codes)
    with pytest.raises(ToolError, match="another design"):
        finn.load(small(seed=9), TARGET, tmp_path / "fw")
    with pytest.raises(ToolError, match="no firmware"):
        finn.load(design, TARGET, tmp_path)


def test_parts_of_other_makers_are_refused(finn, tmp_path):
    with pytest.raises(UnsupportedError, match="parts of AMD"):
        finn.compile(small(), load_target("ulx3s-85f"), tmp_path / "fw")


@pytest.mark.slow
@pytest.mark.parametrize(("target", "interval"), [("vu13p-360", 16), ("pynq-z2", 4)])
def test_synthesis_finds_the_slices_that_the_estimate_says(finn, target, interval, tmp_path):
    design = small(seed=5)
    firmware = finn.compile(design, load_target(target), tmp_path / "fw", FinnSettings(initiation_interval=interval))
    figures = finn.synthesise(firmware, tmp_path / "synthesis", 600)
    counted = {f.quantity: f.value for f in figures}
    assert {f.fidelity for f in figures} == {Fidelity.SYNTHESISED}
    assert counted["dsp"] == value(finn.figures(firmware), "dsp") > 0
    assert counted["lut"] > 100
    assert counted["ff"] > 100


def test_an_accumulator_narrower_than_a_product(finn, tmp_path):
    """So few weights are left that a sum needs fewer bits than FINN's RTL wants for the product of its types."""
    design, _ = member(5).design()
    firmware = finn.compile(design, TARGET, tmp_path / "fw")
    codes = probe_codes(design.inputs)[:60]
    verdict = verify(firmware, codes, {"qonnx": export.qonnx_codes(design, codes)}, tmp_path / "sim")
    assert verdict.exact, verdict.first_difference


def test_lanes_of_a_slice():
    # 4 and 4 bits, narrow: 7 bits a lane, 1 + (27 - 4) // 7
    assert lanes(4, 4, narrow=True, seven_series=False) == 4
    assert lanes(8, 8, narrow=False, seven_series=False) == 2
    assert lanes(8, 8, narrow=True, seven_series=True) == 2
    assert lanes(27, 8, narrow=False, seven_series=False) == 1
    unit = {"kind": "MVAU_rtl", "PE": 5, "SIMD": 3, "weight_bits": 8, "activation_bits": 8, "narrow": True}
    assert dsp_slices([unit, {"kind": "Thresholding_rtl"}], False) == ceil(5 / 2) * 3


def test_another_text_of_the_library_is_not_changed_blindly(tmp_path):
    (tmp_path / "add_multi.sv").write_text("module add_multi; endmodule\n")
    with pytest.raises(ToolError, match="not the text of finn-plus"):
        repair(tmp_path)
    assert (tmp_path / "add_multi.sv").read_text() == "module add_multi; endmodule\n"


def test_record_names_what_is_not_in_the_layers(finn, tmp_path):
    firmware = finn.compile(small(kind=KIND), TARGET, tmp_path / "fw")
    record = json.loads((tmp_path / "fw" / "firmware.json").read_text())
    assert "threshold layer on floating-point inputs" in record["stripped"][0]
    assert all((firmware.folder / name).is_file() for name in [*firmware.sources, *record["data"]])


@pytest.mark.slow
def test_a_chain_of_convolutions_is_taken(finn, tmp_path):
    """As the matrices that they are on the whole event."""
    design = network("conv1d", 4, 2, seed=2, width=3, outputs=3)
    firmware = finn.compile(design, TARGET, tmp_path / "fw", FinnSettings(initiation_interval=16))
    codes = probe_codes(design.inputs)[::20]
    truth = exact_codes(design, codes)
    assert np.array_equal(finn.predict(firmware, codes), truth)
    verdict = verify(firmware, codes, {"exact": truth}, tmp_path / "sim")
    assert verdict.exact, verdict.first_difference
