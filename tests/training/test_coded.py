"""Inputs as codes, in memory or in a file: the same numbers, and the same network."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from codesign.core import mapped as mapping
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.mapped import chunks, every, forget, mapped, taken
from codesign.families.deepsets.family import DeepSets
from codesign.training.batches import Events
from codesign.training.coded import Coded
from codesign.training.lesson import Budget, Fold, Lesson
from tests.benchmarks.training_memory import measured
from tests.families.items.networks import BASE, items, subject_of


@pytest.fixture
def everything_is_large(monkeypatch):
    monkeypatch.setattr(mapping, "LARGE", 1)
    monkeypatch.setattr(mapping, "_CHUNK", 1000)


def test_an_array_in_a_file_keeps_what_is_written(everything_is_large):
    found = mapped((300, 7), np.float32)
    assert isinstance(found, np.memmap)
    for part in chunks(found):
        found[part] = np.arange(part.start, part.stop)[:, None]
    forget(found)
    assert (found == np.arange(300, dtype=np.float32)[:, None]).all()
    index = np.array([5, 299, 0])
    assert np.array_equal(taken(found, index), found[index])


def test_a_private_map_is_not_forgotten(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(3))
    private = np.load(tmp_path / "x.npy", mmap_mode="c")
    private[1] = 7
    forget(private[:2])
    assert private[1] == 7


def test_every_so_many_rows_leave_no_pages_behind(monkeypatch):
    """Read as they lie, all 64 MB would be in memory: a page comes with its neighbours."""
    monkeypatch.setattr(mapping, "LARGE", 1)
    monkeypatch.setattr(mapping, "_CHUNK", 1 << 20)
    x = mapped((1 << 14, 1 << 10), np.float32)
    for part in chunks(x):
        x[part] = np.arange(part.start, part.stop)[:, None]

    def pages_mb() -> int:
        status = Path("/proc/self/status").read_text()
        return sum(int(status.split(name)[1].split()[0]) for name in ("RssFile:", "RssShmem:")) // 1024

    before = pages_mb()
    found = every(x[:, 16:], 25)
    after = pages_mb()
    assert np.array_equal(found, np.array(x[::25, 16:]))
    assert pages_mb() > before + 40, "planted: the same rows by a stride"
    assert after < before + 8
    assert every(x, 1) is x


LEARNED = BASE | {"precision": "learned", "input_bits": 8, "beta_high": 1e-4}


@pytest.mark.parametrize("of", [BASE, LEARNED], ids=["fixed", "learned"])
def test_codes_train_the_same_network(of, everything_is_large, monkeypatch):
    """Of a network with absent items: all weights are equal, and codes take as few bytes as they may; of them nothing
    asks for all values at once."""
    toy = items(6, True, True, events=300)
    candidate, subject = DeepSets().read(of, "config.json"), subject_of(toy)
    quantisation = InputQuantisation.of_blocks(toy.x, toy.layouts, candidate.input_width())
    coded = Coded.of(quantisation, toy.x)
    assert isinstance(coded.codes, np.memmap)
    assert coded.codes.dtype == np.int8
    values = quantisation.port.values(quantisation.codes(toy.x))
    assert np.array_equal(Fold(coded, {"scores": toy.y}).x, values)
    monkeypatch.setattr(Coded, "values", property(lambda _: pytest.fail("eight bytes a value, of all events")))
    files = []
    for x in (values, coded):
        fold = Fold(x, {"scores": toy.y})
        lesson = Lesson(subject, quantisation, fold, fold)
        files.append(DeepSets().fit(candidate, lesson, Budget(2, 50, 0.02, patience=1), 1))
    assert files[0] == files[1]


def test_what_is_in_memory_of_a_file_is_bounded():
    """Batches by chance between two times that pages are given back: each event brings those around its own."""
    few = Events.of(Coded(np.zeros((10, 1024), np.int8), np.ones(1024)), np.zeros(10, np.int64))
    wide = Events.of(Coded(np.zeros((10, 1 << 20), np.int8), np.ones(1 << 20)), np.zeros(10, np.int64))
    assert few.remembered(1024) == 4
    assert few.remembered(1 << 20) == 1
    assert wide.remembered(32) == 8


def test_of_many_events_some_are_enough_to_standardise(monkeypatch):
    from codesign.core import fixedpoint

    x = np.random.default_rng(0).normal(2, 3, (40000, 1)).astype(np.float32)
    whole = InputQuantisation.fit(x, ("a",), ("1",), 8)
    monkeypatch.setattr(fixedpoint, "_FITTED", 10000)
    part = InputQuantisation.fit(x, ("a",), ("1",), 8)
    assert part.step[0] != whole.step[0]
    assert part.step[0] == pytest.approx(whole.step[0], rel=0.03)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_events():
    """A twentieth of a million jets of 64 x 16, and four times as many: a block of 820 MB in the file."""
    few, many = measured(50_000), measured(200_000)
    assert many["anonymous_mb"] < few["anonymous_mb"] + 80, json.dumps([few, many])
