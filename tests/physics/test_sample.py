import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.errors import InputError
from codesign.physics.sample import Sample, Splits

NAMES = ("train", "validation", "test")


def toy(events, collisions=None):
    x = np.arange(events, dtype=np.float32)[:, None]
    return Sample(x, np.zeros(events, np.int64), ("x",), ("1",), ("a",), collisions=collisions)


@given(st.integers(50, 400), st.integers(0, 100), st.integers(1, 5))
def test_splits_are_disjoint_whole_and_keep_collisions_together(events, seed, jets_per_collision):
    collisions = np.arange(events) // jets_per_collision * 7
    sample, splits = toy(events, collisions), Splits(0.6, 0.2, 0.2, seed)
    places = {name: sample.places(name, splits) for name in NAMES}
    assert np.array_equal(np.sort(np.concatenate(list(places.values()))), np.arange(events))
    for name, others in (("train", ("validation", "test")), ("validation", ("test",))):
        for other in others:
            assert not set(collisions[places[name]]) & set(collisions[places[other]])
    assert abs(len(places["train"]) - 0.6 * events) <= jets_per_collision


def test_same_seed_same_split():
    sample = toy(300)
    first, again, other = (sample.places("test", Splits(0.6, 0.2, 0.2, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_shares_that_are_none_are_refused():
    with pytest.raises(InputError, match="add up to 1"):
        toy(100).part("train", Splits(0.6, 0.2, 0.1, 0))
    with pytest.raises(InputError, match="validation split is empty"):
        toy(2).part("validation", Splits(0.6, 0.2, 0.2, 0))
