"""Bit operations: counted by hand, by brute force, and against what networks took that were measured."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from codesign.core import plugins
from codesign.core.errors import CodesignError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.targets import load_target
from codesign.families.mlp.config import MLPConfig
from codesign.flows.alkaid import flow as alkaid
from codesign.flows.base import Flow
from codesign.graph.cost import constant_bits, expected_operations, graph_cost, signal_bits
from codesign.graph.interval import Interval, tightest_type
from codesign.pipeline.evaluation import _must_fit
from codesign.report.layers import count_layers
from codesign.study.definition import load_study
from tests.graph.everywhere import design_for

CALIBRATION = Path(__file__).resolve().parents[2] / "reports" / "reference" / "calibration.json"


def counted(nodes, shape, constants, kind, out):
    """Cost of a graph from x (events, *shape) of one type to y (events, *out)."""
    given = [numpy_helper.from_array(np.asarray(v, dtype=np.float32), name) for name, v in constants.items()]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
        for name, shape in (("x", shape), ("y", out))
    ]
    graph = helper.make_graph(
        [helper.make_node(op, i, o, name=o[0], **a) for op, i, o, a in nodes], "g", ends[:1], ends[1:], given
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])
    return graph_cost(design_for(model.SerializeToString(), [kind] * int(np.prod(shape))))


BYTE = FixedPoint(signed=False, integer_bits=3, fraction_bits=0)


def test_every_kind_of_product_by_hand():
    matrix = counted([("MatMul", ["x", "w"], ["y"], {})], (2,), {"w": [[0.75, 0, -2], [5, 0.25, 0.5]]}, BYTE, (3,))
    assert matrix.bit_operations == 3 * (2 + 0 + 1) + 3 * (3 + 1 + 1)
    assert [(n.node, n.operator) for n in matrix.nodes] == [("y", "MatMul")]
    # two filters of three weights at each of four places
    kernel = {"w": [[[1, 3, 0]], [[-7, 0, 0]]]}
    convolved = counted([("Conv", ["x", "w"], ["y"], {})], (1, 6), kernel, BYTE, (2, 4))
    assert convolved.bit_operations == 4 * 3 * (1 + 2 + 3)
    # a shift, a sign, a factor of two bits; a sum of them; a square of 2 x + 3 x + 3 and more
    nodes = [
        ("Mul", ["x", "half"], ["a"], {}),
        ("Neg", ["a"], ["b"], {}),
        ("Mul", ["x", "three"], ["c"], {}),
        ("Add", ["b", "c"], ["d"], {}),
        ("Mul", ["d", "x"], ["y"], {}),
    ]
    mixed = counted(nodes, (1,), {"half": 0.5, "three": 3}, BYTE, (1,))
    # d = 3 x - x / 2 lies, by intervals, in [-3.5, 21] in halves: 7 bits with its sign
    assert [(n.node, n.bit_operations) for n in mixed.nodes] == [("c", 3 * 2), ("y", 7 * 3)]
    squared = counted([("Mul", ["x", "x"], ["y"], {})], (4,), {}, BYTE, (4,))
    assert squared.bit_operations == 4 * 9


def test_what_is_summed_chosen_or_always_the_same_costs_nothing():
    nodes = [
        ("Max", ["x", "one"], ["a"], {}),
        ("ReduceSum", ["a", "axes"], ["b"], {"keepdims": 1}),
        ("Mul", ["b", "zero"], ["c"], {}),
        ("Add", ["c", "one"], ["d"], {}),
        ("MatMul", ["d", "w"], ["e"], {}),  # of a constant
        ("Add", ["b", "e"], ["y"], {}),
    ]
    nodes.insert(0, ("Constant", [], ["axes"], {"value_ints": [1]}))
    assert counted(nodes, (3,), {"one": 1, "zero": 0, "w": [[3]]}, BYTE, (1,)).bit_operations == 0


def test_bits_are_those_of_the_narrowest_type():
    rng = np.random.default_rng(1)
    low = rng.integers(-40, 40, 400).astype(float)
    high = low + rng.integers(0, 40, 400)
    step = np.exp2(rng.integers(-3, 4, 400))
    found = signal_bits(Interval(low * step, high * step, step))
    narrowest = [tightest_type(a * s, b * s, s).width for a, b, s in zip(low, high, step, strict=True)]
    assert np.array_equal(found, np.where(low == high, 0, narrowest))
    assert constant_bits(np.array([0, 1, -4, 0.375, 5, -96, 127])).tolist() == [0, 1, 1, 2, 3, 2, 7]


@pytest.mark.parametrize("bits", [2, 3, 5, 9])
def test_expected_is_the_mean_over_all_codes(bits):
    codes = np.arange(1 - 2 ** (bits - 1), 2 ** (bits - 1))
    assert expected_operations((3, 4), (bits,), (7,), 0.25) == pytest.approx(
        0.75 * 12 * 7 * constant_bits(codes).mean()
    )


def test_the_report_and_the_graph_agree(brief_design):
    whole = graph_cost(brief_design)
    layers = count_layers(brief_design.onnx, brief_design.inputs)
    assert [n.bit_operations for n in whole.nodes] == [layer.ebops for layer in layers]


@pytest.fixture
def brief_design():
    from codesign.core.design import Design

    return Design.load(Path(__file__).parents[1] / "replay" / "designs" / "family-mlp")


# ----------------------------------------------------------------------------------------------- bounds before training
def measured(flow):
    """(expected bit operations, LUTs) of the calibration's networks of the family mlp."""
    rows = json.loads(CALIBRATION.read_text(encoding="utf-8"))["networks"]
    for row in rows:
        found = row["measured"].get(f"compiled-{flow}", {}).get("lut")
        if row["name"].rpartition("-")[0] == "mlp" and found:
            yield MLPConfig.model_validate(row["config"]).cost(16, 5), found


def refused(flow, cost, lut):
    study = load_study("jet-tagger")
    limit = next(c for c in study.constraints if c.name == "lut").model_copy(update={"max": lut})
    try:
        _must_fit(study.model_copy(update={"constraints": (limit,)}), flow, load_target("vu13p-360"), cost)
    except CodesignError:
        return True
    return False


def test_no_network_that_fits_is_refused_before_it_is_trained(monkeypatch):
    """Planted: alkaid's bound ten times too strict; FINN's folded networks refused by what alkaid takes."""
    of_alkaid, of_finn = list(measured("xcup")), list(measured("finn"))
    assert min(len(of_alkaid), len(of_finn)) > 40
    flow, folded = plugins.load(Flow, "alkaid"), plugins.load(Flow, "finn")
    assert not any(refused(flow, *one) for one in of_alkaid)
    assert not any(refused(folded, *one) for one in of_finn)
    assert sum(refused(flow, *one) for one in of_finn) > 5, "alkaid's bound is none of FINN's"
    monkeypatch.setattr(alkaid, "_LEAST_LUT", 10 * alkaid._LEAST_LUT)
    assert sum(refused(flow, *one) for one in of_alkaid) > 20


def test_a_bound_is_a_figure_and_only_of_the_flow_that_knows_it():
    bound = plugins.load(Flow, "alkaid").least_lut(1000.0)
    assert (bound.quantity, bound.unit, bound.fidelity, bound.tool) == ("lut", "LUT", "analytic", "codesign")
    assert 0 < bound.value < 1000
    assert [plugins.load(Flow, name).least_lut(1e9) for name in ("finn", "hls4ml")] == [None, None]
    assert refused(plugins.load(Flow, "alkaid"), 1e5, 6000)
