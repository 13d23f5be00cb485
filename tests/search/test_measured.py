"""Rungs of measurement: what climbs, what is on which front, and what a failure or a kill costs."""

import json
import math
from collections import Counter
from statistics import stdev

import pytest

from codesign.core.errors import InputError, ToolError
from codesign.core.figures import Expected, Fidelity, Figure
from codesign.core.records import Figures, Front, Metric, Metrics, State
from codesign.core.runfolder import RunFolder
from codesign.core.targets import load_target
from codesign.flows.expected import with_expected
from codesign.pipeline.front import pareto
from codesign.search.measured import Climb, at_fidelity, standing
from codesign.search.messages import Measure
from codesign.search.telling import recorded_score
from codesign.tools.nextpnr_family import FAMILIES
from tests.search.dominance import surely_dominates
from tests.search.small_search import Notes, changed, search, statuses

BOTH = ("synthesised", "placed")


def climbing(*measured, trials=14, **more):
    ladder = {"measured": list(measured or BOTH)}
    return changed(target="ulx3s-85f", search={"trials": trials, "sampler": "random", "ladder": ladder}, **more)


def measurements(path):
    log = path / "measured.txt"
    return [tuple(line.split()) for line in log.read_text().splitlines()] if log.exists() else []


def records(path, number):
    folder = RunFolder(path).trial(number)
    return folder.read("metrics.json", Metrics), folder.read("figures.json", Figures)


def check(path, study, front):
    """Every rung's record is what the trials' own records say."""
    complete = sorted(n for n, s in statuses(path).items() if s.state == State.COMPLETE)
    entered, below = complete, study
    assert [f.fidelity for f in front.fronts] == ["compiled", *study.search.ladder.measured]
    for rung in front.fronts:
        own = at_fidelity(study, rung.fidelity)
        assert [o.fidelity for o in rung.objectives] == [None, rung.fidelity]
        if rung.fidelity != "compiled":
            known = {found.quantity: found for found in rung.learned}
            tried = {t: standing(below, *records(path, t), known) for t in entered if t not in rung.failed}
            directions = [o.direction for o in study.objectives]
            loses = {t for t in tried if any(surely_dominates(o, tried[t], directions) for o in tried.values())}
            assert rung.dominated.keys() == loses
            assert all(surely_dominates(tried[by], tried[t], directions) for t, by in rung.dominated.items())
            assert set(rung.measured) == set(entered) - loses - rung.failed.keys()
        scores = [recorded_score(RunFolder(path).trial(t), own) for t in rung.measured if t not in rung.missed]
        assert rung.trials == [s.trial for s in pareto(scores, ["maximise", "minimise"])]
        entered, below = rung.measured, own
    assert {p.trial for p in front.points} == {t for f in front.fronts for t in f.trials}
    assert all(p.metrics and p.verified for p in front.points), "what is on any front is judged and proven"


def test_a_finished_run_climbs_on_and_each_fidelity_has_a_front_of_its_own(tmp_path):
    plain = search(changed(target="ulx3s-85f", search={"trials": 14, "sampler": "random"}), tmp_path)
    assert plain.fronts == []
    assert "fronts" not in json.loads((tmp_path / "front.json").read_text())
    study = climbing()
    front = search(study, tmp_path, workers=2)
    check(tmp_path, study, front)
    compiled, synthesised, placed = front.fronts
    assert {p.trial for p in plain.points} == set(compiled.trials)
    assert set(compiled.trials) < set(synthesised.measured), "what the compiler cannot tell from the front climbs, too"
    assert synthesised.dominated, "and what is surely worse does not"
    assert len(placed.measured) < len(compiled.measured)
    assert max(Counter(measurements(tmp_path)).values()) == 1
    assert Front.model_validate_json((tmp_path / "front.json").read_text()) == front
    before = (tmp_path / "front.json").stat().st_mtime_ns, len(measurements(tmp_path))
    assert search(study, tmp_path) == front
    assert ((tmp_path / "front.json").stat().st_mtime_ns, len(measurements(tmp_path))) == before, "nothing left to do"
    (tmp_path / "front.json").unlink()  # as if it had been killed before the end
    assert search(study, tmp_path) == front
    assert len(measurements(tmp_path)) == before[1], "what was measured before a kill is kept"
    more = search(study, tmp_path, 17)
    check(tmp_path, study, more)
    assert max(Counter(measurements(tmp_path)).values()) == 1, "a longer search measures what is new only"


def test_what_cannot_be_routed_loses_its_figures_and_holds_nobody_back(tmp_path, monkeypatch):
    study, notes = climbing(trials=9), Notes()
    monkeypatch.setenv("TOY", "unroutable")
    front = search(study, tmp_path, progress=notes)
    check(tmp_path, study, front)
    placed = front.fronts[-1]
    assert placed.failed
    assert set(placed.failed.values()) == {"nextpnr-ecp5: the design does not route"}
    assert all(RunFolder(tmp_path).trial(t).read_json("config.json")["width"] % 2 for t in placed.failed)
    assert not placed.failed.keys() & set(placed.measured)
    assert any("has no placed figures: nextpnr-ecp5: the design does not route" in n for n in notes.notes)
    number = len(measurements(tmp_path))
    assert search(study, tmp_path) == front
    assert len(measurements(tmp_path)) == number, "a finished run does not try again"


