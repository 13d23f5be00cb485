"""``data response`` with a correctionlib file on a file that was made with those very corrections."""

import awkward as ak
import numpy as np
import pytest

from codesign.cli.jets import jet_response
from codesign.physics.events import write_events
from codesign.tasks.jets.corrections import write_corrections
from codesign.tasks.jets.factorised import Factorised
from codesign.tasks.jets.published import corrections_of
from tests.tasks.jets.toy_events import toy_events


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A file whose offline jets are corrected by a correctionlib file, and that file."""
    folder = tmp_path_factory.mktemp("corrected")
    events = toy_events(3000, seed=4)
    flat = {n: np.asarray(ak.flatten(events.HLTJet[n]), dtype=np.float64) for n in ("pt", "eta", "area", "rawFactor")}
    raw, counts = flat["pt"] * (1 - flat["rawFactor"]), ak.num(events.HLTJet.pt)
    rho = np.repeat(np.asarray(events.Rho.fixedGridRhoFastjetAll), np.asarray(counts))
    generated = np.asarray(ak.flatten(events.GenJet.pt), dtype=np.float64)
    corrections = folder / "own.json"
    write_corrections(corrections, Factorised.fit(raw, flat["eta"], rho, flat["area"], generated), "Own", "a test")
    factor = corrections_of(corrections, "Own_L1L2L3")(raw, flat["eta"], rho, flat["area"])
    jets = {n: events.HLTJet[n] for n in events.HLTJet.fields}
    jets |= {"pt": ak.unflatten(raw * factor, counts), "rawFactor": ak.unflatten(1 - 1 / factor, counts)}
    write_events(folder / "own.root", ak.with_field(events, ak.zip(jets), "Jet"))
    return folder / "own.root", corrections


def test_it_gives_the_files_own_numbers(made):
    rows = {r["tier"]: r for r in jet_response(made[0], (made[1], "Own_L1L2L3"))}
    again = [r for name, r in rows.items() if "over the file's own pT" in name]
    assert len(again) == 4
    assert {r["response"].partition(" ")[0] for r in again} == {"1.000"}
    assert rows["Own_L1L2L3"]["response"] == rows["offline"]["response"]
    assert rows["Own_L1L2L3"]["resolution"] == rows["offline"]["resolution"]
    assert abs(float(rows["offline"]["response"].partition(" ")[0]) - 1) < 0.02
    assert abs(float(rows["offline uncorrected"]["response"].partition(" ")[0]) - 1) > 0.03


def test_one_level_alone_is_not_the_whole(made):
    """The fault: the correction of one level in the place of all."""
    rows = jet_response(made[0], (made[1], "Own_L2Relative"))
    again = [r["response"].partition(" ")[0] for r in rows if "over the file's own pT" in r["tier"]]
    assert set(again) != {"1.000"}
