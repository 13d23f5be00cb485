"""The shipped tasks pass the suite, and one that breaks a promise does not."""

import itertools
import re
from dataclasses import replace
from functools import cached_property

import numpy as np
import pytest
import torch

from codesign.core.records import Metric, Plot, Series
from codesign.core.validation import validate
from codesign.data.sample import Sample
from codesign.data.writers import write_sample
from codesign.physics.events import write_events
from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS
from codesign.tasks.anomalies.anomaly import Anomaly
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.jets.jet_energy import JetEnergy, JetEnergyOffline
from codesign.tasks.jets.jet_sample import FLAVOURS
from codesign.tasks.tagging.jet_tagging import JetSample, JetTagging, JetTaggingProblem
from codesign.testing.task_tests import TaskTests
from tests.tasks.anomaly.toy_level1 import toy_level1
from tests.tasks.jets.toy_events import toy_events
from tests.testing.broken import said

CLASSES = ("g", "q", "w", "z", "t")


@pytest.fixture(scope="module")
def jets(tmp_path_factory):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, 800)
    features = (rng.normal(size=(800, len(FEATURE_NAMES))) + labels[:, None]).astype(np.float32)
    path = tmp_path_factory.mktemp("jets") / "jets.parquet"
    write_sample(Sample(features, labels, FEATURE_NAMES, FEATURE_UNITS, CLASSES), path)
    return path


class TestJetTagging(TaskTests):
    @pytest.fixture
    def task(self):
        return JetTagging()

    @pytest.fixture
    def settings(self, jets):
        return {"file": str(jets)}

    @pytest.mark.slow
    def test_baselines_are_fitted_with_weights(self, task, settings):
        super().test_baselines_are_fitted_with_weights(task, settings)


class TestAnomaly(TaskTests):
    learns_scores = False
    informs = frozenset({"fpr_1e-2"})

    @pytest.mark.slow
    def test_errors_are_those_of_the_events(self, task, settings):
        super().test_errors_are_those_of_the_events(task, settings)

    @pytest.fixture
    def task(self):
        return Anomaly()

    @pytest.fixture(scope="class")
    def settings(self, tmp_path_factory):
        folder = tmp_path_factory.mktemp("level1")
        for name, events in {"zero": toy_level1(6000, 1), "ttbar": toy_level1(200, 2, hard=40.0)}.items():
            write_events(folder / f"{name}.root", events)
        return {"files": [str(folder / "zero.root")], "signal_files": {"ttbar": [str(folder / "ttbar.root")]}}

    @pytest.mark.slow
    def test_baselines_are_fitted_with_weights(self, task, settings):
        super().test_baselines_are_fitted_with_weights(task, settings)


class TestJetEnergy(TaskTests):
    less_noise = frozenset(
        {"closure_mean", "closure_sure", "closure_worst", "balance_mean", *(f"closure_{f}" for f in FLAVOURS)}
    )

    @pytest.fixture(params=[JetEnergy, pytest.param(JetEnergyOffline, marks=pytest.mark.slow)])
    def task(self, request):
        return request.param()

    @pytest.fixture(scope="class")
    def settings(self, tmp_path_factory):
        path = tmp_path_factory.mktemp("toy") / "toy.root"
        write_events(path, toy_events(3000))
        return {"files": [str(path)], "heads": {"correction": 1.0, "quantiles": 0.5, "closure": 1.0}}

    @pytest.mark.slow
    def test_errors_are_those_of_the_events(self, task, settings):
        super().test_errors_are_those_of_the_events(task, settings)

    def renumber(self, part, number):
        return replace(part, collisions=number, truth=part.truth | {"event": number})

    def often(self, part):
        """So few that no bin of the response has enough jets for the one way of counting alone."""
        return np.where(part.collisions % 40 == 3, 2.0, 1.0)

    def repeat(self, part, places):
        """Jets of an event that is there twice are those of two events."""
        again = np.where(np.arange(len(places)) < len(part), 0, 1_000_000)
        taken = part.taken(places)
        return replace(taken, truth=taken.truth | {"event": taken.truth["event"] + again})


class Liar(JetTaggingProblem):
    """Has a baseline that takes no time: what the liars begin from."""

    @classmethod
    def opened(cls, settings):
        return cls(validate(JetSample, settings, "sample"), CLASSES)

    def baselines(self, train, seed):
        return [Middles(train)]


class Middles:
    name = "distance from each class's mean"

    def __init__(self, train):
        weights = np.ones(len(train)) if train.weights is None else train.weights
        each = [(train.features[train.y == c], weights[train.y == c]) for c in range(5)]
        self.means = np.stack([np.average(x, axis=0, weights=w) for x, w in each])

    def __call__(self, part):
        return -np.square(part.features[:, None] - self.means).sum(axis=2).astype(np.float64)


COUNT = itertools.count()


def own(sample, function):
    return (Head("classes", sample.class_names, LossObjective("own", function)),)


class Undeclared(Liar):
    def judge(self, scores, part, points):
        return super().judge(scores, part, points) | {"beauty": Metric(value=1, error=0)}


class Deaf(Liar):
    """Its accuracy does not hear of weights."""

    def judge(self, scores, part, points):
        return super().judge(scores, replace(part, weights=None), points)


class Sure(Liar):
    """Its errors are half as large as they are."""

    def judge(self, scores, part, points):
        found = super().judge(scores, part, points)
        return {name: m.model_copy(update={"error": m.error / 2}) for name, m in found.items()}


class Scaled(Liar):
    """The heavier its events, the better."""

    def judge(self, scores, part, points):
        heavy = 1.0 if part.weights is None else float(part.weights.mean())
        return {"accuracy": Metric(value=0.5 * heavy, error=0.1)}


