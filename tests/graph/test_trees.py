"""Ensembles of trees: every form of the node, in every domain and as onnxruntime has it, or refused with the reason."""

import shutil

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.graph.domain import Domain
from codesign.graph.exact import Exact
from codesign.graph.forest import Forest, Tree
from codesign.graph.interval import Interval, Intervals
from codesign.graph.reader import read_graph
from codesign.handoff.emulator import build_emulator, load_emulator, write_emulator
from codesign.verify.rtl import verify
from tests.graph.ensembles import MODES, by_ids, by_roots, ensemble_node
from tests.graph.everywhere import QUIET, design_for, equal_everywhere
from tests.graph.tree_graphs import TREE, graph_of, one, regressor

KIND = FixedPoint(signed=True, integer_bits=2, fraction_bits=2)


def runtime(content, x):
    session = onnxruntime.InferenceSession(content, QUIET, providers=["CPUExecutionProvider"])
    return np.reshape(session.run(["y"], {"x": x.astype(np.float32)})[0], (len(x), -1))


def everywhere(content, features=3, kind=KIND):
    """Codes of the outputs, equal in every domain, and as onnxruntime runs the node itself."""
    design = design_for(content, [kind] * features)
    codes = np.concatenate([probe_codes(design.inputs, events=60)[:200], probe_codes(design.inputs, events=60)[-60:]])
    truth = equal_everywhere(design, codes)
    assert np.array_equal(runtime(content, design.inputs.values(codes)), design.outputs.values(truth)), "onnxruntime"
    return design, codes, truth


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_random_ensembles_are_equal_everywhere(first):
    for seed in range(first, first + 20):
        rng = np.random.default_rng(seed)
        features, opset = int(rng.integers(1, 5)), int(rng.choice([3, 5]))
        kinds = [
            FixedPoint(signed=bool(s), integer_bits=int(b) - int(s) - int(f), fraction_bits=int(f))
            for s, b, f in zip(
                rng.random(features) < 0.6, rng.integers(1, 6, features), rng.integers(-1, 3, features), strict=True
            )
        ]
        node, outputs = ensemble_node(rng, "x", "y", features, opset)
        content = graph_of([node], features, outputs, opset)
        design = design_for(content, kinds)
        codes = probe_codes(design.inputs, events=40, seed=seed)
        codes = codes[rng.choice(len(codes), 80)]
        truth = equal_everywhere(design, codes, circuit=24)
        assert np.array_equal(runtime(content, design.inputs.values(codes)), design.outputs.values(truth)), seed


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("threshold", [-9.0, -4.0, -0.1, 0.0, 0.25, 0.3, 3.75, 1e-45, 5.0])
def test_a_branch_on_and_off_the_grid_and_beyond_its_ends(mode, threshold):
    everywhere(one([(mode, 0, threshold, 1.0, -2.0)], 1), 1)


@pytest.mark.parametrize(
    "trees",
    [
        [1.5],  # one leaf, and no signal at all
        [1.5, TREE],
        [("BRANCH_LT", 1, 0.0, 2.0, 2.0), TREE],  # a dead tree
        [("BRANCH_LT", 1, 100.0, 2.0, 1.0)],  # a branch that is always taken
        [TREE, TREE],  # twice the same
        [TREE, ("BRANCH_LEQ", 0, 0.3, 0.75, -1.0), ("BRANCH_GT", 0, 0.3, 1.0, 0.0)],  # a threshold of several
        [("BRANCH_LT", 2, 0.0, 0.0, 0.0)],  # nothing but 0
        [("BRANCH_LT", 0, 0.0, -0.0, 0.25)],
    ],
)
def test_trees_at_an_edge(trees):
    everywhere(one(trees))


def test_equal_parts_stand_once():
    twice = Forest.of([Tree(*_arrays(), 0), Tree(*_arrays(), 1)])
    assert len(twice.features) == 2
    assert len(twice.comparator) == 2
    assert twice.roots.tolist() == [1, 1]


def _arrays():
    features = np.array([0, 1, -1, -1, -1])
    return (
        features,
        np.array([0.5, 1.0, 0, 0, 0]),
        np.array([1, 2, -1, -1, -1]),
        np.array([4, 3, -1, -1, -1]),
        np.array([0, 0, 1.0, 2.0, 3.0]),
    )


@pytest.mark.parametrize("aggregate", ["SUM", "MIN", "MAX", "AVERAGE"])
def test_several_outputs_of_each_leaf(aggregate):
    trees = [TREE, ("BRANCH_GTE", 2, 0.5, TREE, 1.0)]
    everywhere(one(trees, targets=3, several=True, aggregate_function=aggregate, base_values=[0.5, -1.0, 0.0]))


