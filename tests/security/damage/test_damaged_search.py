"""A search taken up again from a damaged folder: one line, and nothing of what was finished is removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesign.core.errors import CodesignError, system_errors
from codesign.core.records import State, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.search import engine
from codesign.search.engine import run_study
from codesign.search.storage import open_study
from codesign.search.telling import recorded_score
from codesign.study.definition import parse_study
from tests.security.damage.damage import Damage, damages, spoilt
from tests.security.damage.damages import chosen, of_run

FILES = (
    "study.yaml", "target.json", "search.json", "study.journal", "front.json", "trials/T/status.json",
    "trials/T/config.json", "trials/T/metrics.json", "trials/T/figures.json",
)  # fmt: skip


class Beyond(CodesignError):
    """The search got as far as making its sample: all that it reads before was read."""


@pytest.fixture(scope="module")
def searched(made: tuple[Path, int, int]) -> Path:
    """The run, with a storage that knows its trials."""
    run = RunFolder(made[0])
    study = parse_study((run.path / "study.yaml").read_text(), "study.yaml")
    search = open_study(run, study, None)
    for folder in run.trials():
        asked = search.ask()
        asked.set_user_attr("trial", folder.number)
        status = folder.read("status.json", TrialStatus)
        if status is not None and status.state in (State.COMPLETE, State.INFEASIBLE):
            search.tell(asked, list(recorded_score(folder, study).values))
        else:
            search.tell(asked, state=_failed())
    return run.path


def _failed() -> object:
    from optuna.trial import TrialState

    return TrialState.FAIL


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> None:
    def beyond(*_: object, **__: object) -> None:
        raise Beyond("the sample is made")

    monkeypatch.setattr(engine._Search, "_sample", beyond)


def taken_up(base: Path, damage: Damage, scratch: Path) -> str:
    """How the search ends on a damaged copy of its folder; what else than an error of ours comes out is a fault."""
    study = parse_study((base / "study.yaml").read_text(), "study.yaml")
    with spoilt(base, damage, scratch) as run:
        before = {p.name for p in (run / "trials").iterdir()}
        try:
            with system_errors():
                run_study(study, run, trials=6)
        except Beyond:
            return ""
        except CodesignError as error:
            assert {p.name for p in (run / "trials").iterdir()} == before, "a refused search removed a trial"
            return str(error)
    return ""


def test_whole_it_is_taken_up(searched, stopping, tmp_path):
    assert taken_up(searched, Damage("study.yaml", "none", lambda path: None), tmp_path) == ""


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_search_is_refused_in_one_line(name, made, searched, stopping, tmp_path):
    for damage in chosen(list(damages(searched, of_run(name, made[1]))), 2):
        taken_up(searched, damage, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_damage_of_a_search(name, made, searched, stopping, tmp_path):
    found = []
    for damage in damages(searched, of_run(name, made[1])):
        try:
            taken_up(searched, damage, tmp_path)
        except Exception as error:
            found.append(f"{damage}: {type(error).__name__}: {error!s:.150}")
    assert found == []
