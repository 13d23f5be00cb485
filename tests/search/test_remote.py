"""The processes that do a cluster's jobs: kept for the next job of the same search, and for no other."""

import json
import os
import signal

import pytest

from codesign.core.runfolder import RunFolder
from codesign.core.store import pack, unpack
from codesign.search import remote
from tests.processes import PATIENCE
from tests.search.small_search import search


@pytest.fixture
def idle(monkeypatch):
    """No process waits at first, and none is left."""
    found = remote._Idle()
    monkeypatch.setattr(remote, "_idle", found)
    yield found
    for _, process in found._waiting:
        process.end()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    from codesign.study.definition import parse_study
    from tests.search.conftest import STUDY

    folder = tmp_path_factory.mktemp("run")
    search(parse_study(STUDY, "toy.yaml"), folder, 1)
    return RunFolder(folder)


def words(run):
    doubles = {"pipeline": "toy"}
    return json.dumps({"study": (run.path / "study.yaml").read_text(), "store": None} | doubles)


def shared(run, *names):
    paths = [run.path / name for name in ("sample.json", "study.yaml", "target.json")]
    return pack(remote.files_below(run.path, *paths, *(run.path / "parts" / f"{name}.npz" for name in names)))


def carried_out(run, trial, width, seconds=None):
    """Status and new files of one trial that a cluster worker carries out."""
    config = run.trial(0).read_json("config.json") | {"width": width}
    files = pack({f"trials/{trial:04d}/config.json": json.dumps(config).encode()})
    job = json.dumps({"kind": "Evaluate", "trial": trial, "note": None})
    answer, new = remote.carry_out(words(run), job, files, shared(run, "train", "validation"), seconds)
    return json.loads(answer), unpack(new)


def test_a_process_does_one_job_after_the_other_and_keeps_nothing_of_them(run, idle):
    first, _ = carried_out(run, 1, 10)
    (key, process), *rest = idle._waiting
    second, new = carried_out(run, 2, 20)
    assert not rest
    assert idle._waiting == [(key, process)]
    assert [a["status"]["state"] for a in (first, second)] == ["complete", "complete"]
    assert {name.split("/")[1] for name in new} == {"0002"}
    assert "trials/0002/metrics.json" in new


def test_a_process_that_searched_is_not_the_one_that_sees_the_test_split(run, idle):
    carried_out(run, 1, 10)
    [(_, before)] = idle._waiting
    job = json.dumps({"kind": "JudgeBaseline"})
    answer, new = remote.carry_out(words(run), job, pack({}), shared(run, "train", "validation", "test"), None)
    [(_, after)] = idle._waiting
    assert json.loads(answer) == {"error": None}
    assert "baseline.json" in unpack(new)
    assert after is not before
    assert before._process.poll() is not None
    assert not before._root.exists()


def test_a_process_that_ended_while_it_waited_costs_nothing(run, idle):
    carried_out(run, 1, 10)
    [(_, process)] = idle._waiting
    os.killpg(process._process.pid, signal.SIGKILL)
    process._process.wait()
    answer, _ = carried_out(run, 2, 20)
    assert answer["status"]["state"] == "complete"
    assert idle._waiting[0][1] is not process


def test_a_process_with_nothing_to_do_goes(run, idle, monkeypatch):
    monkeypatch.setattr(remote, "_IDLE_SECONDS", 0.2)
    carried_out(run, 1, 10)
    [(_, process)] = idle._waiting
    assert process._process.wait(PATIENCE) == 0
    assert carried_out(run, 2, 20)[0]["status"]["state"] == "complete"


def test_a_death_and_a_job_that_hangs_are_answers(run, idle, monkeypatch):
    monkeypatch.setenv("TOY", "suicide hang")
    assert carried_out(run, 1, 7)[0] == {"died": "was killed by SIGKILL"}
    assert carried_out(run, 3, 6, seconds=0.5)[0] == {"died": "took longer than 0.5 s", "late": True}
    assert idle._waiting == []
