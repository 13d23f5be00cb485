"""Offline jets: the command that fits a correction, and what is said of a file with jets of the other tier."""

from __future__ import annotations

import awkward as ak
import correctionlib
import numpy as np
import pytest
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import InputError
from codesign.physics.events import open_events, write_events
from codesign.study.definition import load_study
from codesign.tasks.jets.corrections import fit_corrections
from codesign.tasks.jets.jet_energy import JetEnergy, JetEnergyOffline
from codesign.tasks.jets.published import corrections_of
from tests.tasks.jets.toy_events import toy_events


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("events") / "toy.root"
    write_events(path, toy_events(3000))
    return path


@pytest.fixture(scope="module")
def fitted(file, tmp_path_factory):
    path = tmp_path_factory.mktemp("corrections") / "mine.json"
    return path, fit_corrections([file], path, "Mine_V1", "HLTJet")


def test_the_command_writes_what_closes(fitted):
    path, said = fitted
    assert abs(said["median response after"] - 1) < 0.02 < abs(said["median response before"] - 1)
    assert said["correction"] == "Mine_V1_L1L2L3"
    factors = corrections_of(path, said["correction"])
    pt, eta = np.full(2, 60.0), np.array([-2.0, 2.0])
    one, other = factors(pt, eta, np.full(2, 20.0), np.full(2, 0.5))
    assert one == other, "of signed eta the size counts"


def test_names_are_listed_and_a_jet_beyond_the_last_bin_is_an_error(fitted):
    path, said = fitted
    with pytest.raises(InputError, match=r"no correction 'Mine_V2'.*; it has Mine_V1_L1L2L3, Mine_V1_L1Offset"):
        corrections_of(path, "Mine_V2")
    one = np.ones(1)
    with pytest.raises(InputError, match=r"is not for jets of JetPt 60 to 60, JetEta -5\.5 to -5\.5"):
        corrections_of(path, said["correction"])(60 * one, -5.5 * one, 20 * one, one / 2)
    assert correctionlib.CorrectionSet.from_file(str(path)).compound


def test_a_tag_that_is_no_name_and_a_file_without_jets_are_one_line(file, tmp_path):
    with pytest.raises(InputError, match="is no tag"):
        fit_corrections([file], tmp_path / "x.json", "a b")
    done = CliRunner().invoke(app, ["data", "correct", str(file), "-o", str(tmp_path / "x.txt")])
    assert "are written as .json" in str(done.exception)


def test_a_network_of_the_other_tier_is_told_which_one_suits(tmp_path):
    """NanoAOD: offline jets, and of HLT jets the pT alone."""
    whole = toy_events(5)
    nano = ak.zip({n: whole[n] for n in ("Jet", "GenJet", "Rho", "PV", "event")}, depth_limit=1)
    nano["TrigObj"] = whole.HLTJet[["pt", "eta", "phi"]]
    write_events(tmp_path / "nano.root", nano)
    with open_events(tmp_path / "nano.root") as opened:
        assert "take a bundle of 'jet-energy-offline'" in JetEnergy().advice(opened.columns)
        opened.require(JetEnergyOffline().collections)
    del nano["Jet"]
    write_events(tmp_path / "none.root", nano)
    with open_events(tmp_path / "none.root") as opened:
        assert "has no jets" in JetEnergyOffline().advice(opened.columns)


def test_the_shipped_study_is_of_offline_jets():
    assert load_study("jet-energy-offline").task == JetEnergyOffline.name
