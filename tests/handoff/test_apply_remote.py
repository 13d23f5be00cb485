"""Files at URLs, checks of all inputs before the first is scored, and what is said on the way."""

from __future__ import annotations

import functools
import http.server
import shutil
import sys
import threading

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import InputError
from codesign.handoff.apply import Scorer, apply_bundle
from codesign.handoff.apply.given_file import LocalFile, RemoteFile, given_file


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and of ``short.*`` one byte less than it says."""

    def log_message(self, *arguments):
        pass

    def copyfile(self, source, outputfile):
        if self.path.startswith("/short"):
            outputfile.write(source.read()[:-1])
        else:
            shutil.copyfileobj(source, outputfile)


@pytest.fixture
def served(tmp_path):
    """The URL of a server of the folder, which knows no ranges."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def scores(path):
    read = pyarrow.parquet.read_table(path)
    return np.stack([read[c] for c in read.column_names if c.endswith("_code")])


def test_a_file_at_a_url_is_scored_as_the_same_file_here(named_bundle, table, served, tmp_path):
    here = table()
    apply_bundle(named_bundle, [here], tmp_path / "a.parquet")
    url = f"{served}/jets.parquet"
    (done,) = apply_bundle(named_bundle, [url], tmp_path / "b.parquet")
    assert (done.source, done.rows, done.before) == (url, 60, False)
    assert np.array_equal(scores(tmp_path / "a.parquet"), scores(tmp_path / "b.parquet"))
    (done,) = apply_bundle(named_bundle, [url], tmp_path / "b.parquet")
    assert done.before, "the server says that it is the same file"
    table(seed=3)
    (done,) = apply_bundle(named_bundle, [url], tmp_path / "b.parquet")
    assert not done.before


def test_what_a_server_lacks_or_cuts_short_is_one_line(named_bundle, table, served, tmp_path):
    shutil.copy(table(), tmp_path / "short.parquet")
    for name, said in (("none.parquet", "no such file"), ("short.parquet", "cannot be read|bytes came")):
        with pytest.raises(InputError, match=rf"http://127\.0\.0\.1:\d+/{name}: ({said})"):
            apply_bundle(named_bundle, [f"{served}/{name}"], tmp_path / "s.parquet")
    assert not (tmp_path / "s.parquet").exists()
    (tmp_path / "nothing.parquet").write_bytes(b"neither a table nor events")
    with pytest.raises(InputError, match=r"nothing\.parquet"):
        apply_bundle(named_bundle, [f"{served}/nothing.parquet"], tmp_path / "s.parquet")


def test_a_url_that_nothing_reads_is_refused_by_the_packages_name(monkeypatch, tmp_path, named_bundle):
    monkeypatch.setitem(sys.modules, "fsspec_xrootd", None)
    url = "root://eospublic.cern.ch//eos/nano.root"
    with pytest.raises(InputError, match=r"^root://eospublic\.cern\.ch//eos/nano\.root: .* pip install fsspec-xrootd$"):
        apply_bundle(named_bundle, [url], tmp_path / "s.root")
    done = CliRunner().invoke(app, ["apply", str(named_bundle), url, "-o", str(tmp_path / "s.root")])
    assert str(done.exception).startswith(f"{url}: reading root:// needs the package 'fsspec-xrootd'")
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(InputError, match="pip install aiohttp"):
        given_file("https://somewhere/nano.root")
    with pytest.raises(InputError, match=r"not from file://: copy it here first"):
        given_file("file:///etc/passwd")
    with pytest.raises(InputError, match=r"is it root://\.\.\.\?"):
        given_file("root:/eospublic.cern.ch/eos/nano.root")


@pytest.mark.parametrize(
    ("url", "name"),
    [("http://h/a/nano.root?x=1", "nano.root"), ("https://h/b%20c.root", "b c.root"), ("http://h/%2e%2e", None)],
)
def test_a_url_names_a_file(url, name):
    if name is None:
        with pytest.raises(InputError, match="names no file"):
            _ = RemoteFile(url).name
    else:
        assert RemoteFile(url).name == name
    assert isinstance(given_file("nano.root"), LocalFile)


def test_every_input_is_checked_before_the_first_is_scored(named_bundle, table, tmp_path, monkeypatch):
    good = table("a.parquet")
    bad = [tmp_path / name for name in ("b.parquet", "c.parquet")]
    whole = pyarrow.parquet.read_table(good)
    pyarrow.parquet.write_table(whole.drop_columns(["f3"]), bad[0])
    bad[1].write_bytes(good.read_bytes()[:500])
    monkeypatch.setattr(Scorer, "rows", lambda *_: pytest.fail("something was scored"))
    with pytest.raises(InputError, match=r"b\.parquet: .*'f3'.*nor can 1 more: .*c\.parquet; none of the 3 files"):
        apply_bundle(named_bundle, [good, *bad], tmp_path / "out")


def test_the_way_is_told_in_events_of_all_files(named_bundle, table, tmp_path):
    files = [table(f"{n}.parquet", rows) for n, rows in (("a", 60), ("b", 90))]
    apply_bundle(named_bundle, files[:1], tmp_path / "out")
    told = []
    apply_bundle(named_bundle, files, tmp_path / "out", chunk=30, threads=1, progress=told.append)
    assert {t.total for t in told} == {150}
    assert [t.events for t in told] == sorted(t.events for t in told)
    assert (told[-1].events, told[-1].finished) == (150, 2)
    assert next(t for t in told if t.events == 60).rate is None, "what was finished before is no pace"
    assert "scores: 150 of 150 events" in told[-1].line()
    assert "a second, file 2 of 2 (b.parquet)" in told[-1].line()
    assert told[0].kept().startswith("none of 2 files")
    assert "1 of 2 files of scores are finished and stay" in next(t for t in told if t.finished == 1).kept()
