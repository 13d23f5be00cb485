"""Where ``codesign apply`` writes: nothing of the user's is overwritten, and what is finished is not made again."""

from __future__ import annotations

import os
import signal

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import uproot
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import InputError
from codesign.handoff.apply import Scorer, apply_bundle
from codesign.handoff.apply import job as module


@pytest.fixture
def bundle(named_bundle):
    return named_bundle


@pytest.fixture
def scored(monkeypatch):
    """How many rows were scored."""
    count = [0]
    rows = Scorer.rows

    def counting(self, features, *arguments):
        count[0] += len(features)
        return rows(self, features, *arguments)

    monkeypatch.setattr(Scorer, "rows", counting)
    return count


def stamps(folder):
    return {p.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in folder.iterdir()}


@pytest.mark.parametrize("suffix", [".root", ".parquet"])
def test_a_file_that_is_no_scores_file_stays(bundle, table, tmp_path, suffix):
    source, mine = table(), tmp_path / f"mine{suffix}"
    if suffix == ".root":
        with uproot.recreate(mine) as file:
            file["Events"] = {"x": np.arange(3)}
    else:
        pyarrow.parquet.write_table(pyarrow.table({"x": [1, 2]}), mine)
    before = mine.read_bytes()
    for content in (before, b"my notes", b""):
        mine.write_bytes(content)
        with pytest.raises(InputError, match=rf"mine\{suffix} is there already, and is no whole file .*--force"):
            apply_bundle(bundle, [source], mine)
        assert mine.read_bytes() == content
    apply_bundle(bundle, [source], mine, force=True)
    (tmp_path / "h.root").write_bytes(before)
    with pytest.raises(InputError, match=r"h\.root is there already"):
        apply_bundle(bundle, [source], mine, histograms=tmp_path / "h.root")
    assert (tmp_path / "h.root").read_bytes() == before


def test_a_link_where_scores_would_be_stays(bundle, table, tmp_path):
    (tmp_path / "s.root").symlink_to(tmp_path / "nowhere.root")
    with pytest.raises(InputError, match=r"s\.root is there already"):
        apply_bundle(bundle, [table()], tmp_path / "s.root")
    assert (tmp_path / "s.root").is_symlink()
    assert not (tmp_path / "nowhere.root").exists()


def test_all_places_are_looked_at_before_anything_is_scored(bundle, table, tmp_path, scored):
    files = [table(f"{n}.parquet") for n in "ab"]
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b-scores.root").write_text("mine")
    with pytest.raises(InputError, match=r"b-scores\.root is there already"):
        apply_bundle(bundle, files, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"b-scores.root"}
    assert scored == [0]


@pytest.mark.parametrize("name", ["x.csv", "h.tar.gz", "scores.h5", "s.ROOTX", "a.zip"])
def test_names_of_other_forms_make_no_folder(bundle, table, tmp_path, name):
    with pytest.raises(InputError, match=r"nothing is written as '\.\w+' here: give NAME\.root, NAME\.parquet"):
        apply_bundle(bundle, [table()], tmp_path / name)
    assert not (tmp_path / name).exists()
    (tmp_path / name).mkdir()  # a folder that is there is meant
    apply_bundle(bundle, [table()], tmp_path / name)
    assert (tmp_path / name / "jets-scores.root").is_file()


def test_only_the_last_folder_is_made(bundle, table, tmp_path):
    for output in ("no/such/folder", "no/such/s.root"):
        with pytest.raises(InputError, match=r"there is no folder .*make it first"):
            apply_bundle(bundle, [table()], tmp_path / output)
    with pytest.raises(InputError, match="there is no folder"):
        apply_bundle(bundle, [table()], tmp_path / "s.root", histograms=tmp_path / "no" / "h.root")
    assert {p.name for p in tmp_path.iterdir()} == {"jets.parquet"}
    apply_bundle(bundle, [table()], tmp_path / "scores-1.2")
    assert (tmp_path / "scores-1.2" / "jets-scores.root").is_file()


def test_no_input_is_overwritten(bundle, table, tmp_path):
    source = table("jets.parquet")
    whole = source.read_bytes()
    (tmp_path / "hard.parquet").hardlink_to(source)
    (tmp_path / "soft.parquet").symlink_to(source)
    for name in ("jets.parquet", "hard.parquet", "soft.parquet"):
        with pytest.raises(InputError, match="would be overwritten by scores"):
            apply_bundle(bundle, [source], tmp_path / name, force=True)
    other = table("a-scores.parquet")
    a = table("a.parquet")
    with pytest.raises(InputError, match=r"a-scores\.parquet would be overwritten"):
        apply_bundle(bundle, [a, other], tmp_path, form="parquet", force=True)
    for name in ("s.root", "jets.parquet"):
        with pytest.raises(InputError, match=r"is one of the inputs, or of the files of scores|are written as"):
            apply_bundle(bundle, [source], tmp_path / "s.root", histograms=tmp_path / name, force=True)
    assert source.read_bytes() == whole


