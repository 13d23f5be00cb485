"""How `make bench-constituents` compares: no ratio of networks that are not equal, and a small run of the whole."""

import json
import subprocess
import sys

import numpy as np
import pytest

from codesign.data.sample import Part
from tests.benchmarks.sets.__main__ import judged
from tests.benchmarks.sets.jets import Jets
from tests.benchmarks.sets.ours import Given, chosen, trainings_of
from tests.benchmarks.sets.ratios import Gap, Placed, against, lut_ratio, together
from tests.trees import ROOT

SMALL, LARGE, THEIRS = Placed("small", 100, 0.60), Placed("large", 300, 0.65), Placed("theirs", 1000, 0.65)


def gap(one, other):
    """By the accuracies, with an error of 0.002."""
    known = {p.key: p.accuracy for p in (SMALL, LARGE, THEIRS, Placed("best", 4000, 0.7), Placed("tiny", 50, 0.55))}
    return Gap(known[one] - known[other], 0.002)


def test_a_ratio_of_unequal_networks_is_refused():
    assert lut_ratio(LARGE, THEIRS, gap("large", "theirs")) == pytest.approx(0.3)
    assert lut_ratio(LARGE, THEIRS, Gap(-0.0019, 0.002)) == pytest.approx(0.3)
    with pytest.raises(ValueError, match=r"'small' is worse than 'theirs' by 0\.0500, more than the error of 0\.0020"):
        lut_ratio(SMALL, THEIRS, gap("small", "theirs"))


def test_the_cheapest_that_is_as_accurate_counts():
    found = against([LARGE, SMALL], [THEIRS, Placed("tiny", 50, 0.55)], gap, 0.5)
    tiny, theirs = found["rows"]
    assert (tiny["ours"], tiny["ratio"]) == ("small", 2.0)  # where theirs are cheaper it is said
    assert (theirs["ours"], theirs["ratio"], theirs["difference"]) == ("large", 0.3, 0.0)
    assert found["ratio"] == pytest.approx(np.sqrt(2 * 0.3), abs=1e-3)
    assert (found["least"], found["most"], found["met"]) == (0.3, 2.0, False)


def test_an_aim_is_not_met_where_one_of_theirs_is_not_reached():
    found = against([LARGE], [THEIRS, Placed("best", 4000, 0.7)], gap, 0.5)
    assert (found["networks"], found["reached"], found["ratio"], found["met"]) == (2, 1, 0.3, False)
    assert "ratio" not in found["rows"][1]
    assert against([LARGE], [THEIRS], gap, 0.5)["met"]
    assert not against([LARGE], [THEIRS], gap, 0.2)["met"]
    nothing = against([SMALL], [THEIRS], gap, 0.5)
    assert nothing["reached"] == 0
    assert "ratio" not in nothing
    assert not nothing["met"]


def test_seeds_are_taken_together_each_of_theirs_beside_ours_of_its_own_seed():
    one, other = against([SMALL, LARGE], [THEIRS], gap, 0.5), against([SMALL], [THEIRS], gap, 0.5)
    both = together([one, other])
    assert (both["networks"], both["reached"], both["ratio"], both["met"]) == (2, 1, 0.3, False)
    assert together([one, one])["met"]


def test_the_cheapest_networks_that_validation_jets_find_as_accurate_are_chosen():
    costs = {"a": (0.50, 100, 30), "b": (0.55, 400, 50), "c": (0.552, 300, 60), "d": (0.60, 900, 90)}
    given = [Given(k, "t", None, {}, score, {1: one, 9: nine}) for k, (score, one, nine) in costs.items()]
    named = lambda interval, *scores: [own.name for own in chosen(given, interval, scores)]  # noqa: E731
    assert named(1, 0.546) == ["c"]
    assert named(9, 0.545) == ["b"]
    assert named(1, 0.503) == ["a", "c"]  # within the error of validation jets, and above it
    assert named(1, 0.549) == ["c", "d"]  # and whatever it is
    assert named(1, 0.61) == []
    assert named(1, 0.604) == ["d"]


