"""Cards of trigger events: the same events whatever the processes, kept, and read by the reader of CMS's files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.data.files import describe, make_data
from codesign.physics.card import card_data, load_card, makes_events, shipped_cards
from codesign.physics.detector import load_event_card, simulate, simulated_events
from codesign.physics.detector.soft_pool import read_pool
from codesign.physics.events import open_events, read_events
from codesign.physics.events.l1_scales import SCALES, hardware, physical
from tests.physics.detector.conftest import COLLISIONS

COLLECTIONS = {
    "L1Jet": ("pt", "eta", "phi", "hwPt", "hwEta", "hwPhi"),
    "L1EG": ("pt", "hwPt", "hwEta", "hwPhi", "hwIso"),
    "L1Mu": ("pt", "hwPt", "hwEta", "hwPhi", "hwQual", "hwCharge"),
    "L1EtSum": ("pt", "phi", "etSumType", "hwPt", "hwPhi"),
    "HLTJet": ("pt", "eta", "phi", "mass", "rawFactor", "area", "nConstituents", "chHEF", "neHEF", "genJetIdx"),
    "Jet": ("pt", "rawFactor", "area", "nConstituents", "chHEF", "neEmEF", "hadronFlavour", "partonFlavour"),
    "GenJet": ("pt", "eta", "phi", "mass", "hadronFlavour", "partonFlavour"),
    "TrigObj": ("pt", "eta", "phi", "id", "l1pt"),
    "Muon": ("pt", "charge"),
    "Electron": ("pt", "charge"),
    "Photon": ("pt",),
}


def whole(files: list[Path]) -> Any:
    return ak.concatenate(list(read_events(files)))


def assert_same(some: Any, other: Any) -> None:
    assert some.fields == other.fields
    for name in some.fields:
        for field in some[name].fields or [None]:
            a, b = (e[name] if field is None else e[name][field] for e in (some, other))
            assert ak.array_equal(a, b, check_parameters=False), (name, field)


def test_contents(simulated: Callable[..., Any]) -> None:
    """Every collection that the tasks need is there, in range, sorted, and L1's numbers are its integers."""
    events = simulated("ttbar", 120)
    for name, fields in COLLECTIONS.items():
        assert set(fields) <= set(events[name].fields), name
        if name not in ("L1EtSum",):
            assert ak.all(events[name].pt[:, :-1] >= events[name].pt[:, 1:]), name
            assert ak.all(abs(events[name].phi) <= np.pi + 1e-5)
    for name in ("L1Jet", "L1EG", "L1Mu", "L1EtSum"):
        objects, scale = events[name], SCALES[name]
        for field in ("pt", "eta", "phi"):
            if field in objects.fields:
                codes = objects[f"hw{field.capitalize()}"]
                assert ak.all(objects[field] == physical(name, field, codes))
        assert ak.all(objects.hwPt == hardware(name, "pt", objects.pt))
        assert ak.max(objects.hwPt) <= scale.pt_most
    assert set(ak.to_list(ak.flatten(events.L1EtSum.etSumType))) >= {0, 1, 2}
    assert ak.max(ak.num(events.L1Jet)) <= 12
    for name in ("HLTJet", "Jet"):
        jets = events[name]
        assert ak.min(jets.pt) >= 15
        assert ak.all((jets.rawFactor < 1) & (jets.area > 0) & (jets.area < 1.2))
        parts = sum(jets[f] for f in ("chHEF", "neHEF", "chEmEF", "neEmEF", "muEF"))
        assert ak.all(abs(parts - 1) < 1e-5)
        matched = jets[jets.genJetIdx >= 0]
        gen = events.GenJet[matched.genJetIdx]
        turn = (matched.phi - gen.phi + np.pi) % (2 * np.pi) - np.pi
        assert ak.all(np.hypot(matched.eta - gen.eta, turn) < 0.401)
        assert ak.all(matched.hadronFlavour == gen.hadronFlavour)
    assert ak.all(events.Pileup.nPU >= events.PV.npvs - 1)
    # two bottom quarks per event, most of them a jet
    bottom = ak.sum((events.GenJet.hadronFlavour == 5) & (events.GenJet.pt > 20), axis=1)
    assert 1.5 < ak.mean(bottom) < 2.2


