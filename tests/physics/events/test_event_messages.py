"""What readers say of files that are not what a task needs, each in one line that names what to do; and test vectors of
the global trigger, which are events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from codesign.cli.jets import jet_response
from codesign.core.errors import InputError
from codesign.data.files import describe
from codesign.physics.events import open_events, read_events
from codesign.physics.events.l1_scales import L1_SUMS, SCALES
from codesign.physics.events.ugt_vectors import UgtCrossing, ugt_vectors
from codesign.tasks.anomalies.level1_inputs import COLLECTIONS, FEATURES, event_inputs
from codesign.tasks.jets.jet_energy import JetEnergy, JetEnergyOffline
from tests.physics.events.toy import write_tree


def said(problem: Any) -> str:
    with pytest.raises(InputError) as error:
        _ = problem.sample
    text = str(error.value)
    assert "\n" not in text
    return text


def lists(*values: float) -> ak.Array:
    return ak.Array([[np.float32(v) for v in values]] * 3)


@pytest.fixture
def scouting(tmp_path: Path) -> Path:
    path = tmp_path / "scouting.root"
    own = {f"ScoutingPFJet_{n}": lists(40, 30) for n in ("pt", "m", "jetArea")}
    own |= {f"ScoutingPFJet_{n}": lists(0.1, 0.2) for n in ("eta", "phi")}
    write_tree(path, "Events", own)
    return path


def test_scouting_has_jets_of_the_trigger(scouting: Path) -> None:
    text = said(JetEnergyOffline().open({"files": [str(scouting)]}, 1))
    assert text.startswith(f"{scouting}: branch 'Jet_pt' is missing")
    assert "the file has HLTJet (a scouting file's jets are the trigger's own): choose the task or collection" in text
    with pytest.raises(InputError, match=r"branch 'Jet' is missing.*the file has HLTJet"):
        jet_response(scouting)


def test_delphes_without_a_density(tmp_path: Path) -> None:
    path = tmp_path / "delphes.root"
    write_tree(path, "Delphes", {f"Jet.{n}": lists(40, 30) for n in ("PT", "Eta", "Phi", "Mass")})
    with pytest.raises(InputError, match=r"'Rho_fixedGridRhoFastjetAll' is missing.*FastJetGridMedianEstimator"):
        list(read_events(path, ["Jet", "Rho.fixedGridRhoFastjetAll"]))
    with pytest.raises(InputError, match=r"'Rho' is missing.*FastJetGridMedianEstimator") as error:
        list(read_events(path, ["Jet", "Rho"]))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("tree", ["CollectionTree", "Events"])
def test_physlite(tree: str, tmp_path: Path) -> None:
    path = tmp_path / "physlite.root"
    write_tree(path, tree, {"AnalysisJetsAuxDyn.pt": lists(4e4, 3e4), "AnalysisJetsAuxDyn.eta": lists(0.1, 0.2)})
    text = said(JetEnergy().open({"files": [str(path)]}, 1))
    assert str(path) in text
    assert "this is ATLAS' PHYSLITE (AnalysisJetsAuxDyn...), in MeV and by names of its own" in text


def test_an_empty_selection_says_why(tmp_path: Path) -> None:
    from codesign.physics.events import write_events
    from tests.tasks.jets.toy_events import toy_events

    path = tmp_path / "toy.root"
    write_events(path, toy_events(60))
    text = said(JetEnergy().open({"files": [str(path)], "min_pt": 5000}, 1))
    assert text.startswith("no jet of HLTJet in 60 events is left: of 180, ")
    assert "have no generated partner, generated above 5000 GeV" in text
    assert text.endswith("give files with generated jets, or a lower min_pt")


# ------------------------------------------------------------------------------------------------ test vectors
def crossing(number: int, **words: int) -> UgtCrossing:
    return UgtCrossing(number, words)


@pytest.fixture
def vectors(tmp_path: Path) -> Path:
    path = tmp_path / "TestVector.txt"
    jet = 200 | (-30 & 0xFF) << 11 | 140 << 19
    electron = 60 | 17 << 9 | 3 << 17 | 2 << 25
    muon = 570 | 45 << 10 | 12 << 19 | (-100 & 0x1FF) << 23 | 1 << 40
    met = 81 | 100 << 12
    path.write_text(
        ugt_vectors([crossing(7, jets_0=jet, egammas_0=electron, muons_0=muon, etmiss=met, ht=900), crossing(8)])
    )
    return path


def test_vectors_are_events(vectors: Path) -> None:
    with open_events(vectors) as file:
        assert file.dialect == "test vectors"
    (events,) = read_events(vectors)
    assert events.event.to_list() == [7, 8]
    assert [ak.num(events[c].pt).to_list() for c in ("L1Jet", "L1EG", "L1Tau", "L1Mu")] == [
        [1, 0],
        [1, 0],
        [0, 0],
        [1, 0],
    ]
    jet, electron, muon = (events[c][0, 0] for c in ("L1Jet", "L1EG", "L1Mu"))
    assert (jet.hwPt, jet.hwEta, jet.hwPhi, jet.pt) == (200, -30, 140, 100)
    assert jet.eta == pytest.approx(-30 * SCALES["L1Jet"].eta_step)
    assert jet.phi == pytest.approx(-4 * 2 * np.pi / 144)
    assert (electron.hwPt, electron.hwEta, electron.hwPhi, electron.hwIso) == (60, 17, 3, 2)
    assert (muon.hwPt, muon.hwEta, muon.hwPhi, muon.hwQual, muon.pt) == (45, -100, 570, 12, 22)
    sums = dict(zip(events.L1EtSum.etSumType[0].to_list(), events.L1EtSum.pt[0].to_list(), strict=True))
    assert (sums[L1_SUMS["MET"]], sums[L1_SUMS["HT"]]) == (40.5, 450)
    assert describe(vectors)["events"] == 2


def test_vectors_are_inputs_of_the_anomaly_task(vectors: Path) -> None:
    (events,) = read_events(vectors, COLLECTIONS)
    row = dict(zip(FEATURES, event_inputs(events).features[0].tolist(), strict=True))
    assert (row["met_pt"], row["met_phi"]) == (81, 100 - 144)
    assert (row["jet0_pt"], row["jet0_eta"], row["jet0_phi"], row["jet1_pt"]) == (200, -30, -4, 0)
    assert (row["eg0_pt"], row["muon0_pt"], row["muon0_phi"]) == (60, 45, -6)
    assert not event_inputs(events).features[1].any()


def test_a_damaged_line_is_named(vectors: Path) -> None:
    lines = vectors.read_text().splitlines()
    vectors.write_text(f"{lines[0]}\n{lines[1][:-40]}\n")
    with pytest.raises(InputError, match=r"TestVector.txt:2: .*(columns|hexadecimal|finor)"):
        list(read_events(vectors))
