"""Every kind of event file: small files in the published layouts, and the published ones where they are."""

from __future__ import annotations

import json
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import uproot

from codesign.core.errors import InputError
from codesign.data.files import describe
from codesign.physics.events import open_events, read_events, write_events
from tests.physics.events.toy import toy_events, write_tree


def whole(path: Path, fields=None, chunk=3):
    return ak.concatenate(list(read_events(path, fields, chunk)))


def lists(*values, dtype=np.float32):
    return ak.values_astype(ak.Array(list(values)), dtype)


def test_cms_nanoaod(published_data) -> None:
    path = published_data("cms_nanoaod/nano_tt_v15.root")
    with open_events(path) as file:
        assert (file.kind, file.dialect, file.entries) == ("ROOT TTree", "NanoAOD", 200)
    events = whole(path, ["Jet", "TrigObj", "MET", "PuppiMET", "Rho", "PV", "Pileup", "GenJet"], 150)
    with uproot.open(path) as file:
        expected = file["Events"].arrays(["Jet_pt", "PFMET_pt", "Rho_fixedGridRhoFastjetAll", "TrigObj_id"])
    assert ak.all(events.Jet.pt == expected.Jet_pt)
    assert ak.all(events.MET.pt == expected.PFMET_pt)  # there is no MET in version 15
    assert ak.all(events.Rho.fixedGridRhoFastjetAll == expected.Rho_fixedGridRhoFastjetAll)
    assert ak.sum(events.TrigObj.id == 1) == 1997
    assert ak.mean(events.Pileup.nTrueInt) == pytest.approx(46.4, abs=0.1)


def test_cms_nanoaod_as_ours(published_data, tmp_path: Path) -> None:
    path = published_data("cms_nanoaod/nano_tt_v15.root")
    expected = whole(path, chunk=200)
    for name, form in (("a.root", "ttree"), ("b.root", "rntuple"), ("c.parquet", "parquet")):
        write_events(tmp_path / name, [expected[:90], expected[90:]], form)
        assert ak.array_equal(whole(tmp_path / name, chunk=120), expected, dtype_exact=True, check_parameters=False)


@pytest.mark.parametrize("form", ["ttree", "rntuple"])
def test_version_9(form: str, tmp_path: Path) -> None:
    branches = {
        "Jet": ak.zip({"pt": lists([30, 20], [], [50])}),
        "MET_pt": np.float32([1, 2, 3]),
        "fixedGridRhoFastjetAll": np.float32([20, 21, 22]),
    }
    write_tree(tmp_path / "e.root", "Events", branches, form)
    events = whole(tmp_path / "e.root")
    assert events.Rho.fixedGridRhoFastjetAll.to_list() == [20, 21, 22]
    assert events.MET.pt.to_list() == [1, 2, 3]
    assert events.Jet.pt.to_list() == [[30, 20], [], [50]]


@pytest.mark.parametrize("rho", ["ScoutingRho", "ScoutingRho_fixedGridRhoFastjetAll"])
def test_scouting(rho: str, tmp_path: Path) -> None:
    energies = ("chargedHadron", "neutralHadron", "electron", "photon", "muon", "HFHadron", "HFEM")
    jets = {"pt": lists([30, 20], []), "eta": lists([1, 2], []), "phi": lists([1, 2], []), "m": lists([3, 4], [])}
    jets["jetArea"] = lists([0.5, 0.4], [])
    for i, name in enumerate(energies):
        jets[f"{name}Energy"] = lists([float(i), 2.0], [])
        jets[f"{name}Multiplicity"] = lists([i, 1], [], dtype=np.int32)
    branches = {
        "ScoutingPFJet": ak.zip(jets),
        "ScoutingMuonVtx": ak.zip({"pt": lists([5], []), "eta": lists([0], []), "m": lists([0.1], [])}),
        "ScoutingPrimaryVertex": ak.zip({"z": lists([1, 2, 3], [4])}),
        "ScoutingMET_pt": np.float32([7, 8]),
        rho: np.float32([20, 21]),
    }
    write_tree(tmp_path / "e.root", "Events", branches)
    events = whole(tmp_path / "e.root")
    assert events.HLTJet.pt.to_list() == [[30, 20], []]
    assert events.HLTJet.nConstituents.to_list() == [[21, 7], []]
    np.testing.assert_allclose(events.HLTJet.neEmEF[0], [3 / 21, 1 / 7], rtol=1e-6)
    assert events.HLTJet.rawFactor.to_list() == [[0, 0], []]
    assert events.HLTJet.area[0].to_list() == pytest.approx([0.5, 0.4])
    assert events.Muon.mass[0, 0] == pytest.approx(0.1)
    assert events.PV.npvs.to_list() == [3, 1]
    assert events.MET.pt.to_list() == [7, 8]
    assert events.Rho.fixedGridRhoFastjetAll.to_list() == [20, 21]
    assert whole(tmp_path / "e.root", ["ScoutingPFJet.pt"]).ScoutingPFJet.pt.to_list() == [[30, 20], []]


