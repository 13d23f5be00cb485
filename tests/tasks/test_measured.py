"""A task of its own that says how its metrics are measured: errors, pairs and weights follow, and the suite agrees."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pytest

from codesign import ClassificationProblem, Head, InputError, LossObjective, MeasuredProblem, Sample, Task
from codesign.testing import TaskTests


class Means(MeasuredProblem):
    metrics = {"error": "minimise", "kept": "maximise"}  # noqa: RUF012

    def __init__(self, events, seed):
        self._events, self._seed = events, seed

    @cached_property
    def sample(self):
        x = np.random.default_rng(self._seed).normal(size=(self._events, 3)).astype(np.float32)
        targets = x.sum(axis=1, keepdims=True)
        return Sample(
            features=x, labels=np.zeros(len(x), np.int64), feature_names=("a", "b", "c"), units=("1",) * 3,
            class_names=("one",), targets=targets, target_names=("sum",), target_units=("1",),
        )  # fmt: skip

    def heads(self, sample):
        return (Head("sum", ("sum",), LossObjective("squared")),)

    def target(self, part):
        return {"sum": part.targets}

    def working_points(self, scores, validation):
        return {"cut": float(np.median(scores[:, 0]))}

    def measure(self, scores, part):
        off = np.abs(scores[:, 0] - part.targets[:, 0])
        return lambda weights, points: {
            "error": float(np.average(off, weights=weights)),
            "kept": float(np.average(scores[:, 0] > points["cut"], weights=weights)),
        }

    def baselines(self, train, seed):
        return []

    def plots(self, scores, part, baselines, points):
        return []


class Mean(Task):
    name = "mean"

    def open(self, settings, seed, progress=None):
        if set(settings) - {"events"}:
            raise InputError("it takes events")
        return Means(int(settings.get("events", 600)), seed)


class TestMean(TaskTests):
    @pytest.fixture
    def task(self):
        return Mean()

    @pytest.fixture
    def settings(self):
        return {"events": 600}


def test_errors_and_pairs_are_those_of_the_mean():
    problem = Means(4000, 1)
    part = problem.sample.part("test", TaskTests.splits)
    rng = np.random.default_rng(2)
    one = part.targets.astype(np.float64) + rng.normal(size=(len(part), 1))
    other = one + 0.1
    found = problem.judge(one, part, {"cut": 0.0})
    off = np.abs(one - part.targets)
    assert found["error"].value == pytest.approx(off.mean())
    assert found["error"].error == pytest.approx(off.std() / np.sqrt(len(part)), rel=0.3)
    paired = problem.compare(one, other, part, ({"cut": 0.0}, {"cut": 0.0}))["error"]
    assert paired.error < found["error"].error / 2  # what both share drops out


class Kept(ClassificationProblem):
    """Classes, and one metric more."""

    def __init__(self):
        super().__init__(("a", "b"))
        self.metrics = {"kept": "maximise"} | dict(self.metrics)

    @cached_property
    def sample(self):
        rng = np.random.default_rng(1)
        y = rng.integers(0, 2, 2000)
        x = (y + rng.normal(size=2000)).astype(np.float32)[:, None]
        return Sample(
            features=x, labels=y, feature_names=("x",), units=("1",), class_names=("a", "b"),
            weights=rng.uniform(0.5, 2, 2000).astype(np.float32),
        )  # fmt: skip

    def measure(self, scores, part):
        kept = scores[:, 1] - scores[:, 0] > 0.5
        return lambda weights, points: {"kept": float(np.average(kept, weights=weights))}

    def baselines(self, train, seed):
        return []


def test_a_metric_more_of_classes_has_its_error_and_is_compared():
    problem = Kept()
    part = problem.sample.part("test", TaskTests.splits)
    one = np.column_stack([np.zeros(len(part)), part.features[:, 0]]).astype(np.float64)
    found = problem.judge(one, part, {})
    kept = one[:, 1] > 0.5
    assert found["kept"].value == pytest.approx(np.average(kept, weights=part.weights))
    assert 0.5 < found["kept"].error / np.sqrt(0.25 / len(part)) < 1.5
    assert set(found) <= set(problem.metrics)
    compared = problem.compare(one, one + np.array([0.0, 0.3]), part, ({}, {}))
    assert compared["kept"].value < 0 < compared["kept"].error < found["kept"].error
    assert "auc_mean" in compared
