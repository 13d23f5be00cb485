"""The paired comparison against the spread that independent samples show, and against a difference known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.core.records import Metric
from codesign.data.sample import Part
from codesign.pipeline.paired import GROUPS, pair
from codesign.tasks import metrics
from codesign.tasks.tagging.jet_tagging import ClassificationProblem

CLASSES = ("a", "b")


class Problem(ClassificationProblem):
    """Two classes; there is nothing to fit."""

    sample = None

    def judge(self, scores, part, points):
        return {
            "accuracy": metrics.accuracy(scores, part.y),
            "auc_mean": metrics.auc_with_error(scores, part.y, CLASSES)["auc_mean"],
        }

    def baselines(self, train, seed):
        return []


def draw(rng, events=1000):
    """Labels, and the scores of two methods that agree on most events."""
    y = rng.integers(0, 2, events)
    shared = y + rng.normal(0, 0.8, events)
    one, other = (shared + rng.normal(0, width, events) for width in (0.2, 0.4))
    part = Part("test", np.zeros((events, 1), np.float32), y, class_names=CLASSES)
    return part, *(np.stack([0.5 - s, s - 0.5], axis=1) for s in (one, other))


def compare(part, one, other, **more):
    return pair(Problem(CLASSES), one, {}, {"other": (other, more)}, part, "hash")


def test_the_error_is_the_spread_over_independent_samples():
    rng = np.random.default_rng(5)
    found = [compare(*draw(rng)).baselines[0].differences for _ in range(60)]
    for name in ("accuracy", "auc_mean"):
        spread = np.std([f[name].value for f in found], ddof=1)
        stated = np.sqrt(np.mean([f[name].error ** 2 for f in found]))
        assert stated / spread == pytest.approx(1, abs=0.3)  # 60 samples tell a spread to 9 %
    # paired: smaller than the two errors together
    alone = Problem(CLASSES).judge(draw(rng)[1], draw(rng)[0], {})["accuracy"].error
    assert np.mean([f["accuracy"].error for f in found]) < alone


def test_a_method_is_not_told_apart_from_itself():
    part, one, _ = draw(np.random.default_rng(1))
    found = compare(part, one, one)
    assert found.baselines[0].differences["accuracy"] == Metric(value=0, error=0)
    assert (found.events, found.sample, found.directions["accuracy"]) == (1000, "hash", "maximise")
    assert {len(values) for values in found.left_out.values()} == {GROUPS}


def test_events_of_one_collision_stay_together():
    """Every event three times over: as one event each, the error would be too small by the root of three."""
    thrice, rng = np.repeat(np.arange(500), 3), np.random.default_rng(2)
    single, together, apart = [], [], []
    for _ in range(10):
        part, one, other = draw(rng, 500)
        copied = part.taken(thrice)
        grouped = Part("test", copied.features, copied.y, class_names=CLASSES, collisions=thrice)
        for errors, some, index in ((single, part, slice(None)), (together, grouped, thrice), (apart, copied, thrice)):
            errors.append(compare(some, one[index], other[index]).baselines[0].differences["accuracy"].error)
    assert np.mean(together) == pytest.approx(np.mean(single), rel=0.2)
    assert np.mean(apart) < 0.75 * np.mean(single)


def test_a_split_that_is_too_small_is_not_compared():
    assert compare(*draw(np.random.default_rng(1), 40)) is None
