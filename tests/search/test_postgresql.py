"""A search in PostgreSQL, its server started here on a Unix socket: shared by runs, stopped and started again."""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import pytest

from codesign.core.errors import InputError, ToolError
from codesign.core.records import State
from codesign.core.runfolder import RunFolder
from codesign.search import patient
from codesign.search.storage import open_study
from tests.processes import wait_for
from tests.search.postgresql_server import Server, binary
from tests.search.small_search import search, statuses, trace

pytest.importorskip("psycopg", reason="the extra 'postgres' is not installed")


@pytest.fixture(scope="module")
def server():
    if binary("initdb") is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    root = Path(tempfile.mkdtemp(prefix="codesign-pg-", dir="/tmp"))
    server = Server(root)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(root)


def known(path, study, url):
    trials = open_study(RunFolder(path), study, url).get_trials(deepcopy=False)
    return sorted(t.user_attrs["trial"] for t in trials if t.state.name == "COMPLETE")


def test_runs_share_a_database_and_find_what_a_journal_finds(server, study, tmp_path):
    for name in ("one", "two"):
        search(study, tmp_path / name, 5, storage=server.url)
        assert known(tmp_path / name, study, server.url) == list(range(5))
    search(study, tmp_path / "journal", 5)
    assert trace(tmp_path / "one") == trace(tmp_path / "two") == trace(tmp_path / "journal")


def test_a_database_that_goes_and_comes_back_costs_nothing(server, study, tmp_path, monkeypatch):
    monkeypatch.setenv("TOY", "waits-4")

    def restart():
        wait_for((tmp_path / "trials" / "0004").exists)
        server.stop()
        (tmp_path / "go").touch()  # trials that waited end now, and have nobody to tell
        time.sleep(1)
        server.start()

    restarting = threading.Thread(target=restart)
    restarting.start()
    front = search(study, tmp_path, 8, workers=2, storage=server.url)
    restarting.join()
    found = statuses(tmp_path)
    assert sorted(found) == known(tmp_path, study, server.url) == list(range(8)), "none lost, none counted twice"
    assert {s.state for s in found.values()} <= {State.COMPLETE, State.INFEASIBLE}
    assert front.points


def test_a_database_that_stays_away_ends_the_search_in_order(server, study, tmp_path, monkeypatch):
    search(study, tmp_path, 2, storage=server.url)
    opened = open_study(RunFolder(tmp_path), study, server.url)
    monkeypatch.setattr(patient, "SECONDS_GONE", 0.5)
    server.stop()
    with pytest.raises(ToolError, match=r"the search's database has been gone for 0.5 s"):
        opened.ask()
    server.start()
    search(study, tmp_path, 4, storage=server.url)
    assert known(tmp_path, study, server.url) == [0, 1, 2, 3]


def test_a_worker_that_begins_while_the_database_is_gone_waits_for_it(server, study, tmp_path):
    search(study, tmp_path, 2, storage=server.url)
    server.stop()
    with pytest.raises(InputError, match="cannot open the postgresql"):
        open_study(RunFolder(tmp_path), study, server.url)
    threading.Timer(0.7, server.start).start()
    opened = patient.open_again(lambda: open_study(RunFolder(tmp_path), study, server.url))
    assert len(opened.get_trials(deepcopy=False)) >= 2
