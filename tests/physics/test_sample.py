import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codesign.core.errors import InputError
from codesign.data.sample import Sample, Splits

NAMES = ("train", "validation", "test")


def toy(events, collisions=None, **more):
    x = np.arange(events, dtype=np.float32)[:, None]
    classes = {"labels": np.zeros(events, np.int64), "class_names": ("a", "b", "c")} | more
    return Sample(features=x, feature_names=("x",), units=("1",), collisions=collisions, **classes)


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


def with_b_held_out(events, seed, jets_per_collision):
    """A sample, its labels and collisions, and which events share a collision with one of the class held out."""
    labels = np.random.default_rng(seed).integers(0, 3, events)
    collisions = np.arange(events) // jets_per_collision
    sample = toy(events, collisions, labels=labels, held_out=("b",))
    return sample, labels, collisions, np.isin(collisions, collisions[labels == 1])


@given(st.integers(60, 300), st.integers(0, 100), st.integers(1, 3))
def test_what_is_held_out_is_never_trained_on(events, seed, jets_per_collision):
    sample, labels, collisions, mixed = with_b_held_out(events, seed, jets_per_collision)
    # of three, the first is less than the training split's share; of fewer it may be more, which is refused: below
    assume(len(set(collisions[~mixed])) > 2)
    splits = Splits(0.6, 0.2, 0.2, seed)
    places = {name: sample.places(name, splits) for name in NAMES}
    assert np.array_equal(np.sort(np.concatenate(list(places.values()))), np.arange(events))
    assert 1 not in labels[places["train"]]
    assert not mixed[places["train"]].any()
    shared = [mixed[places[name]].sum() for name in ("validation", "test")]
    assert abs(shared[0] - shared[1]) <= 2 * jets_per_collision
    assert sample.part("test", splits).class_names == ("a", "b", "c")


def test_with_nothing_left_to_train_on_a_sample_is_refused():
    sample, _, collisions, mixed = with_b_held_out(60, 83, 3)
    assert len(set(collisions[~mixed])) == 1
    with pytest.raises(InputError, match="train split is empty"):
        sample.places("train", Splits(0.6, 0.2, 0.2, 83))


def test_a_split_without_classes_held_out_is_as_it_was():
    # run folders of old hold splits made before classes could be held out
    expected = [0, 4, 5, 10, 14, 15, 37, 40, 45, 46]
    assert toy(50).places("test", Splits(0.6, 0.2, 0.2, 5)).tolist() == expected


def test_targets_and_truth_must_fit_the_events():
    x = np.zeros((50, 1), np.float32)
    with pytest.raises(ValueError, match="targets"):
        toy(50, targets=x[:49], target_names=("t",), target_units=("1",))
    with pytest.raises(ValueError, match="truth 'mu'"):
        toy(50, truth={"mu": np.zeros(49)})
    with pytest.raises(ValueError, match="no class of the sample: d"):
        toy(50, held_out=("d",))
    x[7] = np.nan
    with pytest.raises(InputError, match="target 't' of event 7 is not finite"):
        toy(50, targets=x, target_names=("t",), target_units=("1",))
