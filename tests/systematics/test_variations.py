"""Variations of inputs do what they say, and their errors are what a metric moves by."""

import numpy as np
import pytest
import yaml

from codesign.core.errors import InputError
from codesign.core.layout import Layout
from codesign.core.records import Metric, PairedDifference
from codesign.data.sample import Part
from codesign.data.variations import Variation
from codesign.pipeline.systematics import differences_with_systematics, judge_varied, values_under
from codesign.study.definition import parse_study
from codesign.tasks.tagging.jet_tagging import JetTagging

NAMES = ("met_pt", "jet0_pt", "jet0_eta", "jet1_pt", "jet1_eta", "jet2_pt", "jet2_eta")
ITEMS = Layout(name="cells", shape=(3, 2), fields=("pt", "eta"), absent="code")
BLOCKS = (Layout.of_features(NAMES, ("1",) * 7), ITEMS)


@pytest.fixture
def part():
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 9, (4000, 7)).astype(np.float32)
    x[:, 5:] = 0  # no third jet
    truth = {"pile_up": rng.normal(46, 9, 4000).astype(np.float32)}
    cells = rng.uniform(1, 9, (4000, 3, 2)).astype(np.float32)
    return Part("test", x, np.zeros(4000, np.int64), truth=truth, blocks={"cells": cells})


def test_a_scale_and_a_shift_move_what_they_name_and_nothing_else(part):
    scale = Variation(name="jes", inputs=("jet*_pt", "cells.pt"), scale=0.02)
    assert scale.ways == {"jes_up": 1, "jes_down": -1}
    up, down = (scale.of(part, BLOCKS, way) for way in (1, -1))
    assert up.features[:, [1, 3]] == pytest.approx(part.features[:, [1, 3]] * 1.02)
    assert down.blocks["cells"][..., 0] == pytest.approx(part.blocks["cells"][..., 0] * 0.98)
    for same in ([0, 2, 4, 5, 6],):
        assert np.array_equal(up.features[:, same], part.features[:, same])
    assert np.array_equal(up.blocks["cells"][..., 1], part.blocks["cells"][..., 1])
    assert np.array_equal(up.x, up.features), "a view that was looked at before is not the varied one's"
    lifted = Variation(name="noise", inputs=("jet*_pt",), shift=1.5).of(part, BLOCKS)
    assert lifted.features[:, 1] == pytest.approx(part.features[:, 1] + 1.5)
    assert (lifted.features[:, 5] == 0).all(), "there is no third jet to lift"


def test_a_resolution_is_as_wide_as_it_says_and_always_the_same(part):
    smear = Variation(name="jer", inputs=("jet0_pt",), smear=0.1)
    made = smear.of(part, BLOCKS)
    assert (made.features[:, 1] / part.features[:, 1]).std() == pytest.approx(0.1, rel=0.05)
    assert np.array_equal(made.features, smear.of(part, BLOCKS).features)


def test_objects_that_are_lost_leave_no_holes(part):
    made = Variation(name="eff", inputs=("jet*_pt",), lose=0.25).of(part, BLOCKS)
    first, second = part.features[:, 1], part.features[:, 3]
    now = made.features[:, 1]
    assert np.mean(now == first) == pytest.approx(0.75, abs=0.03)
    moved = now == second
    assert np.mean(moved) == pytest.approx(0.25 * 0.75, abs=0.03)
    assert np.array_equal(made.features[moved, 2], part.features[moved, 4]), "its angle moves with it"
    assert ((now == 0) == (made.features[:, 2] == 0)).all()
    assert np.array_equal(made.features[:, 0], part.features[:, 0])
    cells = Variation(name="cells_off", inputs=("cells.pt",), lose=0.5).of(part, BLOCKS).blocks["cells"]
    assert ((cells != 0).any(axis=2).sum(axis=1)).mean() == pytest.approx(1.5, abs=0.05)


def test_pile_up_is_moved_by_weights(part):
    pile_up = Variation(name="pu", pile_up=0.05)
    along = part.truth["pile_up"]
    for way in (1, -1):
        made = pile_up.of(part, BLOCKS, way)
        assert np.average(along, weights=made.weights) == pytest.approx(along.mean() * (1 + 0.05 * way), rel=0.005)
        assert made.weights.mean() == pytest.approx(1)


