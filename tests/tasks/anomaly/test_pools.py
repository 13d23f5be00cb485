"""Events that are put behind a sample of pools of soft collisions: no split shares a pool with another, as before."""

from dataclasses import replace

import numpy as np
import pytest

from codesign.tasks.anomalies import anomaly
from codesign.tasks.anomalies.anomaly import Anomaly
from codesign.tasks.anomalies.level1_inputs import event_inputs
from codesign.tasks.anomalies.rate_events import RateEvents
from tests.tasks.anomaly.conftest import SPLITS
from tests.tasks.anomaly.toy_level1 import toy_level1

PARTS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def pooled(toy_sample):
    """The toys in 20 pools of each class, as simulated events are."""
    pools = np.empty(len(toy_sample), np.int64)
    for label in np.unique(toy_sample.labels):
        own = np.flatnonzero(toy_sample.labels == label)
        pools[own] = 1000 * label + np.arange(len(own)) * 20 // len(own)
    return replace(toy_sample, pools=pools)


def completed(monkeypatch, pooled, **settings):
    monkeypatch.setattr(anomaly, "sample_of", lambda *_: pooled)
    problem = Anomaly().open(settings, 1)
    return problem.completed(problem.sample, SPLITS)


def pools_of(sample, name):
    found = sample.pools[sample.places(name, SPLITS)]
    return set(found[found >= 0].tolist())


def test_events_of_a_rate_sample_leave_the_signals_where_they_were(monkeypatch, pooled):
    x = event_inputs(toy_level1(2000, 91)).features
    rate = RateEvents(x, np.full(2000, 46, np.float32), None, {})
    monkeypatch.setattr(anomaly, "rate_events", lambda _: rate)
    whole = completed(monkeypatch, pooled, rate_sample="folder")
    assert (whole.pools[len(pooled) :] == -1).all()
    for name in PARTS[1:]:
        places, before = whole.places(name, SPLITS), pooled.places(name, SPLITS)
        assert places[whole.labels[places] > 0].tolist() == before[pooled.labels[before] > 0].tolist()
        assert np.count_nonzero(whole.labels[places] == 0) == 1000
    found = [pools_of(whole, name) for name in PARTS]
    assert all(found)
    assert sum(map(len, found)) == len(set.union(*found))


def test_synthetic_anomalies_are_of_the_pools_of_their_split(monkeypatch, pooled):
    whole = completed(monkeypatch, pooled, signal=600, selection=["synthetic"])
    own = len(pooled)
    assert len(whole) > own
    for name in PARTS:
        places = whole.places(name, SPLITS)
        assert places[places < own].tolist() == pooled.places(name, SPLITS).tolist()
        made = set(whole.pools[places[places >= own]].tolist())
        assert made <= pools_of(pooled, name)
        assert bool(made) == (name != "train")
