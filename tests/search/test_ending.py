"""How a search without a proven front ends: its exit code, how many trials for which reasons, and what would help."""

import functools
import json

import pytest
import yaml
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.records import Front
from codesign.core.runfolder import RunFolder
from codesign.search import engine
from codesign.search.ending import ending, group
from tests.search.conftest import STUDY
from tests.search.small_search import changed, search

DOUBLES = {"pipeline": "toy"}


def ended(path, **changes):
    study = changed(**changes)
    return ending(RunFolder(path), study, search(study, path))


def test_reasons_that_differ_in_numbers_only_are_one():
    reasons = [
        ("infeasible", "lut 4500 is above 3000"),
        ("infeasible", "lut 3.5e3 is above 3000"),
        ("infeasible", "lut 9100 is above 3000; tpr_mean_1e-3 0.1 is below 0.2"),
        ("failed", "layer 2: rounding mode FLOOR16 is refused"),
    ]
    assert [(r.count, r.what, r.reason) for r in group(reasons)] == [
        (2, "infeasible", "lut 3.5e3 to 4500 is above 3000"),
        (1, "failed", "layer 2: rounding mode FLOOR16 is refused"),
        (1, "infeasible", "lut 9100 is above 3000; tpr_mean_1e-3 0.1 is below 0.2"),
    ]


def test_all_infeasible(tmp_path):
    found = ended(tmp_path, constraints=[{"name": "lut", "max": 2}, {"name": "accuracy", "min": 0.001}])
    assert not found.whole
    assert (found.trials, found.front) == (10, 0)
    (reason,) = [r for r in found.reasons if r.reason.endswith("is above 2")]
    assert (reason.count, reason.what) == (10, "infeasible")
    luts = [f.read_json("figures.json")["figures"][0]["value"] for f in RunFolder(tmp_path).trials()]
    assert f"lut {min(luts):g} to {max(luts):g} is above 2" == reason.reason
    nearest = luts.index(min(luts))
    assert found.remedies[0] == f"trial {nearest} is the nearest of 10: lut {min(luts):g} is above 2"
    assert found.remedies[1].startswith("the bound on lut rules out 10 of 10; the nearest to it, ")


def test_all_failed(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "fails")
    found = ended(tmp_path, space={"width": [4, 8, 12], "sparsity": 0.1})
    assert [(r.count, r.what, r.reason) for r in found.reasons] == [(3, "failed", "not exact on event 3")]
    assert "log.txt" in found.remedies[0]


def test_a_whole_front_is_the_end(study, tmp_path):
    assert ending(RunFolder(tmp_path), study, search(study, tmp_path, 3)).whole


@pytest.mark.parametrize(
    ("behaviour", "changes", "words"),
    [
        ("", {"constraints": [{"name": "lut", "max": 2}]}, "no front: none of the 2 trials is complete"),
        ("prove-breaks", {}, "unproven: OSError: no space left"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_ends_with_a_code_of_its_own(behaviour, changes, words, as_json, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "run_study", functools.partial(engine.run_study, **DOUBLES))
    monkeypatch.setenv("TOY", behaviour)
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(yaml.safe_load(STUDY) | changes))
    options = ["--trials", "2", "--workers", "1", "--run", str(tmp_path / "run"), "--no-report", "--no-cache"]
    done = CliRunner().invoke(app, ["run", str(tmp_path / "toy.yaml"), *options, *["--json"] * as_json])
    assert done.exit_code == 3, done.output
    front = json.loads((tmp_path / "run" / "front.json").read_text())
    if as_json:
        said = json.loads(done.stdout)
        assert said.pop("ending")["reasons"][0]["count"] > 0
        assert said == front
    else:
        assert words in done.stdout
        assert "to change it: " in done.stdout
    Front.model_validate(front)
