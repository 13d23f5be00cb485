"""Tables for generator-level work: right where the truth is known, with honest errors, and equal in correctionlib."""

from __future__ import annotations

import json
from itertools import pairwise, product

import correctionlib
import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.handoff.fastsim import write_fast_simulation
from codesign.handoff.fastsim.correction_tables import write_tables
from codesign.handoff.fastsim.grid import LEAST, efficiency, estimated, middle
from codesign.tasks.outcome import Axis, Outcome, Tabulated

PT, PROCESSES = (20.0, 30, 50, 80, 130, 300), ("qcd", "top")


def truth(pt, process):
    return 1 / (1 + np.exp(-(pt - 60 - 20 * process) / 12))


class Trigger:
    """Passes jets with a known probability, smears their pT by a known amount."""

    def outcome(self, scores, part, points):
        rng, n = np.random.default_rng(part), 60_000
        pt, process = rng.uniform(20, 300, n), rng.integers(0, 2, n)
        axes = {
            "GenPt": Axis(pt, PT, meaning="pT in GeV"),
            "Process": Axis(process.astype(float), names=PROCESSES, meaning="process"),
        }
        passed = rng.random(n) < truth(pt, process)
        return Outcome(axes, passed, rng.normal(1.1, 0.15, n))

    def table(self, scores, part):
        rng, n = np.random.default_rng(part + 10), 20_000
        pt = rng.uniform(20, 300, n)
        right = 1 + 10 / pt
        return Tabulated({"JetPt": Axis(pt, PT)}, right * rng.normal(1, 0.01, n), right)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fastsim")
    assert write_fast_simulation(Trigger(), {}, (1, None), (2, None), folder)
    return folder


def test_tables_hold_the_truth_within_their_errors(folder):
    tables = correctionlib.CorrectionSet.from_file(str(folder / "parametrisation.json"))
    made = {f"{q}{e}" for q in ("efficiency", "response", "resolution") for e in ("", "_error")}
    assert set(tables) == made | {"in_range"}
    pulls = []
    for (low, high), process in product(pairwise(PT), PROCESSES):
        at = ((low + high) / 2, process)
        value, error = (tables[f"efficiency{e}"].evaluate(*at) for e in ("", "_error"))
        expected = truth(np.linspace(low, high, 1000), PROCESSES.index(process)).mean()
        pulls.append((value - expected) / error)
        assert abs(tables["response"].evaluate(*at) - 1.1) < 5 * tables["response_error"].evaluate(*at)
        assert abs(tables["resolution"].evaluate(*at) - 0.15 / 1.1) < 5 * tables["resolution_error"].evaluate(*at)
    assert max(np.abs(pulls)) < 5
    assert np.mean(np.square(pulls)) < 4


def test_it_closes_on_events_it_has_not_seen(folder):
    closure = json.loads((folder / "closure.json").read_text())
    for quantity in ("efficiency", "response"):
        assert closure[quantity]["mean_squared_pull"] < 4
        assert {b["axis"] for b in closure[quantity]["bins"]} == {"GenPt", "Process"}
    assert (folder / "closure" / "efficiency-GenPt.svg").read_text().startswith("<?xml")


def test_a_wrong_parametrisation_does_not_close(tmp_path):
    class Moved(Trigger):
        def outcome(self, scores, part, points):
            made = super().outcome(scores, part, points)
            return made if part == 1 else Outcome(made.axes, made.passed & (made.response > 1), made.response)

    write_fast_simulation(Moved(), {}, (1, None), (2, None), tmp_path)
    assert json.loads((tmp_path / "closure.json").read_text())["efficiency"]["mean_squared_pull"] > 100


def test_the_tables_loss_in_resolution_is_stated(folder):
    loss = json.loads((folder / "correction-loss.json").read_text())
    assert abs(loss["network"]["resolution"] - 0.01) < 5 * loss["network"]["error"]
    assert loss["table"]["resolution"] > 1.3 * loss["network"]["resolution"], "1 + 10 / pT is not flat within a bin"
    assert loss["loss"]["resolution"] == loss["table"]["resolution"] / loss["network"]["resolution"] - 1
    correction = correctionlib.CorrectionSet.from_file(str(folder / "correction.json"))["correction"]
    assert correction.evaluate(5.0) == correction.evaluate(25.0), "outside of the edges the first bin counts"


def test_what_lies_outside_of_the_bins_is_flagged_and_a_name_that_is_none_refused(folder):
    tables = correctionlib.CorrectionSet.from_file(str(folder / "parametrisation.json"))
    flag = tables["in_range"]
    assert [flag.evaluate(pt, "top") for pt in (5.0, 25.0, 299.0, 301.0)] == [0, 1, 1, 0]
    with pytest.raises(IndexError):
        flag.evaluate(25.0, "tau")