def test_delphes(tmp_path: Path) -> None:
    branches = {
        "Event.Number": lists([5], [6], dtype=np.int64),
        "Event.Weight": lists([0.5], [0.25]),
        "Jet.PT": lists([50, 40], [30]),
        "Jet.Eta": lists([1, 2], [-1]),
        "Jet.Phi": lists([1, 2], [-1]),
        "Jet.Mass": lists([5, 4], [3]),
        "Jet.BTag": lists([1, 0], [0], dtype=np.uint32),
        "Jet.NCharged": lists([10, 5], [3], dtype=np.int32),
        "Jet.NNeutrals": lists([7, 5], [2], dtype=np.int32),
        "MissingET.MET": lists([12], [13]),
        "MissingET.Phi": lists([1], [2]),
        "Electron.PT": lists([], [20]),
        "Electron.Charge": lists([], [-1], dtype=np.int32),
    }
    write_tree(tmp_path / "e.root", "Delphes", branches)
    events = whole(tmp_path / "e.root")
    assert events.event.to_list() == [5, 6]
    assert events.genWeight.to_list() == [0.5, 0.25]
    assert events.Jet.pt.to_list() == [[50, 40], [30]]
    assert events.Jet.nConstituents.to_list() == [[17, 10], [5]]
    assert events.Jet.btag.to_list() == [[1, 0], [0]]
    assert events.MET.pt.to_list() == [12, 13]
    assert events.Electron.charge.to_list() == [[], [-1]]
    with open_events(tmp_path / "e.root") as file:
        assert file.dialect == "Delphes"


L1 = {
    "jets_jetIEt": [[100, 2047], [], [60]],
    "jets_jetIEta": [[-60, 10], [], [0]],
    "jets_jetIPhi": [[0, 143], [], [72]],
    "egammas_egIEt": [[20], [30], []],
    "egammas_egIEta": [[5], [-5], []],
    "egammas_egIPhi": [[1], [2], []],
    "egammas_egIso": [[1], [3], []],
    "muons_muonIEt": [[], [45], []],
    "muons_muonIEtaAtVtx": [[], [200], []],
    "muons_muonIEta": [[], [199], []],
    "muons_muonIPhiAtVtx": [[], [288], []],
    "ET_Et": [[500], [400], [300]],
    "HT_Et": [[200], [0], [60]],
    "MET_Et": [[40], [50], [60]],
    "MET_phi": [[0], [36], [108]],
}


