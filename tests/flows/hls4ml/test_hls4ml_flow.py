"""The flow hls4ml without the vendor: its C simulation gives the integers of the network, or the design is refused."""

import json
import shutil

import numpy as np
import pytest

from codesign.core.errors import ToolError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.hls4ml import flow as hls4ml_flow
from codesign.flows.hls4ml.flow import Hls4ml, Hls4mlSettings, Hls4mlSpace
from codesign.training import export
from tests.families.mlp_networks import CONFIGS
from tests.flows.small_designs import TARGET, design_of
from tests.graph.everywhere import exact_codes
from tests.graph.graphs import GraphBuilder
from tests.graph.graphs import design_of as graph_design
from tests.graph.item_networks import network

KIND = FixedPoint(signed=True, integer_bits=2, fraction_bits=3)


@pytest.fixture(scope="module")
def trained():
    return design_of(CONFIGS[0])


@pytest.fixture(scope="module")
def firmware(trained, tmp_path_factory):
    return Hls4ml().compile(trained[1], TARGET, tmp_path_factory.mktemp("hls4ml") / "firmware")


def test_c_simulation_equals_network(trained, firmware):
    network, design, codes = trained
    every = np.concatenate([codes, probe_codes(design.inputs)])
    assert np.array_equal(Hls4ml().predict(firmware, every), export.brevitas_codes(network, design, every))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"strategy": "resource", "reuse_factor": 3, "io": "io_stream"}, marks=pytest.mark.slow),
        # hls4ml's solver for it compiles itself for three minutes, once in each environment
        pytest.param({"strategy": "distributed_arithmetic"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_strategy_gives_the_same_integers(trained, tmp_path, settings):
    network, design, codes = trained
    flow = Hls4ml()
    made = flow.compile(design, TARGET, tmp_path / "fw", Hls4mlSettings(**settings), codes)
    assert np.array_equal(flow.predict(made, codes), export.brevitas_codes(network, design, codes))
    assert made.settings == {"io": "io_parallel", "reuse_factor": 1} | settings
    for layer in made.extra["layers"]:  # hls4ml takes the nearest reuse factor that divides the work
        said = f"hls4ml took {layer['reuse_factor']} in place of {made.settings['reuse_factor']}"
        assert (layer["reuse_factor"] != made.settings["reuse_factor"]) == any(said in note for note in made.notes)
    assert {layer["strategy"] for layer in made.extra["layers"]} == {settings["strategy"]}
    defines = (made.folder / "project" / "firmware" / "parameters.h").read_text()
    assert ("nnet::io_stream" in defines) == (settings.get("io") == "io_stream")


def test_nothing_is_claimed_without_the_vendor(firmware):
    flow = Hls4ml()
    assert not flow.vendor().available, "these tests are of a machine without Vitis"
    assert flow.figures(firmware) == []
    assert firmware.rtl is None
    with pytest.raises(UnsupportedError, match="needs the vendor's compiler"):
        _ = firmware.latency_cycles
    with pytest.raises(ToolError, match=r"no Verilog to synthesise.*Vitis HLS"):
        flow.synthesise(firmware, firmware.folder / "synthesis", 10)
    assert any("only its C simulation was run" in note for note in firmware.notes)


def test_a_verdict_says_what_was_run_and_where_it_differs(trained, firmware, tmp_path):
    network, design, codes = trained
    flow = Hls4ml()
    right = export.brevitas_codes(network, design, codes)
    verdict = flow.verify(firmware, codes, {"brevitas": right, flow.model: right}, tmp_path)
    assert verdict.exact
    assert verdict.proven == "C simulation"
    assert verdict.compared == ["brevitas"], "it is no proof that it equals itself"
    assert verdict.latency_cycles is None
    wrong = right.copy()
    wrong[7, 2] += 1
    verdict = flow.verify(firmware, codes, {"brevitas": wrong}, tmp_path)
    assert not verdict.exact
    assert verdict.first_difference.startswith("event 7, output 'c': C simulation")


def test_a_project_is_opened_again_moved_and_only_for_its_design(trained, firmware, tmp_path):
    network, design, codes = trained
    flow = Hls4ml()
    shutil.copytree(firmware.folder, tmp_path / "moved")
    moved = flow.load(design, TARGET, tmp_path / "moved")
    assert moved.settings == firmware.settings
    (tmp_path / "moved" / "project" / "csim.so").unlink()  # is compiled again
    assert np.array_equal(flow.predict(moved, codes[:50]), export.brevitas_codes(network, design, codes[:50]))
    with pytest.raises(ToolError, match="another design or target"):
        flow.load(design, load_target("vu13p-240"), firmware.folder)
    with pytest.raises(ToolError, match="holds no project"):
        flow.load(design, TARGET, tmp_path)


def test_a_project_that_gives_other_integers_is_refused(trained, tmp_path, monkeypatch):
    """Nine weights of the written project are lost: the C simulation of the flow's own check must find it."""
    compile_csim = hls4ml_flow.compile_csim

    def tampered(project, name):
        path = sorted((project / "firmware" / "weights").glob("w*.txt"))[0]
        first, *others = path.read_text().split(",")
        path.write_text(",".join([str(float(first) + 1.0), *others]))
        compile_csim(project, name)

    monkeypatch.setattr(hls4ml_flow, "compile_csim", tampered)
    with pytest.raises(ToolError, match=r"its C simulation differs from the design on \d+ of \d+ events"):
        Hls4ml().compile(trained[1], TARGET, tmp_path / "fw")


def chain(*nodes):
    """A matrix, nodes, and a matrix."""
    build = GraphBuilder(3)
    x = build.node("MatMul", "x", build.constant(np.eye(3)))
    for node in nodes:
        x = node(build, x)
    x = build.node("MatMul", x, build.constant(np.ones((3, 2))))
    return graph_design(build.finish(x, 2), KIND, 3)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (lambda b, x: b.node("BipolarQuant", x, b.constant(0.5)), "operator 'BipolarQuant' is not supported"),
        (lambda b, x: b.node("Mul", x, x), "operator 'Mul' is not supported"),
        (lambda b, x: b.quant(x, 0.5, 4, mode="CEIL"), "rounding mode 'CEIL' is not supported; supported: ROUND"),
        (lambda b, x: b.quant(x, 0.5, 4, 0, 1), "unsigned narrow quantiser"),
        (lambda b, x: b.quant(x, 0.5, np.array([4.0, 3.0, 4.0])), "bit widths that differ within one quantiser"),
    ],
)
def test_what_is_not_exact_is_refused_by_name(tmp_path, node, words):
    with pytest.raises(UnsupportedError, match=f"flow hls4ml: .*{words}"):
        Hls4ml().compile(chain(node), TARGET, tmp_path / "fw")


