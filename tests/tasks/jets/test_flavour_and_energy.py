"""The page's study of flavours, energy and its resolution by one network, on jets of a known response."""

import re

import numpy as np
import yaml

from codesign.core.records import SampleFacts
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.teaching import lesson_of
from codesign.pipeline.parts import record, splits_of
from codesign.study.definition import parse_study
from codesign.study.opened_problem import open_problem
from codesign.training.lesson import Budget
from tests.graph.everywhere import exact_codes
from tests.trees import ROOT


def test_one_network_tells_flavours_energy_and_its_resolution(toy_file):
    blocks = re.findall(r"(?ms)^ +```yaml\n(.*?)^ +```", (ROOT / "docs" / "training.md").read_text(encoding="utf-8"))
    (text,) = (block for block in blocks if "name: flavour-and-energy" in block)
    said = yaml.safe_load(text.replace("[nano.root]", f"[{toy_file}]"))
    study = parse_study(yaml.safe_dump(said), "docs/training.md")
    problem, splits = open_problem(study), splits_of(study)
    train, validation, test = (problem.sample.part(name, splits) for name in ("train", "validation", "test"))
    config = MLPConfig(widths=(16,), weight_bits=(7, 7), activation_bits=(7,), input_bits=9, sparsity=0.2)
    facts = SampleFacts.model_validate(record(problem.sample, splits) | {"outputs": problem.outputs(problem.sample)})
    lesson = lesson_of(problem, facts, config.input_width(), train, validation, None)
    design = MLP().pick(MLP().fit(config, lesson, Budget(6, 512, 0.02), 1), config, lesson).design()
    assert len(problem.outputs(problem.sample)) == len(problem.sample.class_names) + 3
    scores = design.outputs.values(exact_codes(design, design.input_quantisation.codes(test.x)))
    found = problem.judge(scores, test, {})
    assert found["auc_mean"].value > 0.55  # gluons have more constituents; other flavours look alike
    plain = problem.judge(np.zeros_like(scores), test, {})
    assert found["closure_mean"].value < 0.5 * plain["closure_mean"].value
    assert found["coverage_error"].value < 0.1
    names = {objective.name for objective in study.objectives} | {bound.name for bound in study.constraints}
    assert names - {"lut"} <= set(problem.metrics)
