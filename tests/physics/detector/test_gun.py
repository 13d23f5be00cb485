"""Particles of one's own through the detector: what each kind leaves, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from codesign import InputError, SeenTowers, towers_of

KINDS = {"photon": 22, "pion": 211, "kaon": 130, "muon": 13}


def seen(code: int, pt: float = 30, seed: int = 1, events: int = 300) -> SeenTowers:
    ones = np.ones(events)
    return towers_of(np.arange(events), np.full(events, code), pt * ones, 0.4 * ones, 1.0 * ones, seed)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_leaves_what_it_should(kind):
    found = seen(KINDS[kind])
    em, had, tracks = (values.sum() / 300 for values in (found.em, found.had, found.tracks))
    if kind == "photon":
        assert em == pytest.approx(30, rel=0.01)
        assert had == tracks == 0
    elif kind == "muon":
        assert em == had == 0
        assert tracks == pytest.approx(30, rel=0.01)
        assert found.charged.sum() == 0
    else:
        assert em + had == pytest.approx(29, rel=0.1)
        assert had > em > 0
        assert (tracks > 20) == (kind == "pion")
        assert (found.charged.sum() > 250) == (kind == "pion")


def test_a_track_points_elsewhere_than_its_shower():
    found = seen(211, pt=5)
    shower, track = found.em + found.had > 0.5, found.tracks > 1
    assert shower.sum() > 200
    assert track.sum() > 200
    assert np.abs(found.phi[track] - 1.0).max() < 0.06
    bend = 1.29 * 0.3 * 3.8 / 2 / 5  # rad, of a positive particle, to smaller phi
    assert np.abs(found.phi[shower] - (1.0 - bend)).max() < 0.06


def test_the_same_seed_gives_the_same_and_events_stay_apart():
    one, again, other = seen(211), seen(211), seen(211, seed=2)
    assert all(np.array_equal(getattr(one, f.name), getattr(again, f.name)) for f in dataclasses.fields(one))
    assert not np.array_equal(one.had, other.had)
    assert set(one.event.tolist()) == set(range(300))
    empty = towers_of(*(np.empty(0) for _ in range(5)), seed=1)
    assert all(len(getattr(empty, f.name)) == 0 for f in dataclasses.fields(empty))


def test_what_is_no_list_of_particles_is_refused():
    good = [np.arange(3), np.full(3, 22), np.ones(3), np.zeros(3), np.zeros(3)]
    for place, bad, words in (
        (0, np.array([1, 0, 2]), "must not fall"),
        (2, np.array([1.0, np.nan, 1.0]), "finite"),
        (2, np.array([1.0, -1.0, 1.0]), "at least 0"),
        (3, np.zeros(2), "equally long"),
    ):
        given = list(good)
        given[place] = bad
        with pytest.raises(InputError, match=words):
            towers_of(*given, seed=1)