@pytest.mark.slow
def test_same_events_whatever_the_processes(
    small: Callable[..., str], event_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes or one, whole or longer: the same events; what is there is not simulated again."""
    monkeypatch.setattr(simulate, "CHUNK_EVENTS", 30)
    card = small("ttbar", 12.0)
    for name in ("one", "two"):
        shutil.copytree(event_cache / "collisions", tmp_path / name / "collisions")
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "one"))
    seen: list[tuple[int, int]] = []
    files = simulated_events(card, 50, workers=2, progress=lambda *d: seen.append(d))
    assert seen[-1] == (50, 50)
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert len(files) == 2
    events = whole(files)
    assert len(set(ak.to_list(events.event))) == 50  # no number twice
    monkeypatch.setattr(simulate, "make_pieces", lambda *a: pytest.fail("was made already"))
    assert simulated_events(card, 50) == files

    monkeypatch.undo()
    monkeypatch.setattr(simulate, "CHUNK_EVENTS", 30)
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "two"))
    longer = whole(simulated_events(card, 60, workers=1))
    assert_same(longer[:50], events)


@pytest.mark.slow  # starting Pythia for soft collisions, and for each part, takes most of a minute
def test_soft_collisions_are_made_anew_and_another_seed_is_another_sample(
    small: Callable[..., str], event_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "CHUNK_EVENTS", 30)
    card = small("ttbar", 12.0)
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "two"))
    events = whole(simulated_events(card, 30, workers=1))
    (made, kept) = (next(folder.rglob(f"soft-*-{COLLISIONS}.npz")) for folder in (tmp_path / "two", event_cache))
    assert made.read_bytes() == kept.read_bytes()
    other = whole(simulated_events(card, 30, seed=2))
    assert not ak.array_equal(other.Jet.pt, events.Jet.pt)


@pytest.mark.parametrize(
    ("card", "kinds"),
    [("a-4l", "leptons"), ("h0-tautau", None), ("hplus-taunu", "missing"), ("leptoquark-btau", "bottom")],
)
def test_signals(card: str, kinds: str | None, simulated: Callable[..., Any]) -> None:
    """Each signal starts in Pythia, and what makes it one is there."""
    events = simulated(card, 40, 0.0)
    assert len(events) == 40
    assert ak.all(events.Pileup.nPU == 0)
    if kinds == "leptons":
        assert ak.mean(ak.num(events.Muon) + ak.num(events.Electron)) > 2
    elif kinds == "missing":
        assert ak.mean(events.GenMET.pt) > 15
    elif kinds == "bottom":
        assert ak.mean(ak.any(events.GenJet.hadronFlavour == 5, axis=1)) > 0.8


def test_cards(tmp_path: Path) -> None:
    events = [name for name in shipped_cards() if makes_events(name)]
    assert set(events) >= {"zero-bias", "qcd-flat", "ttbar", "a-4l", "h0-tautau", "hplus-taunu", "leptoquark-btau"}
    cards = [load_event_card(name) for name in events]
    assert len({c.digest() for c in cards}) == len(cards)
    assert len({c.pool().digest() for c in cards}) == 1  # one pool for all
    assert load_event_card("zero-bias", pile_up=200, seed=3).pile_up.mean == 200
    with pytest.raises(InputError, match="card of trigger events, not of jets"):
        load_card("ttbar")
    with pytest.raises(InputError, match="no 'kind: events'"):
        load_event_card("jets-13tev")
    with pytest.raises(InputError, match="zero-bias"):
        card_data("zero-bas")
    bad = tmp_path / "bad.yaml"
    bad.write_text("{kind: events, name: bad, settings: ['Random:seed = 3']}")
    with pytest.raises(InputError, match="key 'seed'"):
        load_event_card(str(bad))
    bad.write_text("{kind: events, name: bad, pile_up: {mean: -1}}")
    with pytest.raises(InputError, match=r"pile_up\.mean"):
        load_event_card(str(bad))
    for events_wanted, workers in ((0, None), (3, 0)):
        with pytest.raises(InputError):
            simulated_events("zero-bias", events_wanted, workers=workers)


def test_settings_that_pythia_refuses(
    small: Callable[..., str], event_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(event_cache))
    with pytest.raises(InputError, match="does not know the setting 'Top:al = on'"):
        simulated_events(small("ttbar", 0.0, settings=["Top:al = on"]), 3)


@pytest.mark.slow
def test_data_make(small: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path / "cache"))
    card = small("h0-tautau", 0.0, collisions=150)
    for suffix in (".root", ".parquet"):
        made = make_data(card, 12, tmp_path / f"some{suffix}")
        with open_events(made) as file:
            assert file.dialect == "NanoAOD"
        assert len(whole([made])) == 12
        assert describe(made)["events"] == 12
    crowded = whole([make_data(card, 12, tmp_path / "crowded.root", pile_up=60)])
    assert 40 < np.mean(crowded.Pileup.nTrueInt) < 80
    with pytest.raises(InputError, match=r"\.root or \.parquet"):
        make_data(card, 12, tmp_path / "some.csv")


@pytest.mark.slow
def test_pool_is_read_back(small: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A damaged pool is made again, the same."""
    monkeypatch.setenv("CODESIGN_CACHE", str(tmp_path))
    card = small("zero-bias", collisions=100)
    (path,) = simulate.pool_files(card)
    before = path.read_bytes()
    pool = read_pool([path])
    assert len(pool) == 100
    path.write_bytes(before[: len(before) // 2])
    assert simulate.pool_files(card) == [path]
    assert path.read_bytes() == before