def test_targets_and_settings_that_make_no_sense_are_refused(trained, tmp_path):
    flow = Hls4ml()
    with pytest.raises(UnsupportedError, match=r"target 'ulx3s-85f' .* parts of AMD"):
        flow.compile(trained[1], load_target("ulx3s-85f"), tmp_path / "fw")
    with pytest.raises(UnsupportedError, match="distributed arithmetic shares nothing"):
        flow.compile(
            trained[1], TARGET, tmp_path / "fw", Hls4mlSettings(strategy="distributed_arithmetic", reuse_factor=2)
        )
    drawn = flow.suggest(
        Hls4mlSpace.model_validate({"strategy": "distributed_arithmetic", "reuse_factor": 8}), lambda _, d: d.value
    )
    assert drawn.reuse_factor == 1


def test_record_of_the_project(trained, firmware):
    record = json.loads((firmware.folder / "firmware.json").read_text())
    assert record["design"] == trained[1].hash
    assert record["hls4ml"] == "1.3.0"
    assert [layer["inputs"] for layer in record["layers"]] == [16, 8]


@pytest.mark.slow
@pytest.mark.parametrize("io", ["io_parallel", "io_stream"])
@pytest.mark.parametrize("kind", ["conv1d", "conv2d", "deep set, sum"])
def test_chains_over_items_and_images_are_taken(kind, io, tmp_path):
    """A convolution is the matrix that it is on the whole event."""
    design, flow = network(kind, 4, 2, seed=2, width=3, outputs=3), Hls4ml()
    made = flow.compile(design, TARGET, tmp_path / "fw", Hls4mlSettings(io=io))
    codes = probe_codes(design.inputs)
    truth = exact_codes(design, codes)
    assert len(np.unique(truth, axis=0)) > 3
    assert np.array_equal(flow.predict(made, codes), truth)
