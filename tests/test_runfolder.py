import os

import pytest

from codesign.core.errors import InputError
from codesign.core.records import State, TrialStatus
from codesign.core.runfolder import RunFolder, write_atomically


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_records_come_back_and_bad_ones_are_named(tmp_path):
    folder = RunFolder(tmp_path).trial(7)
    status = TrialStatus(trial=7, state=State.FAILED, reason="it broke", seed=3)
    folder.write("status.json", status)
    assert folder.read("status.json", TrialStatus) == status
    assert folder.read("verify.json", TrialStatus) is None
    (folder.path / "status.json").write_text('{"trial": 7, "sate": "failed"}')
    with pytest.raises(InputError, match=r"status\.json.*"):
        folder.read("status.json", TrialStatus)
    (folder.path / "status.json").write_text("{")
    with pytest.raises(InputError, match="not valid JSON"):
        folder.read("status.json", TrialStatus)


def test_not_a_run_folder(tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        RunFolder.open(tmp_path)
    RunFolder(tmp_path).trial(12).write("status.json", {})
    (tmp_path / "trials" / "notes").mkdir()
    assert [t.number for t in RunFolder(tmp_path).trials()] == [12]