def test_a_form_that_is_not_its_suffix(bundle, table, tmp_path):
    with pytest.raises(InputError, match=r"parquet is written as \.parquet, not as \.root"):
        apply_bundle(bundle, [table()], tmp_path / "s.root", "parquet")
    with pytest.raises(InputError, match="unknown form 'csv'"):
        apply_bundle(bundle, [table()], tmp_path / "out", "csv")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["ttree", "rntuple", "parquet"])
def test_an_interrupted_run_goes_on_where_it_was(bundle, table, tmp_path, scored, monkeypatch, form):
    files = [table(f"{n}.parquet", 90, seed) for seed, n in enumerate("abc")]
    out, histograms = tmp_path / "out", tmp_path / "h.root"
    undisturbed = apply_bundle(bundle, files, tmp_path / "whole", form, histograms=tmp_path / "whole.root")
    jobs = module._jobs

    def broken(scorer, source, how, chunk, tree):
        for number, job in enumerate(jobs(scorer, source, how, chunk, tree)):
            if source.name == "c.parquet" and number == 2:
                raise KeyboardInterrupt
            yield job

    monkeypatch.setattr(module, "_jobs", broken)
    with pytest.raises(KeyboardInterrupt):
        apply_bundle(bundle, files, out, form, chunk=30, histograms=histograms)
    monkeypatch.setattr(module, "_jobs", jobs)
    suffix = ".parquet" if form == "parquet" else ".root"
    assert {p.name for p in out.iterdir()} == {f"a-scores{suffix}", f"b-scores{suffix}"}, "no half file stays"
    assert not histograms.exists()
    before = stamps(out)
    scored[0] = 0
    done = apply_bundle(bundle, files, out, form, chunk=30, histograms=histograms)
    assert [d.before for d in done] == [True, True, False]
    assert [(d.events, d.rows) for d in done] == [(d.events, d.rows) for d in undisturbed]
    assert scored == [90], "the third alone"
    assert {name: stamps(out)[name] for name in before} == before
    with uproot.open(histograms) as again, uproot.open(tmp_path / "whole.root") as once:
        for name in Scorer(bundle).outputs:
            assert np.array_equal(again[name].to_numpy()[0], once[name].to_numpy()[0])


def test_what_was_made_otherwise_is_made_again(bundle, table, tmp_path, scored, monkeypatch):
    files = [table(f"{n}.parquet") for n in "ab"]
    out = tmp_path / "out"

    def again(**more):
        scored[0] = 0
        return [d.before for d in apply_bundle(bundle, files, out, **more)]

    assert again() == [False, False]
    assert (again(), scored[0]) == ([True, True], 0)
    table("b.parquet", seed=5)  # as large as it was
    assert again() == [True, False]
    assert again(form="rntuple") == [False, False]
    half = out / "a-scores.root"
    half.write_bytes(half.read_bytes()[:-200])  # no file of ours is ever so; a disk may be
    with pytest.raises(InputError, match=r"a-scores\.root is there already"):
        again(form="rntuple")
    half.unlink()
    assert again(form="rntuple") == [False, True]
    assert again(form="rntuple", force=True) == [False, False]
    monkeypatch.setattr("codesign.handoff.apply.finished.checksum", lambda path: "0" * 64)  # another bundle
    assert again(form="rntuple") == [False, False]


def test_the_command_says_what_was_finished_and_how_to_go_on(bundle, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table()
    command = ["apply", str(bundle), "jets.parquet", "-o", "out"]
    assert CliRunner().invoke(app, command).exit_code == 0
    done = CliRunner().invoke(app, command)
    assert "1 of 1 were finished before (--force scores them anew)" in done.output

    def interrupted(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        raise InputError("not what is said first")

    monkeypatch.setattr(module, "_table_scores", interrupted)
    handler = signal.getsignal(signal.SIGTERM)
    done = CliRunner().invoke(app, [*command, "--force"])
    assert signal.getsignal(signal.SIGTERM) is handler
    assert done.exit_code == 130
    assert "interrupted; nothing was finished, and the same command begins again" in done.output
