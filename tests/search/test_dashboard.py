"""The dashboard serves the search of a run, on this machine only, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import pytest

from codesign.core.errors import InputError
from codesign.core.runfolder import RunFolder
from codesign.search import dashboard
from codesign.search.dashboard import serve
from codesign.search.storage import open_study
from codesign.study.definition import load_study
from tests.processes import PATIENCE

pytest.importorskip("optuna_dashboard", reason="extra 'dashboard' is not installed")


@pytest.fixture
def searched(tmp_path):
    study = load_study("jet-tagger")
    (tmp_path / "study.yaml").write_text(study.to_yaml())
    return tmp_path, open_study(RunFolder(tmp_path), study, None).study_name


def test_the_search_of_a_run_is_served_on_the_loopback(searched):
    folder, name = searched
    command = [sys.executable, "-m", "codesign.cli", "dashboard", str(folder), "--port", "0", "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = json.loads("".join(iter(server.stdout.readline, "}\n")) + "}")["url"]
        assert url.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{url}api/studies", timeout=PATIENCE) as answer:
            studies = json.load(answer)["study_summaries"]
        assert [s["study_name"] for s in studies] == [name]
    finally:
        server.terminate()
        said, errors = server.communicate(timeout=PATIENCE)
    assert (server.returncode, said) == (130, ""), errors
    assert errors.startswith("interrupted; ")


def test_an_interrupt_within_a_request_ends_it_once_that_is_answered(monkeypatch):
    monkeypatch.setattr(dashboard, "_SECONDS_TO_END", PATIENCE)
    answers, ended, asking = [], threading.Event(), []

    def application(environ, start):
        os.kill(os.getpid(), signal.SIGINT)
        ended.wait(0.1)  # long enough to be interrupted, here or elsewhere
        start("200 OK", [])
        return [b"whole"]

    def ask(url):
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                answers.append(answer.read())
        except urllib.error.HTTPError as error:
            answers.append(error.read())
        if not ended.wait(PATIENCE):
            os.kill(os.getpid(), signal.SIGINT)

    def ready(url):
        asking.append(threading.Thread(target=ask, args=(url,)))
        asking[0].start()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a library may have set another
    try:
        with pytest.raises(KeyboardInterrupt):
            dashboard._answer(application, 0, ready)
    finally:
        ended.set()
        signal.signal(signal.SIGINT, before)
    asking[0].join()
    assert answers == [b"whole"]


def test_a_port_that_is_taken_and_a_run_without_a_search_are_named(searched, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"cannot serve on 127.0.0.1:{port} \(Address already in use\)"):
            serve(RunFolder(searched[0]), port, None, print)
    (searched[0] / "search.json").unlink()
    with pytest.raises(InputError, match="has no search yet"):
        serve(RunFolder(searched[0]), 8080, None, print)