def test_in_one_design_to_the_emulator(tmp_path):
    design, codes, truth = _everything()
    assert len(np.unique(truth, axis=0)) > 8
    if not (shutil.which("g++") and shutil.which("make")):
        pytest.skip("g++ or make is missing")
    emulator = load_emulator(build_emulator(write_emulator(design, "trees", tmp_path), archflags="-Werror"))
    assert np.array_equal(emulator.predict(codes), truth)


def _everything():
    """Trees behind one another's inputs, of every aggregate, beside a choice between two signals."""
    nodes = [
        regressor([TREE, ("BRANCH_EQ", 2, 0.5, TREE, 1.0), ("BRANCH_NEQ", 1, 1.0, -0.75, TREE)], output="a"),
        regressor([TREE, ("BRANCH_GT", 1, 0.1, 2.25, -3.0)], targets=2, several=True, output="b"),
        regressor([TREE, ("BRANCH_GT", 1, 0.1, 2.25, -3.0)], output="c", aggregate_function="MIN"),
        helper.make_node("Greater", ["a", "c"], ["larger"]),
        helper.make_node("Where", ["larger", "b", "c"], ["d"]),
        helper.make_node("Concat", ["a", "b", "c", "d"], ["y"], axis=1),
    ]
    for i, node in enumerate(nodes):
        node.name = f"node{i}"
    return everywhere(graph_of(nodes, 3, 6))


@pytest.mark.slow
def test_in_one_design_to_rtl(tmp_path):
    design, codes, truth = _everything()
    firmware = Alkaid().compile(design, load_target("vu13p-360"), tmp_path / "firmware")
    verdict = verify(firmware, codes, {"exact": truth}, tmp_path / "simulation")
    assert verdict.exact, verdict.first_difference


def test_the_hardware_of_a_tree_is_a_table(monkeypatch):
    """Its cost is far below that of choices between numbers, from which every other domain composes it."""
    from codesign.flows.alkaid.alkaid_domain import Signals

    content = one([("BRANCH_LT", 0, 0.5, TREE, ("BRANCH_LT", 2, 0.75, TREE, 0.125))])
    design = design_for(content, [KIND] * 3)
    costs = [_cost(design)]
    monkeypatch.setattr(Signals, "decide", Domain.decide)
    costs.append(_cost(design))
    assert costs[0] < 0.75 * costs[1]


def _cost(design):
    from alkaid.trace import FVArray, HWConfig, trace

    from codesign.flows.alkaid.alkaid_domain import Signals

    kinds = design.inputs.types
    k, i, f = (np.array([[getattr(t, n) for t in kinds]]) for n in ("signed", "integer_bits", "fraction_bits"))
    signal = FVArray.from_kif(k.astype(int), i, f, HWConfig(1, -1, -1))
    return trace(signal, read_graph(design.onnx).run(signal, Signals())).cost


def test_a_tree_too_deep_for_a_table_is_exact():
    tree = 0.25
    for level in range(9):
        tree = ("BRANCH_LT", level % 3, level / 2 - 2, tree, level / 4)
    everywhere(one([tree, TREE]))


def test_a_planted_fault_is_seen(monkeypatch):
    """Of each domain: thresholds that are not rounded up, and sides that are swapped."""
    from codesign.flows.alkaid import alkaid_domain
    from codesign.handoff.emulator.circuit import Integers

    content = one([TREE])
    for owner, name, liar in (
        (Integers, "select", lambda s, c, a, b: Domain.select(s, c, b, a)),
        (alkaid_domain, "_reach", lambda x, t: (x - float(np.floor(t * 4) / 4)).is_negative().unary_bit_op("not")),
        (Exact, "decide", lambda s, x, f: f.over(s, -x)),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, liar)
            with pytest.raises((AssertionError, ValueError)):
                everywhere(content)
    everywhere(content)


def test_intervals_know_what_can_be_reached():
    """A threshold beyond an input's ends is no choice, and a leaf behind it is in no bound."""
    low, high, step = (np.array([[v]]) for v in (0.0, 1.0, 0.25))
    content = one([("BRANCH_LT", 0, 2.0, ("BRANCH_LT", 0, 0.3, 1.0, 2.0), 1000.0)], 1)
    found = read_graph(content).run(Interval(low, high, step), Intervals())
    assert (found.low, found.high, found.step) == (1.0, 2.0, 1.0)