def test_trainings_take_no_more_items_than_there_are_and_all_of_the_time():
    for items in (8, 16, 32, 64):
        once, thrice = trainings_of(items), trainings_of(items, 3)
        for own in (once, thrice):
            assert sum(t.share for t in own) == pytest.approx(1.0), "of three times as much, that is"
            assert all(0 < t.items <= items for t in own)
            assert len({t.name for t in own}) == len({t.items for t in own}) == len(own)
        assert not {t.name for t in once} & {t.name for t in thrice}


def test_ours_of_each_time_are_compared_as_ours_of_that_time(tmp_path):
    """Ours at three times the time stand beside HGQ2's of three times, never beside theirs of one."""
    y = np.arange(400) % 4
    test = Part("test", np.zeros((400, 1), np.float32), y, class_names=("a", "b", "c", "d"))
    jets, rows = Jets(8, None, None, None, None, test, None), []
    for side, training, lut, wrong in (
        ("HGQ2", "HGQ2", 1000, 40),
        ("HGQ2", "HGQ2, three times the time", 2000, 20),
        ("codesign", "deepsets, 8 items", 300, 40),
        ("codesign", "deepsets, 8 items, three times the time", 500, 20),
    ):
        labels = np.where(np.arange(400) < wrong, (y + 1) % 4, y)
        np.save(tmp_path / f"{training}.npy", labels.astype(np.uint8))
        rows.append({"key": training, "side": side, "training": training, "interval": 1, "lut": lut, "seed": 0})
    found = judged(rows, jets, lambda row: tmp_path / f"{row['training']}.npy")
    beside = {name: [(r["theirs"], r.get("ours")) for r in own["rows"]] for name, own in found.items()}
    assert beside == {
        "ours at 1, HGQ2 at 1": [("HGQ2", "deepsets, 8 items")],
        "ours at 1, HGQ2, three times the time at 1": [("HGQ2, three times the time", None)],
        "ours, three times the time, at 1, HGQ2, three times the time at 1": [
            ("HGQ2, three times the time", "deepsets, 8 items, three times the time")
        ],
    }


def test_the_record_has_no_ratio_of_unequal_networks():
    record = json.loads((ROOT / "reports" / "reference" / "constituents_bench.json").read_text(encoding="utf-8"))
    for own in record["items"].values():
        designs = {row["key"]: row for row in own["designs"]}
        for name, compared in own["summary"].items():
            ratios = [row for row in compared["rows"] if "ratio" in row]
            assert len(ratios) == compared["reached"]
            for row in ratios:
                ours, theirs = designs[row["ours"]], designs[row["theirs"]]
                assert row["difference"] >= -row["difference_error"], name
                assert row["difference"] == pytest.approx(ours["accuracy"] - theirs["accuracy"], abs=2e-4)
                assert row["ratio"] == pytest.approx(ours["lut"] / theirs["lut"], abs=1e-3)
        for row in designs.values():
            assert "refused" in row or not row.get("rows_that_differ_of_4000", 0), row["key"]


@pytest.mark.slow
def test_a_small_run_from_jets_to_record(tmp_path):
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.sets",
        "--items",
        "8",
        "--seeds",
        "0",
        "--train",
        "2000",
        "--test",
        "1000",
    ]
    command += [
        "--seconds",
        "4",
        "--limit",
        "2",
        "--work",
        str(tmp_path / "work"),
        "--output",
        str(tmp_path / "r.json"),
    ]
    for _ in range(2):  # the second time nothing is measured again
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    assert "synthesis_seconds" not in done.stdout
    own = json.loads((tmp_path / "r.json").read_text())["items"]["8"]
    sides = {(row["side"], row.get("interval")) for row in own["designs"] if "refused" not in row}
    assert {("codesign", 1), ("codesign", 9)} <= sides
    for row in own["designs"]:
        assert "refused" in row or (0.2 < row["accuracy"] < 0.9 and row["lut"] > 0 and row["dsp"] == 0), row
