"""Working points are fixed on the validation split, and only there."""

import numpy as np
import pytest

from codesign.core.records import Metric
from codesign.data.sample import Part
from codesign.tasks.base import Problem, Task, working_points
from codesign.tasks.heads import Head, LossObjective


class Plain(Problem):
    def __init__(self):
        self.metrics = {"mean": "maximise"}

    @property
    def sample(self):
        raise AssertionError

    def heads(self, sample):
        return (Head("y", ("y",), LossObjective("squared")),)

    def target(self, part):
        return {"y": part.y}

    def judge(self, scores, part, points):
        return {"mean": Metric(value=float(scores.mean()), error=0)}

    def baselines(self, train, seed):
        return []

    def plots(self, scores, part, baselines, points):
        return sorted(baselines)


class Opens(Task):
    name = "plain"

    def open(self, settings, seed, progress=None):
        return Plain()


class AtThreshold(Plain):
    def working_points(self, scores, validation):
        return {"threshold": float(np.median(scores))}

    def judge(self, scores, part, points):
        return {"rate": Metric(value=float((scores > points["threshold"]).mean()), error=0)}


def part(name):
    return Part(name, np.zeros((4, 1), np.float32), np.zeros(4, np.int64))


def test_a_task_without_working_points_has_none():
    scores = np.arange(4.0)[:, None]
    assert working_points(Plain(), scores, part("validation")) == {}
    assert Plain().outcome(scores, part("test"), {}) is None
    same = Plain().compare(scores, scores, part("test"), ({}, {}))["mean"]
    assert (same.value, same.error, same.better) == (0, 0, 0.5)
    assert Opens().open({}, 1).most_events() is None
    assert Opens().collections == ()


def test_a_threshold_of_the_validation_split_is_applied_to_test():
    scores = np.arange(4.0)[:, None]
    points = working_points(AtThreshold(), scores, part("validation"))
    assert points == {"threshold": 1.5}
    assert AtThreshold().judge(scores - 1, part("test"), points)["rate"].value == 0.25
    with pytest.raises(ValueError, match="fixed on the validation split, not on test"):
        working_points(AtThreshold(), scores, part("test"))
