"""A rate sample in the task: what is learned from tells no rate, and weights reach smaller ones."""

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.statistics.intervals import of_share
from codesign.tasks.anomalies import anomaly
from codesign.tasks.anomalies.anomaly import Anomaly
from codesign.tasks.anomalies.baselines import plain_sums
from codesign.tasks.anomalies.judging import judge, thresholds_of
from codesign.tasks.anomalies.level1_inputs import event_inputs
from codesign.tasks.anomalies.rate_events import RateEvents, with_rate_events
from codesign.tasks.anomalies.rates import RATES, supported, tail_number, threshold_at, told_rates
from tests.benchmarks.anomaly_rates import beside_each_other, judged
from tests.tasks.anomaly.conftest import SPLITS
from tests.tasks.anomaly.toy_level1 import toy_level1


@pytest.fixture(scope="module")
def rate(toy_sample):
    """2,000 events as they come, and 6,000 with a weight that say the same of the rare kind."""
    x = event_inputs(toy_level1(2000, 91)).features
    hard = event_inputs(toy_level1(6000, 92, hard=8.0)).features
    weights = np.concatenate([np.ones(2000), np.full(6000, 0.05)]).astype(np.float32)
    return RateEvents(np.concatenate([x, hard]), np.full(8000, 46, np.float32), weights, {"events": 2000})


def opened(monkeypatch, toy_sample, rate):
    monkeypatch.setattr(anomaly, "sample_of", lambda *_: toy_sample)
    monkeypatch.setattr(anomaly, "rate_events", lambda _: rate)
    problem = Anomaly().open({"rate_sample": "folder"}, 1)
    return problem.completed(problem.sample, SPLITS)


def test_rates_are_of_events_that_nothing_learned_from(monkeypatch, toy_sample, rate):
    sample = opened(monkeypatch, toy_sample, rate)
    own = len(toy_sample)
    train, validation, test = (sample.places(name, SPLITS) for name in ("train", "validation", "test"))
    assert train.tolist() == np.flatnonzero(toy_sample.labels == 0).tolist()
    for name, places in (("validation", validation), ("test", test)):
        usual = places[sample.labels[places] == 0]
        assert (usual >= own).all()
        assert len(usual) == 4000
        before = toy_sample.places(name, SPLITS)
        assert places[sample.labels[places] > 0].tolist() == before[toy_sample.labels[before] > 0].tolist()
    assert sample.provenance["rate_sample"] == {"events": 2000}
    part = sample.part("validation", SPLITS)
    scores = part.features[:, [0]].astype(np.float64)
    points = thresholds_of(scores, part)
    found = judge(scores, sample.part("test", SPLITS), points)
    assert found["fpr_1e-2"].low < 0.01 < found["fpr_1e-2"].high + 2 * found["fpr_1e-2"].error
    assert points["rate"] == min(RATES[n] for n in RATES if f"threshold_{n}" in points)


def test_events_that_were_learned_from_are_refused(toy_sample, rate):
    zero = toy_sample.features[toy_sample.labels == 0][:4000]
    twice = RateEvents(zero, np.zeros(4000, np.float32), None, {})
    with pytest.raises(InputError, match=r"4000 of 9000 zero-bias events that are learned from are in folder, too"):
        with_rate_events(toy_sample, twice, "folder")
    assert with_rate_events(toy_sample, rate, "folder").weights[:9000].tolist() == [1.0] * 9000


def test_a_rate_sample_goes_with_simulated_objects_only():
    for other in ({"files": ["a.root"], "signal_files": {"s": ["b.root"]}}, {"regions": True}):
        with pytest.raises(InputError, match="rate_sample holds simulated Level-1 objects"):
            Anomaly().open({"rate_sample": "folder", **other}, 1)
    with pytest.raises(InputError, match="no rate sample"):
        Anomaly().open({"rate_sample": "nowhere"}, 1).must_read()


def enriched(rng):
    """Scores of 3,000 events of which one in ten is hard, and of 6,000 hard ones, with their weights."""
    hard = rng.random(3000) < 0.1
    scores = np.concatenate([np.where(hard, rng.exponential(3, 3000), rng.random(3000)), rng.exponential(3, 6000)])
    weights = np.where(np.concatenate([hard, np.ones(6000, bool)]), 300 / 6300, 1.0)
    return scores, weights


def test_weighted_events_tell_smaller_rates_and_their_intervals_hold():
    """Of 200 samples the known rate of a fixed threshold lies within one standard deviation in 68 %, roughly."""
    rng = np.random.default_rng(5)
    true = 0.1 * np.exp(-15 / 3)
    inside = []
    for _ in range(200):
        scores, weights = enriched(rng)
        fired = scores >= 15
        found = of_share(float(np.average(fired, weights=weights)), tail_number(fired, weights))
        inside.append(found.low <= true <= found.high)
    assert 0.58 < np.mean(inside) < 0.85
    scores, weights = enriched(rng)
    assert supported(3000) == ["1e-2"]
    assert told_rates(scores, weights) == ["1e-2", "1e-3"]
    assert told_rates(scores[:3000]) == ["1e-2"]
    assert tail_number(scores >= 15, weights) == pytest.approx(3000 * 21, rel=0.02)
    cut = threshold_at(scores, 1e-3, weights).value
    assert np.average(scores >= cut, weights=weights) <= 1e-3
    # who forgets the weights is far off
    assert np.mean(scores >= 15) > 5 * true


def test_beats_is_said_by_the_program_from_pairs(toy_parts):
    """A method beside itself equals it, beside a blind one it beats; thresholds are in the error."""
    _, validation, test = toy_parts
    rng = np.random.default_rng(3)
    scores = {name: plain_sums(part.features)["all_muons"] for name, part in (("v", validation), ("t", test))}
    blind = {name: rng.random(len(part)) for name, part in (("v", validation), ("t", test))}
    found = {}
    for name, of in (("sum", scores), ("same", scores), ("blind", blind)):
        found[name], metrics, told = judged(of["v"], validation, of["t"], test, ["1e-2", "1e-3"])
        assert told == ["1e-2"]
        assert metrics["tpr_mean_1e-2"].error > 0
    pairs = {
        (row["one"], row["other"]): row["difference"]["tpr_mean_1e-2"]
        for row in beside_each_other(found, ["tpr_mean_1e-2"])
    }
    assert pairs["sum", "same"] == {"value": 0, "error": 0, "better": 0.5, "reading": "equals"}
    assert pairs["sum", "blind"]["reading"] == "beats"
    assert len(pairs) == 3