def crafted(path, trials):
    """A run of trials (accuracy, compiled lut, placed lut, fmax), None where it was not placed."""
    run = RunFolder(path)
    for number, (accuracy, lut, placed, fmax) in enumerate(trials):
        metrics = {"accuracy": Metric(value=accuracy, error=0.0)}
        figures = with_expected([Figure.of("lut", lut, Fidelity.COMPILED, "alkaid", "1")], "ecp5")
        for name, value in (("lut", placed), ("fmax", fmax)):
            figures += [Figure.of(name, value, Fidelity.PLACED, "nextpnr", "1")] if value else []
        run.trial(number).write("metrics.json", Metrics(split="validation", events=9, metrics=metrics))
        run.trial(number).write("figures.json", Figures(figures=figures))
    return Climb(run, climbing("placed"), load_target("ulx3s-85f"), lambda: range(len(trials)))


def test_what_the_compiler_puts_behind_by_less_than_its_error_may_be_before_on_the_chip(tmp_path):
    climb = crafted(
        tmp_path, [(0.7, 1000, 1500, 60), (0.7, 1030, 1450, 60), (0.7, 1300, 1400, 60), (0.6, 500, None, None)]
    )
    assert climb.open() == [Measure(3, Fidelity.PLACED)]
    climb.failed[3, Fidelity.PLACED] = "it does not route"
    assert climb.open() == []
    compiled, placed = climb.fronts()
    assert compiled.trials == [0, 3]
    assert placed.dominated == {2: 0}, "surely: measured by chance, it is on no front all the same"
    assert (placed.measured, placed.trials, placed.failed) == ([0, 1], [1], {3: "it does not route"})


def test_what_failed_holds_nobody_back(tmp_path):
    climb = crafted(tmp_path, [(0.7, 1000, None, None), (0.7, 1300, None, None)])
    assert climb.open() == [Measure(0, Fidelity.PLACED)]
    climb.failed[0, Fidelity.PLACED] = "it does not route"
    assert climb.open() == [Measure(1, Fidelity.PLACED)]


def test_a_design_that_misses_the_clock_is_on_no_placed_front(tmp_path):
    placed = crafted(tmp_path, [(0.7, 1000, 1500, 49.9), (0.7, 1030, 1550, 50)]).fronts()[1]
    assert (placed.measured, placed.trials, placed.missed) == ([0, 1], [1], {0: 49.9})


def test_a_measurement_that_kills_its_worker_costs_that_figure_only(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "measure-dies")
    study = climbing("synthesised", trials=8)
    front = search(study, tmp_path)
    assert front.points
    assert front.fronts[1].failed
    assert front.fronts[1].measured
    assert all("its worker was killed" in reason for reason in front.fronts[1].failed.values())
    monkeypatch.delenv("TOY")
    again = search(study, tmp_path, 9)
    check(tmp_path, study, again)
    assert not again.fronts[1].failed, "a start that has something to do tries again"


def test_the_error_of_a_figure_is_its_calibrated_band(tmp_path):
    study = climbing()
    lut = Figure.of("lut", 1000, Fidelity.COMPILED, "alkaid", "1")
    band = Expected(value=1500, low=1500 / 1.1, high=1500 * 1.1, fidelity="placed", tool="nextpnr", source="us")
    metrics = Metrics(split="validation", events=9, metrics={"accuracy": Metric(value=0.7, error=0.02)})
    known = Figures(
        figures=[lut.model_copy(update={"expected": band}), Figure.of("lut", 1400, "synthesised", "y", "1")]
    )
    assert standing(study, metrics, known).errors == pytest.approx((0.02, 100))
    assert standing(at_fidelity(study, Fidelity.SYNTHESISED), metrics, known).errors == pytest.approx((0.02, 140))
    assert standing(study, metrics, Figures(figures=[lut])).errors == (0.02, 0.0), "nothing is extrapolated"


def test_the_error_is_learned_from_the_runs_own_measurements(tmp_path):
    """Six that the compiler was 2 % wrong about say that the seventh is surely behind, which its band did not."""
    six = [(0.7 + n / 100, 1000 * 1.2**n, 1500 * 1.2**n * (1.02 if n % 2 else 1), 60) for n in range(6)]
    last = (0.75, 1000 * 1.2**5 * 1.04, None, None)
    few = crafted(tmp_path / "few", [*six[:1], *six[2:], last])
    assert few.open() == [Measure(5, Fidelity.PLACED)], "five are too few: within the calibrated band"
    climb = crafted(tmp_path / "enough", [*six, last])
    assert climb.open() == []
    [found] = climb.fronts()[1].learned
    logs = [math.log(placed / lut) for _, lut, placed, _ in six]
    assert found.factor == pytest.approx(math.exp(sum(logs) / 6))
    assert found.error == pytest.approx(math.expm1(stdev(logs) * math.sqrt(7 / 6)))
    assert (found.family, found.quantity, found.trials) == ("toy", "lut", 6)
    assert climb.fronts()[1].dominated == {6: 5}


@pytest.mark.parametrize("measured", [["placed", "synthesised"], ["placed", "placed"], ["vendor"]])
def test_wrong_rungs_are_named(measured):
    with pytest.raises(InputError, match="measured"):
        changed(search={"ladder": {"measured": measured}})


def test_rungs_that_nothing_can_measure_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="family xcup: place and route with open tools knows ecp5 and nexus"):
        search(changed(search={"ladder": {"measured": ["placed"]}}), tmp_path)
    with pytest.raises(InputError, match="no objective is a compiled figure that is measured synthesised"):
        search(climbing("synthesised", objectives=[{"name": "accuracy", "direction": "maximise"}]), tmp_path)
    missing = FAMILIES["ecp5"].available().__class__(False, "nextpnr-ecp5 not found")
    monkeypatch.setattr(type(FAMILIES["ecp5"]), "available", lambda self: missing)
    with pytest.raises(ToolError, match="nextpnr-ecp5 not found"):
        search(climbing("placed"), tmp_path)
    assert not list(tmp_path.glob("trials"))
