"""The dashboard serves the search of a run, on this machine only."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from codesign.dse.dashboard import serve
from codesign.dse.storage import open_study
from codesign.errors import InputError
from codesign.runfolder import RunFolder
from codesign.study import load_study

pytest.importorskip("optuna_dashboard", reason="extra 'dashboard' is not installed")


def test_the_search_of_a_run_is_served_on_the_loopback(tmp_path):
    study = load_study("jet-tagger")
    (tmp_path / "study.yaml").write_text(study.to_yaml())
    name = open_study(RunFolder(tmp_path), study, None).study_name
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    command = [sys.executable, "-m", "codesign.cli", "dashboard", str(tmp_path), "--port", str(port), "--json"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    studies = []
    try:
        for _ in range(600):
            assert server.poll() is None, server.stderr.read()
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=30) as answer:
                    studies = json.load(answer)["study_summaries"]
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        assert [s["study_name"] for s in studies] == [name]
    finally:
        server.terminate()
        server.wait(30)
        said = server.stdout.read()
        server.stdout.close()
        server.stderr.close()
    assert json.loads(said) == {"url": f"http://127.0.0.1:{port}/"}


def test_a_run_without_a_search_is_named(tmp_path):
    with pytest.raises(InputError, match="has no search yet"):
        serve(RunFolder(tmp_path), 8080)
