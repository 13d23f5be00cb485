"""Working points are fixed on the validation split, and only there."""

import numpy as np
import pytest

from codesign.physics.sample import Part
from codesign.records import Metric
from codesign.tasks.judging import drawn, fixed, judged


class Plain:
    def judge(self, scores, part):
        return {"mean": Metric(value=float(scores.mean()), error=0)}

    def plots(self, scores, part, baselines=None):
        return sorted(baselines)


class AtThreshold:
    def working_points(self, scores, validation):
        return {"threshold": float(np.median(scores))}

    def judge(self, scores, part, points):
        return {"rate": Metric(value=float((scores > points["threshold"]).mean()), error=0)}

    def plots(self, scores, part, baselines=None, points=None):
        return [points["threshold"]]


def part(name):
    return Part(name, np.zeros((4, 1), np.float32), np.zeros(4, np.int64))


def test_a_task_without_working_points_is_asked_for_none():
    scores = np.arange(4.0)[:, None]
    assert fixed(Plain(), scores, part("validation")) == {}
    assert judged(Plain(), scores, part("test"), {})["mean"].value == 1.5
    assert drawn(Plain(), scores, part("test"), {}, {"b": scores, "a": scores}) == ["a", "b"]


def test_a_threshold_of_the_validation_split_is_applied_to_test():
    scores = np.arange(4.0)[:, None]
    points = fixed(AtThreshold(), scores, part("validation"))
    assert points == {"threshold": 1.5}
    assert judged(AtThreshold(), scores - 1, part("test"), points)["rate"].value == 0.25
    assert drawn(AtThreshold(), scores, part("test"), points, {}) == [1.5]
    with pytest.raises(ValueError, match="fixed on the validation split, not on test"):
        fixed(AtThreshold(), scores, part("test"))
