"""Trials that fail for want of a package or a program are run again, the same, when it is here."""

import importlib

import pytest

from codesign.core.errors import ToolError
from codesign.core.records import State
from codesign.core.runfolder import RunFolder
from codesign.pipeline.lacking import is_here, lacking
from codesign.search.ending import ending
from tests.processes import wait_for
from tests.search.small_search import Notes, changed, optuna_states, search, statuses, trace
from tests.search.started import start


def raised(work):
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError


def no_compiler():
    from codesign.pipeline.doctor import require_compilers

    require_compilers(("g++", "make"))


def by_hand():
    try:
        importlib.import_module("no_such_module")
    except ImportError:
        raise ImportError("Installation of onnx and onnxoptimizer is required.") from None


def wrapped():
    try:
        importlib.import_module("no_such.module")
    except ImportError as error:
        raise RuntimeError("the export failed") from error


def test_what_is_lacking_is_named(monkeypatch, tmp_path):
    assert is_here("g++")
    assert is_here("onnx")
    assert lacking(ToolError("g++: exit code 1; fatal error")) == [], "what is here is not lacking"
    assert lacking(ZeroDivisionError("g++")) == []
    assert lacking(raised(wrapped)) == ["no_such"]
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert lacking(raised(no_compiler)) == ["g++", "make"]
    monkeypatch.setattr("codesign.pipeline.lacking.find_spec", lambda name: None if name == "onnxoptimizer" else True)
    assert lacking(raised(by_hand)) == ["onnxoptimizer"]


@pytest.fixture
def lacked(tmp_path, monkeypatch):
    """A run of which some trials failed for want of a module, and the function that brings it."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("TOY", "lacks")
    study = changed()
    search(study, tmp_path / "run", 6)
    found = {n for n, s in statuses(tmp_path / "run").items() if s.lacking}
    assert 0 < len(found) < 6
    return study, tmp_path / "run", found, folder / "toy_optimizer.py"


def test_trials_are_run_again_with_the_same_configuration_when_it_is_here(lacked, tmp_path, monkeypatch):
    study, run, failed, module = lacked
    for status in [statuses(run)[n] for n in failed]:
        assert (status.state, status.lacking) == (State.FAILED, ["toy_optimizer"])
        assert status.reason == "ModuleNotFoundError: No module named 'toy_optimizer'"
    before = {t.number: t.read_json("config.json") for t in RunFolder(run).trials()}
    front = (run / "front.json").read_bytes()
    search(study, run, 6)
    assert (run / "front.json").read_bytes() == front, "it is still lacking: nothing to do"
    module.touch()
    notes = Notes()
    search(study, run, 6, progress=notes)
    assert {t.number: t.read_json("config.json") for t in RunFolder(run).trials()} == before
    found = statuses(run)
    assert {found[n].state for n in failed} <= {State.COMPLETE, State.INFEASIBLE}
    for number in failed:
        assert found[number].notes == ["run again: at first it failed for want of toy_optimizer"]
        assert not found[number].lacking
        assert f"trial {number} is run again: it failed for want of toy_optimizer, which is here now" in notes.notes
    assert sorted(n for n, state, _ in optuna_states(run, study) if state == "COMPLETE") == list(range(6))
    seeds = {n: seed for n, _, _, seed in trace(run)}
    monkeypatch.delenv("TOY")
    search(study, tmp_path / "whole", 6)
    assert {n: seed for n, _, _, seed in trace(tmp_path / "whole")} == seeds


def test_a_retry_that_is_killed_is_tried_again(lacked, tmp_path, monkeypatch):
    study, run, failed, module = lacked
    module.touch()
    config = {n: RunFolder(run).trial(n).read_json("config.json") for n in failed}
    monkeypatch.setenv("PYTHONPATH", str(module.parent))
    driver = start(tmp_path, f"lacks hang-{min(failed)}")
    marker = run / "hanging"
    wait_for(lambda: marker.exists() and marker.read_text())
    driver.kill()
    driver.communicate()
    assert statuses(run)[min(failed)].state == State.RUNNING
    search(study, run, 6)
    assert {n: RunFolder(run).trial(n).read_json("config.json") for n in failed} == config
    assert {statuses(run)[n].state for n in failed} <= {State.COMPLETE, State.INFEASIBLE}


def test_a_search_that_lacks_everything_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "lacks")
    study = changed(space={"width": [5, 7], "sparsity": 0.1})
    found = ending(RunFolder(tmp_path), study, search(study, tmp_path, 2))
    assert found.remedies == [
        "install toy_optimizer (see 'codesign doctor'): the same command then tries these trials again"
    ]
