"""One-to-one matching, against a plain loop and on CMS's file; the resolutions quoted with that file."""

from __future__ import annotations

import math

import awkward as ak
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.physics.events import read_events
from codesign.physics.events.matching import match, match_truth

POINT = st.tuples(st.floats(-1, 1), st.floats(-4, 4))
EVENTS = st.lists(st.tuples(st.lists(POINT, max_size=6), st.lists(POINT, max_size=6)), min_size=1, max_size=4)


def objects(lists):
    counts = [len(points) for points in lists]
    flat = np.array([p for points in lists for p in points], dtype=float).reshape(-1, 2)
    return ak.unflatten(ak.Array({"eta": flat[:, 0], "phi": flat[:, 1]}), counts)


def distance(a, b) -> float:
    return math.hypot(a[0] - b[0], math.remainder(a[1] - b[1], 2 * math.pi))


@settings(max_examples=100, deadline=None)
@given(EVENTS)
def test_greedy_and_one_to_one(events) -> None:
    found = match(objects([a for a, _ in events]), objects([b for _, b in events]), 0.5).to_list()
    nearest = match(objects([a for a, _ in events]), objects([b for _, b in events]), 0.5, once=False).to_list()
    for (first, second), places, near in zip(events, found, nearest, strict=True):
        taken = [p for p in places if p >= 0]
        assert len(set(taken)) == len(taken)
        for i, place in enumerate(places):
            for j, b in enumerate(second):
                if distance(first[i], b) < 0.499:
                    # a near pair that is not a match is left because one of the two has a partner at least as near
                    mine = place >= 0 and distance(first[i], second[place]) <= distance(first[i], b) + 1e-9
                    its = any(
                        p == j and distance(first[k], b) <= distance(first[i], b) + 1e-9 for k, p in enumerate(places)
                    )
                    assert mine or its
            if place >= 0:
                assert distance(first[i], second[place]) < 0.501
            if near[i] >= 0:
                assert all(distance(first[i], second[near[i]]) <= distance(first[i], b) + 1e-9 for b in second)


def width(ratio) -> tuple[float, int]:
    """Half the interval that holds the central 68 %, and of how many jets."""
    values = np.asarray(ak.flatten(ratio), dtype=float)
    low, high = np.percentile(values, [16, 84])
    return (high - low) / 2, len(values)


def test_cms_jets(published_data, record_property) -> None:
    path = published_data("cms_nanoaod/nano_tt_v15.root")
    events = next(read_events(path, ["Jet.*", "GenJet", "TrigObj"]))
    hlt = events.TrigObj[events.TrigObj.id == 1]
    places = match(hlt, events.Jet, 0.2, once=False)
    assert ak.sum(places >= 0) == 1904  # two kinds of trigger jet for most offline ones
    assert sum(len(set(p) - {-1}) for p in places.to_list()) == 973
    once = match(hlt, events.Jet, 0.2)
    assert ak.sum(once >= 0) == 973

    def in_range(gen):
        return (gen.pt > 60) & (gen.pt < 120)

    trigger, offline = match_truth(hlt, events.Jet, 0.2, once=False)
    known = offline.genJetIdx >= 0
    trigger, offline = trigger[known], offline[known]
    gen = events.GenJet[offline.genJetIdx]
    found = {
        "L1": width((trigger.l1pt / gen.pt)[in_range(gen) & (trigger.l1pt > 0)]),
        "HLT": width((trigger.pt / gen.pt)[in_range(gen)]),
        "offline": width((offline.pt / gen.pt)[in_range(gen)]),
    }
    for tier, published in (("L1", 0.22), ("HLT", 0.16), ("offline", 0.135)):
        record_property(f"resolution, {tier}", float(found[tier][0]))
        print(f"{tier}: {found[tier][0]:.4f} of {found[tier][1]} pairs")
        assert abs(found[tier][0] - published) < 0.005
    # our own matching of offline to generated jets is CMS's, but for a few jets
    own = match(events.Jet, events.GenJet, 0.2)
    agree = ak.sum((own == events.Jet.genJetIdx) & (own >= 0)) / ak.sum(own >= 0)
    assert agree > 0.98
