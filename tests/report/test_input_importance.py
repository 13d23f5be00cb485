"""Importance of the inputs, on a design whose labels are its own answers."""

from __future__ import annotations

import numpy as np
import pytest
from make_run import CLASSES, FEATURES, STUDY, design

from codesign.data.sample import Part
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.pipeline.importance import input_importance
from codesign.study.definition import Study
from codesign.tasks.tagging.jet_tagging import JetSample, JetTagging, JetTaggingProblem

CONFIG = {"widths": [16], "weight_bits": [6, 6], "activation_bits": [6], "input_bits": 8, "sparsity": 0.0}

PROBLEM = JetTagging().open({"file": "none"}, 1)


def test_an_input_that_never_changes_has_none_and_labels_of_the_design_lose_by_shuffling():
    made = design(CONFIG, 3)
    rng = np.random.default_rng(1)
    low, high = made.inputs.bounds
    codes = rng.integers(low, high, (1000, made.inputs.size), endpoint=True)
    codes[:, 4] = low[4]
    quantisation = made.input_quantisation
    x = (codes * np.array(quantisation.step) + np.array(quantisation.offset)).astype(np.float32)
    scores = read_graph(made.onnx).run(made.inputs.values(quantisation.codes(x)), Exact())
    part = Part("test", x, np.asarray(scores).argmax(1), class_names=CLASSES)

    found = input_importance(Study.model_validate(STUDY), PROBLEM, made, part, {}, seed=1)
    assert found is not None
    assert (found.metric, found.split, found.events) == ("accuracy", "test", 1000)
    assert list(found.inputs) == list(FEATURES)
    constant = found.inputs[FEATURES[4]]
    assert (constant.value, constant.error) == (0, 0)
    # the labels are the design's own answers: every other input loses, beyond its error
    assert all(m.value > 3 * m.error > 0 for name, m in found.inputs.items() if name != FEATURES[4])
    assert found == input_importance(Study.model_validate(STUDY), PROBLEM, made, part, {}, seed=1)


class Choosy(JetTaggingProblem):
    """Judges only where every class is there, as a task may."""

    def judge(self, scores, part, points):
        share = 1.0 / min(part.y.tolist().count(i) for i in range(len(CLASSES)))
        return super().judge(scores, part, points) if share else {}


@pytest.mark.parametrize(("events", "judged"), [(12_000, True), (24, False)])
def test_a_sample_sorted_by_class_reaches_every_piece(events, judged):
    made, rng = design(CONFIG, 3), np.random.default_rng(1)
    y = np.repeat([0, 1, 2, 3, 4], [events - 4 * (events // 12), *[events // 12] * 4])
    part = Part("test", rng.normal(0, 4, (events, made.inputs.size)).astype(np.float32), y, class_names=CLASSES)
    found = input_importance(
        Study.model_validate(STUDY), Choosy(JetSample(file="none"), JetTagging.classes), made, part, {}, seed=1
    )
    assert (found is not None) == judged
    if judged:
        assert abs(found.events - 5000) <= len(CLASSES)