CIRCLE = {"nodes_truenodeids": [0, 0, 0]}
REFUSED = {
    "a leaf of too many bits": (one([("BRANCH_LT", 0, 0.0, 0.1, 1000.0)]), "needs .* bits, .* round the leaves"),
    "a softmax": (one([TREE], post_transform="SOFTMAX"), "the order of scores stays"),
    "a logistic": (one([TREE], post_transform="LOGISTIC"), "leave it out"),
    "an average of three": (one([TREE] * 3, aggregate_function="AVERAGE"), "power of two"),
    "a feature too many": (one([("BRANCH_LT", 3, 0.0, 1.0, 0.0)]), "feature 3 of 3"),
    "a circle": (one([("BRANCH_LT", 0, 0.0, 1.0, 0.0)], **CIRCLE), "leads back"),
    "nowhere": (one([("BRANCH_LT", 0, 0.0, 1.0, 0.0)], nodes_falsenodeids=[7, 0, 0]), "not there"),
    "lengths": (one([("BRANCH_LT", 0, 0.0, 1.0, 0.0)], nodes_values=[1.0]), "1 thresholds"),
    "not a number": (one([("BRANCH_LT", 0, 0.0, 1.0, 0.0)], nodes_values=[float("nan"), 0.0, 0.0]), "finite"),
    "no nodes": (one([1.0], nodes_nodeids=None), "0 nodes"),
    "an unknown mode": (one([TREE], nodes_modes=["BRANCH_MEMBER"] * 7), "BRANCH_MEMBER"),
    "an unknown aggregate": (one([TREE], aggregate_function="MEDIAN"), "known: AVERAGE"),
    "base values": (one([TREE], base_values=[1.0, 2.0]), "2 base values for 1 outputs"),
    "a largest of what is not given": (
        one([TREE], targets=2, target_ids=[0, 1, 0, 1], aggregate_function="MAX"),
        "a leaf that gives nothing",
    ),
}


@pytest.mark.parametrize("what", list(REFUSED))
def test_what_is_refused_says_why(what):
    content, reason = REFUSED[what]
    with pytest.raises((UnsupportedError, InputError), match=reason) as error:
        design_for(content, [KIND] * 3)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("first", [0, 40])
def test_attributes_of_another_type_are_refused_in_one_line(first):
    """One attribute is left out, or made text, a number, a tensor, or another place."""
    outcomes = set()
    for seed in range(first, first + 40):
        rng = np.random.default_rng(seed)
        opset = int(rng.choice([3, 5]))
        node, outputs = ensemble_node(rng, "x", "y", 3, opset)
        wrong = node.attribute[rng.integers(len(node.attribute))]
        other = [[b"x", b"y\n"], 3.5, -2, "a\nb", helper.make_tensor("t", 1, [1, 2], [0.5, 1e30]), [1 << 62, -1, 0]]
        wrong.CopyFrom(helper.make_attribute(wrong.name, other[rng.integers(len(other))]))
        try:
            design_for(graph_of([node], 3, outputs, opset), [KIND] * 3)
            outcomes.add("read")
        except (UnsupportedError, InputError) as error:
            outcomes.add(str(error))
    assert len(outcomes) > 5
    assert not any("\n" in o for o in outcomes)


def test_labels_are_those_of_the_largest_score():
    """The first output of a classifier; text has no hardware."""
    attributes = by_ids([TREE, ("BRANCH_LT", 1, 0.5, 1.0, -1.0), -0.25], 3, "class")
    for labels in ({"classlabels_int64s": [7, 3, 5]}, {"classlabels_strings": ["a", "b", "c"]}):
        node = helper.make_node(
            "TreeEnsembleClassifier", ["x"], ["l", "z"], "trees", domain="ai.onnx.ml", **attributes, **labels
        )
        cast = helper.make_node("Cast", ["l"], ["f"], to=1)
        shaped = helper.make_node("Reshape", ["f", "column"], ["y"], "column")
        column = helper.make_tensor("column", TensorProto.INT64, [2], [-1, 1])
        content = graph_of([node, cast, shaped], 3, 1, initial=[column])
        if "classlabels_strings" in labels:
            with pytest.raises(UnsupportedError, match="take the scores"):
                design_for(content, [KIND] * 3)
            continue
        assert set(np.unique(everywhere(content)[2])) == {3, 7}


def test_two_classes_with_one_score_are_refused():
    attributes = by_ids([TREE], 1, "class") | {"classlabels_int64s": [0, 1]}
    node = helper.make_node("TreeEnsembleClassifier", ["x"], ["", "y"], "trees", domain="ai.onnx.ml", **attributes)
    with pytest.raises(UnsupportedError, match="use a TreeEnsembleRegressor"):
        design_for(graph_of([node], 3, 2), [KIND] * 3)


def test_opset_5_with_one_leaf_on_both_sides():
    content = graph_of(
        [helper.make_node("TreeEnsemble", ["x"], ["y"], "trees", domain="ai.onnx.ml", **by_roots([0.5, TREE], 1))],
        3,
        1,
        5,
    )
    everywhere(content)
