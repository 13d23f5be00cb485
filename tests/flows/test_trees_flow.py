"""The flow of trees: its Verilog is exact, as alkaid's is, and what is no ensemble of trees is refused."""

import re

import numpy as np
import pytest

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.probes import probe_codes
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.trees.flow import Trees, TreeSettings
from codesign.flows.trees.tree_plan import TreePlan, plan_of
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.testing import CASES, conforms
from codesign.testing.graphs import kind_of
from tests.flows.tree_designs import DESIGNS, TARGET, imported, mixed
from tests.graph.everywhere import design_for
from tests.graph.tree_graphs import TREE, one


@pytest.mark.parametrize("name", list(DESIGNS))
def test_it_keeps_the_contract_of_flows(name, tmp_path):
    made = conforms(Trees(), DESIGNS[name](), TARGET, tmp_path, simulate=False)
    assert made.firmware is not None


@pytest.mark.parametrize("stage_delay", [0.3, 1.0])
def test_what_is_told_by_a_place_has_a_range(stage_delay, tmp_path):
    """Verilator refuses a place of a scalar, which Yosys reads."""
    Trees().compile(DESIGNS["one bit"](), TARGET, tmp_path, TreeSettings(stage_delay=stage_delay))
    text = "\n".join(path.read_text() for path in tmp_path.rglob("*.v"))
    scalars = set(re.findall(r"(?m)^ *(?:reg|wire)(?: signed)? (\w+)\b", text))
    assert scalars
    assert "{{" in text
    assert not scalars & set(re.findall(r"(\w+)\[", text))


@pytest.mark.slow
@pytest.mark.parametrize("stage_delay", [None, 1.0])
@pytest.mark.parametrize("name", list(DESIGNS))
def test_its_verilog_is_exact(name, stage_delay, tmp_path):
    made = conforms(Trees(), DESIGNS[name](), TARGET, tmp_path, TreeSettings(stage_delay=stage_delay))
    assert made.verified.exact


def test_the_same_design_gives_the_same_sources(tmp_path):
    texts = []
    for place in ("one", "another/place"):
        firmware = Trees().compile(mixed(), TARGET, tmp_path / place)
        texts.append([p.read_text(encoding="utf-8") for p in firmware.source_paths])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("seed", range(8))
def test_its_decisions_are_those_of_the_graph(seed):
    design = mixed(seed)
    codes = probe_codes(design.inputs, 200)
    truth = design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))
    plan = plan_of(design)
    assert np.array_equal(design.outputs.codes(plan.run(codes) * plan.step), truth)
    for output, given in enumerate(plan.run(codes).T):
        low, high = plan.bounds(output)
        assert ((low <= given) & (given <= high) & (given % (1 << plan.zeros(output)) == 0)).all()


def test_comparators_stand_once(tmp_path):
    """Of many decisions as many comparators as there are different ones that an input can meet."""
    design = mixed()
    plan = plan_of(design)
    text = (Trees().compile(design, TARGET, tmp_path).folder / "src" / "codesign_core.v").read_text(encoding="utf-8")
    pairs = set(zip(plan.forest.features.tolist(), plan.forest.thresholds.tolist(), strict=True))
    assert len(pairs) == len(plan.forest.features) < 0.8 * len(plan.forest.comparator)
    assert text.count(">=") <= len(pairs)


def test_a_deeper_pipeline_takes_more_registers(tmp_path):
    design, found = imported("xgboost_five.json"), []
    for delay in (4.0, 2.0, 1.0):
        firmware = Trees().compile(design, TARGET, tmp_path / str(delay), TreeSettings(stage_delay=delay))
        found.append({f.quantity: f.value for f in Trees().figures(firmware)})
    assert [f["latency_cycles"] for f in found] == sorted({f["latency_cycles"] for f in found})
    assert [f["ff"] for f in found] == sorted({f["ff"] for f in found})
    with pytest.raises(InputError, match="at most that"):
        Trees().compile(design, TARGET, tmp_path / "slow", TreeSettings(stage_delay=40.0))


def test_networks_are_not_its_kind_of_model():
    """``codesign flows`` leaves it out of their table."""
    assert Trees().takes(mixed()) is None
    assert "one ensemble of trees" in Trees().takes(CASES[0].make())
    assert Alkaid().takes(mixed()) is None


def test_what_is_no_ensemble_is_refused(tmp_path):
    for name in ("single", "dead-neurons", "family-mlp"):
        case = next(c for c in CASES if c.name == name)
        with pytest.raises(UnsupportedError, match="flow trees: takes one ensemble"):
            Trees().compile(case.make(), TARGET, tmp_path)
    for content, reason in (
        (one([TREE], aggregate_function="MAX"), "sums trees"),
        (one([1.5]), "every output is constant"),
    ):
        with pytest.raises(UnsupportedError, match=reason):
            Trees().compile(design_for(content, [kind_of(5, True, 2)] * 3), TARGET, tmp_path)


@pytest.mark.slow
def test_a_planted_fault_is_seen_in_simulation(tmp_path, monkeypatch):
    """Every threshold one code too high."""
    from codesign.flows.trees import flow

    def wrong(design):
        plan = plan_of(design)
        forest = plan.forest
        object.__setattr__(forest, "thresholds", forest.thresholds + 1)
        return TreePlan(forest, plan.summed, plan.constant, plan.step)

    monkeypatch.setattr(flow, "plan_of", wrong)
    firmware = Trees().compile(imported("xgboost_two.json"), TARGET, tmp_path / "firmware")
    codes = probe_codes(firmware.design.inputs, 100)
    exact = read_graph(firmware.design.onnx).run(firmware.design.inputs.values(codes), Exact())
    references = {"exact": firmware.design.outputs.codes(exact)}
    assert not Trees().verify(firmware, codes, references, tmp_path / "simulation").exact