def test_eta_is_signed(tmp_path):
    axes = {"JetEta": Axis(np.array([0.5, 1.5]), (0.0, 1, 2), absolute=True)}
    write_tables(tmp_path / "t.json", axes, {"table": ("of eta", np.array([1.0, 2.0]))}, "")
    found = correctionlib.CorrectionSet.from_file(str(tmp_path / "t.json"))
    assert [found["table"].evaluate(eta) for eta in (-1.5, -0.5, 0.5, 1.5)] == [2, 1, 1, 2]
    assert [found["in_range"].evaluate(eta) for eta in (-2.5, -1.5, 2.5)] == [0, 1, 0]


def test_the_tables_distance_from_the_network_is_stated_jet_by_jet(folder):
    """The toy's network is 1 + 10 / pT with a noise of 1 %: the table's bins are wide at low pT."""
    loss = json.loads((folder / "correction-loss.json").read_text())["distance"]
    test = Trigger().table(None, 2)
    table = correctionlib.CorrectionSet.from_file(str(folder / "correction.json"))["correction"]
    apart = np.abs(table.evaluate(test.axes["JetPt"].values) / test.factor - 1)
    assert loss["largest"] == pytest.approx(apart.max(), abs=1e-5)
    assert loss["within_95"] == pytest.approx(np.quantile(apart, 0.95), abs=1e-5)
    assert 0 < loss["median"] < loss["within_95"] < loss["largest"]
    described = json.loads((folder / "correction.json").read_text())["description"]
    assert f"{100 * loss['largest']:.0f} % for the worst" in described


def test_a_thin_bin_takes_what_the_wider_one_says():
    rng = np.random.default_rng(3)
    a, b = np.repeat([0.5, 1.5], 1000), np.zeros(2000)
    b[1000 : 1000 + LEAST - 1] = 1
    values = np.concatenate([rng.normal(1, 0.1, 1000), rng.normal(2, 0.1, 1000)])
    axes = [Axis(a, (0.0, 1, 2)), Axis(b, names=("many", "few"))]
    value, error = estimated(values, axes, middle)
    assert value.shape == error.shape == (2, 2)
    assert value[1, 1] == middle(values[1000:])[0], "too few of its own: all of its first axis' bin"
    assert value[0, 1] == middle(values[:1000])[0], "empty"
    with pytest.raises(InputError, match="too few"):
        estimated(values[: LEAST - 1], [Axis(a[: LEAST - 1], (0.0, 1, 2))], middle)


def test_no_efficiency_is_certain():
    assert efficiency(np.ones(100)) == (1.0, pytest.approx(1 / 202))
    assert efficiency(np.zeros(100))[1] > 0


class OfJets(Trigger):
    """A trigger of jets, with the axes that Delphes knows."""

    def outcome(self, scores, part, points):
        rng, n = np.random.default_rng(part), 40_000
        pt, eta = rng.uniform(20, 300, n), rng.uniform(-3, 3, n)
        axes = {
            "GenPt": Axis(pt, PT, meaning="pT in GeV"),
            "GenEta": Axis(np.abs(eta), (0.0, 1.5, 2.5), meaning="eta", absolute=True),
        }
        return Outcome(axes, rng.random(n) < truth(pt, np.abs(eta) > 1.5))


def test_a_delphes_card_has_the_efficiency_of_the_tables(tmp_path):
    """Read by a real Tcl, as Delphes reads it; its formula is evaluated, and equal to correctionlib's table."""
    tkinter = pytest.importorskip("tkinter")
    write_fast_simulation(OfJets(), {}, (1, None), (2, None), tmp_path)
    interpreter = tkinter.Tcl()
    interpreter.eval("proc module {kind name body} {global found; set found(kind) $kind; eval $body\n"
                     "set found(formula) $EfficiencyFormula; set found(in) $InputArray}")  # fmt: skip
    interpreter.eval(f"source {{{tmp_path / 'delphes.tcl'}}}")
    assert interpreter.eval("set found(kind)") == "Efficiency"
    assert interpreter.eval("set found(in)") == "JetEnergyScale/jets"
    formula = interpreter.eval("set found(formula)").replace("&&", "and").replace("\n", " ")
    table = correctionlib.CorrectionSet.from_file(str(tmp_path / "parametrisation.json"))["efficiency"]
    rng = np.random.default_rng(2)
    for pt, eta in zip(rng.uniform(20, 500, 200), rng.uniform(-3.5, 3.5, 200), strict=True):
        assert eval(formula, {"pt": pt, "eta": eta, "abs": abs}) == pytest.approx(table.evaluate(pt, eta), abs=1e-9)
    assert eval(formula, {"pt": 10.0, "eta": 0.0, "abs": abs}) == 0
