"""CMS's own simulation: every tier's response, its published corrections, and what a correction of ours does there."""

import correctionlib
import numpy as np
import pytest

from codesign.cli.jets import jet_response, scores_of
from codesign.core.errors import InputError
from codesign.core.runfolder import RunFolder
from codesign.data.sample import Sample, Splits
from codesign.study.definition import load_study
from codesign.tasks.jets.jet_baseline import FactorisedBaseline
from codesign.tasks.jets.jet_energy import JetEnergyOffline
from codesign.tasks.jets.jet_inputs import kinematics
from codesign.tasks.jets.published import agreement, corrections_of, plots, summary, tiers_of

NANO = "cms_nanoaod/nano_tt_v15.root"
JEC = "cms_jec/jet_jerc_Summer22_V3.json.gz"
NAME = "Summer22_22Sep2023_V3_MC_L1L2L3Res_AK4PFPuppi"


@pytest.fixture(scope="module")
def summer22(published_data):
    return corrections_of(published_data(JEC), NAME)


def test_every_tier_of_cms(published_data, summer22):
    tiers = tiers_of(published_data(NANO), {"Summer22": summer22})
    assert set(tiers) == {"HLT", "L1 (of HLT jets)", "offline uncorrected", "offline", "Summer22"}
    found = summary(tiers)
    assert found["L1 (of HLT jets)"][1].value == pytest.approx(0.22, abs=3 * found["L1 (of HLT jets)"][1].error)
    assert found["offline"][1].value == pytest.approx(0.135, abs=3 * found["offline"][1].error)
    offline, hlt, level1 = (found[n][1] for n in ("offline", "HLT", "L1 (of HLT jets)"))
    assert offline.value < hlt.value + 2 * np.hypot(offline.error, hlt.error)
    assert hlt.value < level1.value - 2 * np.hypot(hlt.error, level1.error)
    assert all(abs(response.value - 1) < 0.1 for response, _, _ in found.values())
    assert found["offline uncorrected"][0].value < found["offline"][0].value
    drawn = plots(tiers, "nano_tt_v15.root")
    assert {len(p.series) > 2 for p in drawn} == {True}


def test_summer22_gives_the_files_own_pt_where_its_corrections_are_alike(published_data, summer22):
    """The file was made with corrections of a later era: alike to 3 % within |eta| < 2.5 and in the forward
    calorimeter to 5 %, but far apart between 2.5 and 3, where the later ones take up losses of the endcap."""
    found = agreement(published_data(NANO), summer22)
    assert found[0.0, 1.3][0].value == pytest.approx(0.984, abs=0.01)
    assert found[1.3, 2.5][0].value == pytest.approx(1.007, abs=0.01)
    assert found[3.0, 5.2][0].value == pytest.approx(1.026, abs=0.04)
    assert found[2.5, 3.0][0].value < 0.85


def test_the_compound_correction_is_the_product_of_its_parts(published_data, summer22):
    found = correctionlib.CorrectionSet.from_file(str(published_data(JEC)))
    eta, pt = np.linspace(-4, 4, 50), np.geomspace(15, 500, 50)
    rho, area = np.full(50, 30.0), np.full(50, 0.5)
    expected, now = np.ones(50), pt.copy()
    for level in ("L1FastJet", "L2Relative", "L3Absolute", "L2L3Residual"):
        part = found[f"Summer22_22Sep2023_V3_MC_{level}_AK4PFPuppi"]
        values = {"JetPt": now, "JetEta": eta, "Rho": rho, "JetA": area}
        factor = part.evaluate(*(values[i.name] for i in part.inputs))
        expected, now = expected * factor, now * factor
    assert summer22(pt, eta, rho, area) == pytest.approx(expected, rel=1e-12)


def test_what_is_fitted_on_half_of_cms_jets_closes_on_the_other(published_data):
    """The same task on CMS's own jets; 200 events hold few, so that only the whole is looked at."""
    task = JetEnergyOffline()
    sample = task.open({"files": [str(published_data(NANO))]}, 1).sample
    splits = Splits(0.5, 0.1, 0.4, 1)
    train, test = sample.part("train", splits), sample.part("test", splits)
    baseline = FactorisedBaseline(train, 1, tagged=False)
    ratio = np.exp(baseline(test)[:, 0] - test.targets[:, 0])
    before = np.exp(-test.targets[:, 0])
    assert abs(np.median(ratio) - 1) < 0.04
    assert abs(np.median(before) - 1) > 0.08
    assert (kinematics(test.x)[0] > 8).all()


def test_the_command_says_it_in_rows(published_data, tmp_path):
    rows = jet_response(published_data(NANO), (published_data(JEC), NAME), pictures=tmp_path)
    assert [r["tier"] for r in rows if r["tier"] == NAME]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "tiers-resolution.svg", "tiers-response.svg", "tiers-turn-on.svg"
    ]  # fmt: skip


def test_unknown_inputs_of_a_correction_are_refused(published_data):
    with pytest.raises(InputError, match="systematic"):
        corrections_of(published_data(JEC), "Summer22_22Sep2023_JRV1_MC_ScaleFactor_AK4PFPuppi")


@pytest.mark.parametrize(("study", "refused"), [("hlt-jet-energy", True), ("offline", False)])
def test_a_network_of_another_tier_is_refused(study, refused, monkeypatch, tmp_path):
    """An HLT network on offline jets once gave 0.819 for 0.911 without a word."""
    hlt = load_study("hlt-jet-energy")
    origin = hlt if refused else hlt.model_copy(update={"task": "jet-energy-offline"})
    monkeypatch.setattr("codesign.pipeline.trial.trial_of", lambda run, number: (origin, None))

    def opened(run, number, target):
        raise InputError("opened")

    monkeypatch.setattr("codesign.pipeline.trial.firmware_for", opened)
    with pytest.raises(
        InputError, match="is of the task 'jet-energy': what it learned is not" if refused else "opened"
    ):
        scores_of(RunFolder(tmp_path), 3)


def test_its_outputs_say_what_they_mean():
    problem = JetEnergyOffline().open({"files": ["x.root"]}, 1)
    sample = Sample(
        np.zeros((0, 1), np.float32), np.zeros(0, np.int64), ("x",), ("1",), ("b", "c"),
        targets=np.zeros((0, 1), np.float32), target_names=("log_correction",), target_units=("",),
    )  # fmt: skip
    meanings = problem.meanings(sample)
    assert "exp()" in meanings["correction"]
    assert set(meanings) == set(problem.outputs(sample))