@pytest.mark.parametrize("kind", ["parquet", "root"])
def test_l1_data(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"e.{kind}"
    scalars = {"run": [396102] * 3, "lumi": [1, 2, 3], "event": [7, 8, 9], "bx": [10, 11, 12], "nPV_True": [40.0] * 3}
    if kind == "parquet":
        pyarrow.parquet.write_table(
            pyarrow.table(
                {n: pyarrow.array(v, pyarrow.list_(pyarrow.int32())) for n, v in L1.items()}
                | {n: pyarrow.array(v) for n, v in scalars.items()}
            ),
            path,
            row_group_size=2,
        )
    else:
        branches = {n: lists(*v, dtype=np.int32) for n, v in L1.items()} | {n: np.array(v) for n, v in scalars.items()}
        write_tree(path, "L1", branches)
    events = whole(path, chunk=2)
    assert events.L1Jet.hwPt.to_list() == [[100, 2047], [], [60]]
    assert events.L1Jet.pt.to_list() == [[50, 1023.5], [], [30]]
    assert events.L1Jet.eta[0].to_list() == pytest.approx([-2.61, 0.435])
    assert events.L1Jet.phi[0].to_list() == pytest.approx([0, -np.pi / 72])
    assert events.L1Mu.pt.to_list() == [[], [22], []]
    assert events.L1Mu.hwEta.to_list() == [[], [200], []]
    assert events.L1EG.hwIso.to_list() == [[1], [3], []]
    assert events.L1EtSum.etSumType.to_list() == [[0, 1, 2]] * 3
    assert events.L1EtSum.pt.to_list() == [[250, 100, 20], [200, 0, 25], [150, 30, 30]]
    assert events.L1EtSum.hwPhi.to_list() == [[0, 0, 0], [0, 0, 36], [0, 0, 108]]
    assert events.luminosityBlock.to_list() == [1, 2, 3]
    assert events.Pileup.nTrueInt.to_list() == [40] * 3
    if kind == "parquet":
        table = pyarrow.parquet.read_table(path)
        doubled = pyarrow.array([[1, 2], [1], [1]], pyarrow.list_(pyarrow.int32()))
        pyarrow.parquet.write_table(table.set_column(table.column_names.index("MET_Et"), "MET_Et", doubled), path)
        with pytest.raises(InputError, match=r"branch 'ET_Et': an event has no sum of this type, or several"):
            whole(path)


def test_adc2021(tmp_path: Path) -> None:
    particles = np.zeros((5, 19, 4), dtype=np.float32)
    particles[:, 0] = [25, 0, 1, 1]
    particles[0, 1] = [30, 1, 2, 2]
    particles[1, 5] = [20, -1, 2, 3]
    particles[1, 9:11] = [[90, 2, 1, 4], [40, 3, 1, 4]]
    path = tmp_path / "e.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("Particles", data=particles, compression="gzip", chunks=(2, 19, 4))
        file["Particles_Classes"] = np.array(["MET", "Four Ele", "Four Mu", "Ten Jets"], dtype="S10")
    events = whole(path, chunk=2)
    assert len(events) == 5
    assert events.MET.pt.to_list() == [25] * 5
    assert events.Electron.pt.to_list() == [[30], [], [], [], []]
    assert events.Muon.eta.to_list() == [[], [-1], [], [], []]
    assert events.Jet.pt.to_list() == [[], [90, 40], [], [], []]
    with h5py.File(path, "r+") as file:
        file["Particles"][1, 5, 3] = 4
    with pytest.raises(InputError, match=r"e\.h5: branch 'Particles', event 1: kind 4 at place 5, not 3"):
        whole(path, chunk=5)


def test_darkmachines(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text(
        "7;njets;0.5;351709;-2.5;j,672376,506951,0.78,0.9;b,1.2e+05,1e+05,0.1,2;\n8;ww;1;10000;1;e-,2e4,2e4,0,0;m+,3e4,3e4,0,1\n"
    )
    events = whole(path, chunk="10 B")
    assert events.event.to_list() == [7, 8]
    assert events.process.to_list() == ["njets", "ww"]
    assert events.genWeight.to_list() == [0.5, 1]
    assert events.MET.pt[0] == pytest.approx(351.709)
    assert events.Jet.pt[0].to_list() == pytest.approx([506.951, 100])
    assert events.Jet.btag[0].to_list() == [0, 1]
    assert events.Electron.charge.to_list() == [[], [-1]]
    assert events.Muon.pt.to_list() == [[], [30]]
    for line, reason in (
        ("9;ww;1;10000", "line 3: 4 values, not at least 5"),
        ("9;ww;1;1;1;q,1,1,1,1", "line 3: unknown object 'q'"),
        ("9;ww;1;1;1;j,1,1,1", "line 3: not 'id;process"),
        ("9;ww;x;1;1;", "line 3: not 'id;process"),
        ("9;ww;1;1;1;j,nan,nan,1,1", r"branch 'Jet_pt', event 2: nan is not a finite number"),
    ):
        path.write_text("\n".join([*path.read_text().splitlines()[:2], line, ""]))
        with pytest.raises(InputError, match=reason):
            whole(path, chunk=10)


@pytest.mark.parametrize("name", ["background_chan1_7.79_reduced", "glgl1600_neutralino800_chan1_reduced"])
def test_published_darkmachines(name: str, published_data) -> None:
    events = whole(published_data(f"darkmachines_chan1/{name}.csv"), chunk=300)
    assert len(events) == 1000
    assert ak.min(events.MET.pt) > 200  # channel 1 asks for 200 GeV
    assert np.isfinite(ak.to_numpy(ak.flatten(events.Jet.mass))).all()


@pytest.mark.parametrize("name", ["e.root", "e.parquet"])
def test_show(name: str, tmp_path: Path) -> None:
    events = toy_events(50)
    write_events(tmp_path / name, events)
    summary = describe(tmp_path / name)
    assert (summary["events"], summary["summarised"], summary["names"]) == (50, 50, "NanoAOD")
    assert summary["collections"]["Jet"]["mean"] == pytest.approx(ak.mean(ak.num(events.Jet)))
    assert summary["fields"]["Jet.pt"]["max"] == pytest.approx(ak.max(events.Jet.pt))
    assert summary["fields"]["MET.pt"]["from"] == "PuppiMET_pt"
    json.dumps(summary)


def test_show_text(published_data) -> None:
    summary = describe(published_data("darkmachines_chan1/background_chan1_7.79_reduced.csv"))
    assert summary["events"] == 1000
    assert sum(summary["processes"].values()) == 1000
    assert "njets" in summary["processes"]
