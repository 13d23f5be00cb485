"""One network with two heads, a class and quantiles of a number, of weighted events: from a study to its report."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.core.targets import load_target
from codesign.data.sample import Splits
from codesign.families.base import Family
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.teaching import learnable_weights, lesson_of
from codesign.flows.alkaid.flow import Alkaid
from codesign.handoff.emulator import build_emulator, load_emulator, write_emulator
from codesign.handoff.inference import Session, codes_model, features_model, heads_of
from codesign.pipeline.kept import training_key
from codesign.report import write_report
from codesign.search.engine import run_study
from codesign.search.progress import Silent
from codesign.study.definition import parse_study
from codesign.tasks.base import Task
from codesign.testing import TaskTests
from codesign.training.lesson import Budget
from tests.graph.everywhere import exact_codes
from tests.heads.two_heads import facts_of

PLUGIN = Path(__file__).parent / "plugin"
CONFIG = MLPConfig(widths=(16,), weight_bits=(6, 6), activation_bits=(6,), input_bits=8)
STUDY = """
name: clusters
task: clusters
sample: {events: 4000, energy_weight: 2.0}
splits: {train: 0.5, validation: 0.2, test: 0.3}
family: mlp
space: {depth: 1, width: 8, weight_bits: 5, activation_bits: 5, input_bits: 6}
training: {epochs: 20, batch: 128, learning_rate: 0.02}
target: vu13p-360
objectives:
  - {name: pinball, direction: minimise}
  - {name: lut, direction: minimise}
search: {trials: 1, sampler: random}
verification: {gate_events: 1000, rtl_events: 1000}
"""


@pytest.fixture(autouse=True, scope="module")
def plugin():
    sys.path.insert(0, str(PLUGIN))
    plugins.forget()
    yield
    sys.path.remove(str(PLUGIN))
    plugins.forget()


def opened(**settings):
    return plugins.load(Task, "clusters").open({"events": 2000, **settings}, 3)


@pytest.fixture(scope="module")
def problem(plugin):
    return opened()


@pytest.fixture(scope="module")
def parts(problem):
    return [problem.sample.part(name, Splits(0.6, 0.2, 0.2, 1)) for name in ("train", "validation", "test")]


def trained(problem, parts, epochs=25):
    lesson = lesson_of(problem, facts_of(problem), 8, *parts[:2], None)
    return MLP().pick(MLP().fit(CONFIG, lesson, Budget(epochs, 100, 0.02), 1), CONFIG, lesson), lesson


@pytest.fixture(scope="module")
def model(problem, parts):
    return trained(problem, parts)[0]


@pytest.mark.slow
class TestClusters(TaskTests):
    @pytest.fixture
    def task(self):
        return plugins.load(Task, "clusters")

    @pytest.fixture
    def settings(self):
        return {"events": 1500}


def judged(problem, design, part):
    codes = exact_codes(design, design.input_quantisation.codes(part.x))
    return problem.judge(design.outputs.values(codes), part, {})


def test_both_heads_are_learned(problem, parts, model):
    train, _, test = parts
    found = judged(problem, model.design(), test)
    (baseline,) = problem.baselines(train, 1)
    plain = problem.judge(baseline(test), test, {})
    assert found["accuracy"].value > plain["accuracy"].value + 0.3
    assert found["pinball"].value < 0.8 * plain["pinball"].value
    assert found["coverage_error"].value < 0.1


def test_a_head_that_weighs_nothing_learns_nothing(problem, parts, model):
    """Planted: a head whose weight is ignored."""
    alone = opened(energy_weight=0.0)
    found = judged(problem, trained(alone, parts)[0].design(), parts[2])
    both = judged(problem, model.design(), parts[2])
    assert found["accuracy"].value > 0.7
    assert found["pinball"].value > 3 * both["pinball"].value


def test_every_domain_has_an_output_for_each_head(problem, parts, model, tmp_path):
    design, part = model.design(), parts[2]
    assert [(b.name, b.size) for b in design.outputs.blocks] == [("kind", 3), ("energy", 3)]
    graph = onnx.load_from_string(design.onnx).graph
    assert [o.type.tensor_type.shape.dim[1].dim_value for o in graph.output] == [3, 3]
    codes = design.input_quantisation.codes(part.x)
    truth = exact_codes(design, codes)
    assert all(np.array_equal(run(codes), truth) for run in model.references().values())
    emulator = load_emulator(build_emulator(write_emulator(design, "clusters", tmp_path / "emulator")))
    assert np.array_equal(emulator.predict(codes), truth)
    firmware = Alkaid().compile(design, load_target("vu13p-360"), tmp_path / "firmware")
    assert np.array_equal(Alkaid().predict(firmware, codes), truth)
    heads = heads_of(design.outputs)
    for made, inputs in ((codes_model, codes.astype(np.int32)), (features_model, part.x)):
        found = Session(made(design)).run(inputs)
        assert [found[name].shape[1] for _, name in heads] == [3, 3]
        assert np.array_equal(np.concatenate([found[name] for _, name in heads], axis=1), truth)


def test_every_heads_objective_and_weight_is_in_the_key(problem):
    """Planted: the training's key without the weights of heads, or without their quantiles."""
    study, keys = parse_study(STUDY, "clusters.yaml"), []
    for changed in ({}, {"energy_weight": 1.0}, {"quantiles": (0.16, 0.5, 0.842)}):
        other = opened(**changed)
        facts = facts_of(other).model_copy(update={"hash": "a" * 64})
        silent = type("Silent", (type(other),), {"settings": {}, "__module__": type(other).__module__})
        same = silent(other.chosen, other.seed)
        keys.append(training_key(study, CONFIG, 1, facts, same, plugins.load(Family, "mlp"), None))
    assert len(set(keys)) == 3


def test_negative_weights_are_refused_in_one_line(problem, parts):
    train = replace(parts[0], weights=np.where(np.arange(len(parts[0])) < 3, -0.5, 1.0).astype(np.float32))
    with pytest.raises(InputError, match=r"3 of 1200 train events have a weight below 0, down to -0.5: nothing learns"):
        learnable_weights(problem, train)
    none = replace(parts[0], weights=np.zeros(len(parts[0]), np.float32))
    with pytest.raises(InputError, match="are not finite, or all 0"):
        learnable_weights(problem, none)


def test_a_run_whose_task_has_other_outputs_now_is_refused(problem, parts):
    facts = facts_of(problem).model_copy(update={"outputs": ("a", "b")})
    with pytest.raises(InputError, match="this run began with a, b: restore the task"):
        lesson_of(problem, facts, 8, *parts[:2], None)


@pytest.mark.slow
def test_a_study_of_two_heads_is_searched_simulated_and_reported(tmp_path):
    front = run_study(parse_study(STUDY, "clusters.yaml"), tmp_path / "run", progress=Silent())
    (point,) = front.points
    assert point.verified.exact
    assert point.verified.proven == "RTL"
    assert {"accuracy", "pinball"} <= set(point.metrics)
    folder = tmp_path / "run" / "trials" / "0000"
    design = json.loads((folder / "design.json").read_text())
    assert [block["name"] for block in design["outputs"]["blocks"]] == ["kind", "energy"]
    page = write_report(tmp_path / "run", tmp_path / "report.html").read_text()
    assert "energy_84" in page
    assert "Energy of clusters" in page