@pytest.mark.parametrize(
    ("variation", "words"),
    [
        ({"inputs": ["jet*_px"], "scale": 0.1}, r"no input 'jet\*_px' \(did you mean 'jet._pt'\?\): there are met_pt"),
        ({"inputs": ["cell.pt"], "scale": 0.1}, r"did you mean 'cells.pt'"),
    ],
)
def test_what_the_sample_does_not_have_is_named(variation, words):
    with pytest.raises(InputError, match=words):
        Variation(name="v", **variation).must_fit(BLOCKS, ())
    with pytest.raises(InputError, match="does not know"):
        Variation(name="v", pile_up=0.1).must_fit(BLOCKS, ("mass",))


STUDY = {"name": "s", "task": "jet-tagging", "family": "mlp", "target": "vu13p-360"}


@pytest.mark.parametrize(
    ("systematics", "objective", "words"),
    [
        ([{"name": "a", "inputs": ["x"]}], "accuracy", "'a' needs one of scale, shift"),
        ([{"name": "a", "inputs": ["x"], "scale": 0.1, "smear": 0.1}], "accuracy", "has scale and smear"),
        ([{"name": "a", "scale": 0.1}], "accuracy", "inputs are named of every kind but pile_up"),
        ([{"name": "a", "inputs": ["x"], "scale": 1.5}], "accuracy", r"scale.*less than 1"),
        ([{"name": "a", "inputs": ["x"], "smear": 0.1}] * 2, "accuracy", "'a' is there twice"),
        ([], "worst_accuracy", "'worst_accuracy' is the worst under the study's systematics, and it has none"),
    ],
)  # fmt: skip
def test_wrong_sections_are_refused_in_one_line(systematics, objective, words):
    whole = STUDY | {"systematics": systematics, "objectives": [{"name": objective, "direction": "maximise"}]}
    with pytest.raises(InputError, match=words) as caught:
        parse_study(yaml.safe_dump(whole), "s.yaml")
    assert "\n" not in str(caught.value)


def test_both_errors_and_the_worst():
    study = parse_study(
        yaml.safe_dump(
            STUDY
            | {
                "objectives": [{"name": "worst_accuracy", "direction": "maximise"}],
                "systematics": [
                    {"name": "up", "inputs": ["x"], "shift": 0.5},
                    {"name": "wide", "inputs": ["x"], "smear": 0.3},
                ],
            }
        ),
        "s.yaml",
    )
    rng = np.random.default_rng(2)
    y = rng.integers(0, 5, 3000)
    part = Part("test", (y + rng.normal(0, 0.3, 3000) + 0.1)[:, None].astype(np.float32), y)
    problem, blocks = JetTagging().open({"file": "none"}, 1), (Layout.of_features(("x",), ("1",)),)

    def scored(of):
        return -((of.features.astype(float) - np.arange(5)) ** 2)

    usual = problem.judge(scored(part), part, {})
    found = judge_varied(study, problem, scored, part, usual, {}, blocks, tuple("gqwzt"))
    assert set(found.under) == {"up_up", "up_down", "wide"}
    accuracy, values = found.metrics["accuracy"], {k: v["accuracy"] for k, v in found.under.items()}
    moved = max(abs(values["up_up"] - accuracy.value), abs(values["up_down"] - accuracy.value))
    assert accuracy.systematic == pytest.approx(np.hypot(moved, abs(values["wide"] - accuracy.value)))
    assert accuracy.systematic > 5 * accuracy.error > 0
    worst = found.metrics["worst_accuracy"]
    assert worst.value == pytest.approx(min(values.values()))
    assert worst.error > 0
    assert "worst_auc_g" not in found.metrics
    gap = {"accuracy": PairedDifference(value=0.0, error=0.1, better=0.5, replicas=100)}
    same = differences_with_systematics(gap, study.systematics, found.under, found.under)
    assert same["accuracy"].systematic == 0, "what both share drops out"
    other = values_under(study.systematics, problem, lambda of: scored(of) * 0, part, {}, blocks)
    assert differences_with_systematics(gap, study.systematics, found.under, other)["accuracy"].systematic > 0.1
    assert "systematic" not in Metric(value=1, error=1).model_dump()
