"""What single tiers see: the calorimeter's regions and the correlator's jets, of the same events as the trigger's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.physics.detector import load_event_card
from codesign.physics.detector.cone_pieces import CLASSES, FIELDS, make_cones
from codesign.physics.detector.correlator import Candidates, seeded_jets
from codesign.physics.detector.event_chunk import crossings, see_level1, see_truth
from codesign.physics.detector.level1_codes import LEVEL1, make_level1
from codesign.physics.detector.regions import make_regions, regions_of
from codesign.physics.detector.soft_pool import read_pool
from codesign.physics.detector.tiers import joined, tier_pieces


@pytest.mark.slow
def test_regions_are_those_of_the_very_events(
    simulated: Callable[..., Any], small: Callable[..., str], event_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their sum is the Level-1 trigger's total transverse energy, event by event, as the event file has it."""
    monkeypatch.setenv("CODESIGN_CACHE", str(event_cache))
    events = simulated("ttbar", 120)
    card = load_event_card(small("ttbar"))
    pools = [p for p in event_cache.rglob("soft-*.npz") if p.stem.endswith("300")]
    total = events.L1EtSum.pt[events.L1EtSum.etSumType == 0]
    for place, crossing in enumerate(crossings(card, 0, 12, read_pool(pools))):
        see_truth(crossing)
        towers = see_level1(crossing)
        regions = regions_of(towers)
        assert regions.shape == (18, 14)
        saturated = np.minimum(towers[0] + towers[1], 511)[12:68].sum()
        assert 0.5 * saturated == pytest.approx(float(total[place][0]), abs=0.26)
        if regions.max() < 1023 and towers.max() < 511:
            assert regions.sum() == saturated
    seen, alone = (make(card, 0, 12, read_pool(pools)) for make in (make_regions, make_level1))
    assert np.array_equal(seen["regions"][11], regions)
    assert all(np.array_equal(seen[name], alone[name]) for name in LEVEL1)


def test_a_region_is_four_by_four_towers_and_saturates() -> None:
    towers = np.zeros((2, 80, 72), np.int32)
    towers[0, 12, 0], towers[1, 15, 3], towers[0, 67, 71] = 3, 4, 5
    towers[0, 11, 0], towers[1, 68, 0] = 100, 100  # beyond |eta| = 3
    towers[:, 20:24, 8:12] = 511
    regions = regions_of(towers)
    assert (regions[0, 0], regions[17, 13], regions[2, 2]) == (7, 5, 1023)
    assert regions.sum() == 7 + 5 + 1023


def test_seeded_cones_take_every_candidate_once_from_the_hardest_outwards() -> None:
    eta, phi = np.array([0.0, 0.3, 0.39, 1.0, 0.1, -2.0]), np.array([3.1, -3.1, 3.1, 0.0, 2.9, 0.0])
    pt = np.array([50.0, 20.0, 5.0, 18.0, 30.0, 2.0])
    nothing = np.zeros(6)
    found = Candidates(pt, eta, phi, np.zeros(6, np.int64), nothing, nothing, nothing)
    first, second = seeded_jets(found)
    assert first.members.tolist() == [0, 4, 1, 2]  # across phi = pi, the hardest first; none below 15 GeV
    assert first.pt == 105
    assert first.eta == pytest.approx((0.3 * 20 + 0.39 * 5 + 0.1 * 30) / 105)
    assert -np.pi <= first.phi < np.pi
    assert (second.members.tolist(), second.pt) == ([3], 18)


@pytest.fixture(scope="module")
def cones(small: Callable[..., str], event_cache: Path) -> SimpleNamespace:
    card = load_event_card(small("ttbar", mean=0.0))
    pools = [p for p in event_cache.rglob("soft-*.npz") if p.stem.endswith("100")]
    return SimpleNamespace(**make_cones(card, 0, 60, read_pool(pools)), card=card, pools=pools)


@pytest.mark.slow
def test_jets_of_the_correlator_are_what_they_say(cones: Any) -> None:
    """Candidates by falling pT that add up to the jet, one kind each, zeros where there is none; b jets among top pairs
    with tracks from far away; and a pT that is measured to a third."""
    items = {name: cones.items[..., place] for place, name in enumerate(FIELDS)}
    there = items["is_filled"] == 1
    kinds = [name for name in FIELDS if name.startswith("is_") and name != "is_filled"]
    assert len(kinds) == 8
    assert (sum(items[name] for name in kinds) == there).all()
    assert (np.diff(items["pt"], axis=1) <= 0).all()
    assert not cones.items[~there].any()
    few = cones.number <= 16
    assert items["pt"].sum(axis=1)[few] == pytest.approx(cones.raw_pt[few], rel=1e-5)
    assert (np.hypot(items["deta"], items["dphi"])[there] < 0.81).all()
    assert {"b", "uds"} <= {CLASSES[k] for k in np.unique(getattr(cones, "class"))}
    spread = np.std(np.log(cones.reference_pt / cones.raw_pt))
    assert 0.05 < spread < 0.6
    far = np.sort(np.abs(items["dxy"]), axis=1)[:, -2]
    bottom = getattr(cones, "class") == CLASSES.index("b")
    assert np.median(far[bottom]) > 1.3 * np.median(far[getattr(cones, "class") == CLASSES.index("uds")])


@pytest.mark.slow
def test_pieces_are_the_same_again_and_kept(
    small: Callable[..., str], event_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(event_cache))
    card = small("ttbar", mean=0.0)
    with pytest.raises(InputError, match="at least 1, not 0"):
        tier_pieces("cones", card, 0)
    made = tier_pieces("cones", card, 5, workers=1)
    (path,) = (p for p in (event_cache / "cones-1").rglob("*-5.npz"))
    before = path.stat().st_mtime_ns
    again = tier_pieces("cones", card, 5)
    assert path.stat().st_mtime_ns == before
    assert np.array_equal(joined(made, "items"), joined(again, "items"))
    path.write_bytes(path.read_bytes()[:1000])  # damaged: made again, the same
    assert np.array_equal(joined(tier_pieces("cones", card, 5, workers=1), "items"), joined(made, "items"))