class Unweighted(Liar):
    """Its baseline is fitted without weights."""

    def baselines(self, train, seed):
        return super().baselines(replace(train, weights=None), seed)


class Endless(Liar):
    def judge(self, scores, part, points):
        return {"accuracy": Metric.model_construct(value=float("nan"), error=0.1)}


class Sorts(Liar):
    """Sorts the scores that it was given."""

    def judge(self, scores, part, points):
        found = super().judge(scores, part, points)
        scores.sort(axis=0)
        return found


class Remembers(Liar):
    """Each judging is a little better."""

    def judge(self, scores, part, points):
        return {"accuracy": Metric(value=next(COUNT) / 1000, error=0.1)}


class Peeks(Liar):
    """Its threshold is from the labels of all events."""

    def working_points(self, scores, validation):
        return {"threshold": float((self.sample.labels * np.arange(len(self.sample))).sum())}


class LastJudged(Liar):
    """Its threshold is from the part that was judged last."""

    last = 0.0

    def working_points(self, scores, validation):
        return {"threshold": self.last}

    def judge(self, scores, part, points):
        self.last = float(scores.sum())
        return super().judge(scores, part, points)


class FitsAll(Liar):
    """Its baseline is fitted on all events."""

    def baselines(self, train, seed):
        return [Middles(replace(train, features=self.sample.features, y=self.sample.labels))]


class Oracle(Liar):
    """Its baseline knows the labels of what it scores."""

    def baselines(self, train, seed):
        class Knows(Middles):
            def __call__(self, part):
                return super().__call__(part) + np.eye(5)[part.y]

        return [Knows(train)]


class Flat(Liar):
    """Its baseline has one score of an event."""

    def baselines(self, train, seed):
        class One(Middles):
            def __call__(self, part):
                return super().__call__(part).max(axis=1)

        return [One(train)]


class Ragged(Liar):
    def plots(self, scores, part, baselines, points):
        ragged = Series.model_construct(label="s", x=[1, 2], y=[1])  # what its own check would refuse
        return [Plot.model_construct(name="p", title="", x_label="", y_label="", series=[ragged])]


class Uphill(Liar):
    """The smaller its loss, the worse."""

    def heads(self, sample):
        return own(sample, lambda outputs, target: torch.nn.functional.cross_entropy(-outputs, target))


class PerEvent(Liar):
    def heads(self, sample):
        return own(sample, lambda outputs, target: torch.nn.functional.cross_entropy(outputs, target, reduction="none"))


class Fewer(Liar):
    def most_events(self):
        return 10


class Lenient(Liar):
    @classmethod
    def opened(cls, settings):
        return super().opened({"file": settings["file"]})


class Rolls(Liar):
    @cached_property
    def sample(self):
        found = super().sample
        return replace(found, features=found.features + np.float32(next(COUNT)))


class Opens(JetTagging):
    """A task whose problem is a liar's."""

    def __init__(self, liar):
        self.liar = liar

    def open(self, settings, seed, progress=None):
        return self.liar.opened(settings)


SAMPLE, JUDGED, ERRORS, PURE, POINTS, FITTED, WEIGHED, HEAVY, PLOTS, LOSS = (
    "its_sample_is_repeatable",
    "what_is_judged_is_what_it_declares",
    "errors_are_those_of_the_events",
    "judging_depends_on_what_it_is_given",
    "working_points_come_from_validation_only",
    "baselines_are_fitted_on_the_training_split",
    "events_count_by_their_weights",
    "baselines_are_fitted_with_weights",
    "its_plots_can_be_drawn",
    "the_loss_falls_to_better_outputs",
)


@pytest.mark.parametrize(
    ("liar", "fails", "words"),
    [
        (Fewer, SAMPLE, "at most 10 events were said, it has 800"),
        (Rolls, SAMPLE, "the same settings and seed give other events"),
        (Lenient, SAMPLE, "takes the setting 'no_such_setting'"),
        (Undeclared, JUDGED, "judges beauty, which it does not declare"),
        (Endless, JUDGED, "accuracy is nan"),
        (Sure, ERRORS, r"says that accuracy is known to 0\.0\d+, and over the events it spreads by 0\.0"),
        (Sorts, PURE, "changes what it is given"),
        (Remembers, PURE, "judged again on validation it has other metrics"),
        (Peeks, POINTS, "labels of the test split enter"),
        (LastJudged, POINTS, "what was judged before enters"),
        (FitsAll, FITTED, "is not of the training split and seed alone"),
        (Oracle, FITTED, "looks at the labels of what it scores"),
        (Flat, FITTED, "has no 200 x 5 finite scores"),
        (Deaf, WEIGHED, "accuracy with events of weight 2 is 0.*, with them twice"),
        (Scaled, WEIGHED, "of events whose weight is always 3 it has other metrics"),
        (Unweighted, HEAVY, "'distance from each class's mean' is fitted without the weights of events"),
        (Ragged, PLOTS, "the plot 'p' is no record of a plot: .*y has 1 points"),
        (Uphill, LOSS, "outputs of a smaller loss have a worse accuracy"),
        (PerEvent, LOSS, "not one finite number"),
    ],
)
def test_a_task_that_breaks_a_promise_is_caught(liar, fails, words, jets):
    task, settings = Opens(liar), {"file": str(jets)}
    found = said(TaskTests, fails, task=task, settings=settings)
    assert re.search(words, found), found


@pytest.mark.parametrize("test", [SAMPLE, JUDGED, ERRORS, PURE, POINTS, FITTED, WEIGHED, HEAVY, PLOTS, LOSS])
def test_what_the_liars_begin_from_is_honest(test, jets):
    task, settings = Opens(Liar), {"file": str(jets)}
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        said(TaskTests, test, task=task, settings=settings)
