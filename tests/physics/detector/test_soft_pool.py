"""What can fire is no part of the pool, and no pool is in two splits: each with the fault that it would be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import awkward as ak
import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.data.sample import Sample, Splits
from codesign.physics.detector import load_event_card, soft_pool
from codesign.physics.detector.event_card import PoolChoice
from codesign.physics.detector.event_chunk import POOL_IDS
from codesign.physics.detector.particles import Collision
from codesign.physics.detector.simulate import pool_files
from codesign.physics.detector.smearing import new_grid, wipe
from codesign.physics.detector.soft_pool import GROUPS, HARD_SHARE, SoftPool, drawn_muons, overlay, read_pool

_NONE = np.zeros(1, np.int64), np.zeros(1, np.bool_)


def firing(pool: SoftPool, least: float) -> list[int]:
    """Collisions of a pool in which there is a muon, or an object clearly above ``least``, of noise's size at most."""
    grid, random, found = new_grid(), np.random.default_rng(1), []
    for c in range(len(pool)):
        wipe(*grid)
        overlay(*grid, pool.first, pool.towers, pool.cells, np.array([c]), *_NONE)
        muons = pool.muons[pool.muon_first[c] : pool.muon_first[c + 1]]
        if (muons[:, 4] == 13).any() or soft_pool.hardest_object(grid[0], random) >= least + 2:
            found.append(c)
    return found


@pytest.fixture
def pool(small: Callable[..., str], event_cache: Any, monkeypatch: pytest.MonkeyPatch) -> SoftPool:
    monkeypatch.setenv("CODESIGN_CACHE", str(event_cache))
    return read_pool(pool_files(small("zero-bias")))


def test_nothing_that_fires_repeats(pool: SoftPool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert firing(pool, 10.0) == []
    assert pool.seen[0] == len(pool)
    assert (pool.seen[1:] > 0).all()  # some were taken out
    assert pool.shares.sum() == pytest.approx(1 - HARD_SHARE)
    # the fault: a collision is kept whatever is in it
    monkeypatch.setattr(soft_pool, "hardest_object", lambda cells, random: 0.0)
    card = load_event_card("zero-bias")
    faulty = soft_pool.make_collisions(card.pool(), 0, 150)
    monkeypatch.undo()
    assert firing(faulty, 10.0)


def test_a_decay_is_drawn_anew_at_every_use(pool: SoftPool) -> None:
    """Each pion above 2 GeV decays by its own chance, not in all uses of its collision or in none."""
    random, chosen = np.random.default_rng(2), np.arange(len(pool))
    turns, mirrored = np.zeros(len(pool), np.int64), np.zeros(len(pool), np.bool_)
    uses = [drawn_muons(pool.muon_first, pool.muons, chosen, turns, mirrored, random) for _ in range(400)]
    where = np.concatenate([muons[:, 1] for muons in uses])  # eta tells parents apart
    _, counts = np.unique(where, return_counts=True)
    assert len(counts) > 20
    assert counts.max() < 60


def test_events_say_from_which_group_they_take(simulated: Callable[..., Any]) -> None:
    events = simulated("zero-bias", 60)
    assert ak.to_list(events.Pileup.pool) == [POOL_IDS + i % GROUPS for i in range(60)]
    assert ak.all(events.Pileup.nSoft + events.Pileup.nFresh >= events.Pileup.nPU)
    assert 2 < ak.mean(events.Pileup.nFresh) < 8


def _sample(**more: Any) -> Sample:
    n = 400
    pools = np.arange(n, dtype=np.int64) % GROUPS
    return Sample(
        np.zeros((n, 1), np.float32), np.zeros(n, np.int64), ("x",), ("1",), ("a",),
        collisions=np.arange(n), **({"pools": pools} | more),
    )  # fmt: skip


def shared(sample: Sample, splits: Splits) -> set[int]:
    """Pools that two splits have in common."""
    assert sample.pools is not None
    parts = [set(sample.pools[sample.places(s, splits)].tolist()) for s in ("train", "validation", "test")]
    return {p for i, part in enumerate(parts) for other in parts[:i] for p in part & other if p >= 0}


def test_no_pool_is_in_two_splits(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = _sample()
    for splits in (Splits(0.6, 0.2, 0.2, 1), Splits(0.3, 0.35, 0.35, 7)):
        assert shared(sample, splits) == set()
        sizes = [len(sample.places(s, splits)) / 400 for s in ("train", "validation", "test")]
        assert sizes == pytest.approx([splits.train, splits.validation, splits.test], abs=0.051)
    assert not np.array_equal(
        sample.places("test", Splits(0.6, 0.2, 0.2, 1)), sample.places("test", Splits(0.6, 0.2, 0.2, 2))
    )
    # events without pile-up share nothing, and are split one by one
    alone = _sample(pools=np.full(400, -1, np.int64))
    assert len(alone.places("train", Splits(0.6, 0.2, 0.2, 1))) == 240
    # the fault: a split by collisions alone
    monkeypatch.setattr(Sample, "_inseparable", lambda self: self.collisions)
    assert shared(sample, Splits(0.6, 0.2, 0.2, 1))


def test_a_given_split_that_shares_a_pool_is_refused() -> None:
    splits = Splits(0.6, 0.2, 0.2, 1)
    apart = np.tile(np.repeat([0, 0, 0, 1, 2], 4), 20).astype(np.int8)  # by pool: 12, 4 and 4 of 20
    assert len(_sample(assigned=apart).places("test", splits)) == 80
    for name in ("train", "test"):
        with pytest.raises(InputError, match=f"the {name} split and another share the pool 0 of soft collisions"):
            _sample(assigned=(np.arange(400) // 140).astype(np.int8)).places(name, splits)


def scattering(pt_hat: float) -> Collision:
    one = np.ones(1)
    return Collision(np.array([21], np.int32), np.ones(1, np.int32), one, one, one, 2 * one, 1.0, pt_hat)


def test_bare_scatterings_are_kept_as_hardest_ones_are() -> None:
    """Fewer at small pT than their cross-section has, and some of those kept have another one beside."""
    random, number = np.random.default_rng(5), 40_000
    bare = iter([scattering(10.0 if i % 2 else 28.0) for i in range(number)])
    found = list(soft_pool.fresh_collisions(bare, random))
    joined = np.array([len(c.kind) == 2 for c in found])
    assert joined.mean() == pytest.approx(soft_pool.SECOND, abs=0.01)
    alone = np.array([c.pt_hat for c, two in zip(found, joined, strict=True) if not two])
    kept = (alone == 10.0).sum() / (alone == 28.0).sum()
    assert kept == pytest.approx((1 - soft_pool.TAMED) / (1 - soft_pool.TAMED * (10 / 28) ** 2), abs=0.02)
    # the fault: all are kept
    plain = list(soft_pool.fresh_collisions(iter([scattering(1e6)] * 1000), random))
    assert len(plain) + sum(len(c.kind) == 2 for c in plain) == 1000


def test_cards_of_another_pool(small: Callable[..., str]) -> None:
    card = load_event_card("zero-bias")
    other = load_event_card("zero-bias", pool=PoolChoice(seed=2, collisions=5000))
    assert other.pool().digest() != card.pool().digest()
    assert (other.pile_up.seed, other.pile_up.collisions, other.pile_up.mean) == (2, 5000, card.pile_up.mean)
    assert load_event_card("ttbar", seed=9).pool().digest() == card.pool().digest()
