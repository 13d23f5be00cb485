from dataclasses import replace

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.core.layout import BlockValues
from codesign.core.runfolder import RunFolder
from codesign.data.sample import Sample
from codesign.physics.substructure import CONSTITUENTS
from codesign.pipeline.parts import PARTS, load_part, load_sample, part_path, record, splits_of, write_part


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(101, 3)).astype(np.float32)
    return Sample(
        x,
        rng.integers(0, 2, 101),
        ("a", "b", "c"),
        ("", "", ""),
        ("no", "yes"),
        (BlockValues(CONSTITUENTS, rng.normal(size=(101, 32, 3))),),
        targets=rng.normal(size=(101, 2)).astype(np.float32),
        target_names=("correction", "width"),
        target_units=("1", "GeV"),
        truth={"pileup": rng.poisson(46, 101), "pt": rng.exponential(50, 101)},
        held_out=("yes",),
    )


@pytest.fixture
def run(tmp_path, sample, study):
    run = RunFolder(tmp_path)
    for name in PARTS:
        write_part(run, sample, splits_of(study), name)
    run.write("sample.json", record(sample, splits_of(study)))
    return run


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_what_the_sample_says(run, sample, study, name):
    there, read = sample.part(name, splits_of(study)), load_part(run, name)
    assert np.array_equal(there.x, read.x)
    assert np.array_equal(there.y, read.y)
    assert np.array_equal(there.targets, read.targets)
    assert there.truth.keys() == read.truth.keys() == {"pileup", "pt"}
    assert all(np.array_equal(there.truth[key], read.truth[key]) for key in there.truth)
    assert there.class_names == read.class_names == ("no", "yes")
    assert read.x.dtype == np.float32


def test_pools_come_back_and_split_as_before(tmp_path, sample, study):
    pooled = replace(sample, pools=np.arange(101) % 20, held_out=())
    run = RunFolder(tmp_path)
    for name in PARTS:
        write_part(run, pooled, splits_of(study), name)
    run.write("sample.json", record(pooled, splits_of(study)))
    back = load_sample(run)
    assert np.array_equal(back.pools, pooled.pools)
    assert record(back, splits_of(study)) == record(pooled, splits_of(study))
    assert record(replace(pooled, pools=None), splits_of(study))["hash"] != record(back, splits_of(study))["hash"]
    for name in PARTS:
        assert np.array_equal(back.places(name, splits_of(study)), pooled.places(name, splits_of(study)))


def test_the_sample_comes_back_with_the_same_split_and_hash(run, sample, study):
    back, splits = load_sample(run), splits_of(study)
    assert np.array_equal(back.features, sample.features)
    assert np.array_equal(back.constituents, sample.constituents)
    assert np.array_equal(back.targets, sample.targets)
    assert (back.target_names, back.target_units, back.held_out) == (("correction", "width"), ("1", "GeV"), ("yes",))
    assert np.array_equal(back.truth["pt"], sample.truth["pt"])
    assert np.array_equal(back.part("test", splits).x, sample.part("test", splits).x)
    assert record(back, splits)["hash"] == record(sample, splits)["hash"]


def test_one_changed_value_changes_the_hash(sample, study):
    before = record(sample, splits_of(study))["hash"]
    for array in (sample.features, sample.targets, sample.constituents, sample.truth["pt"]):
        array.flat[3] += 1
        assert record(sample, splits_of(study))["hash"] != before
        array.flat[3] -= 1
    assert record(replace(sample, held_out=()), splits_of(study))["hash"] != before


def test_a_part_that_is_no_array_file_is_refused(run):
    part_path(run, "train").write_bytes(b"\x80\x04no")
    with pytest.raises(InputError, match=r"train\.npz"):
        load_part(run, "train")
