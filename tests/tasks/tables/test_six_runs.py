"""Six tables of a user, each from ``codesign init`` to a report and a friend tree; only the label is edited.

All hold the same events: columns in other orders, labels of other kinds, codes swapped in one, none of our names.
"""

import json
import re

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pytest
import uproot
from pyarrow import csv, parquet

from codesign.core.errors import InputError
from codesign.core.runfolder import RunFolder
from codesign.handoff.apply import apply_bundle
from codesign.handoff.bundle import write_bundle
from codesign.report import write_report
from codesign.search.engine import run_study
from codesign.search.progress import Silent
from codesign.study.definition import load_study
from codesign.study.init import write_study
from tests.tasks.tables.made import events

ROWS = 5000
#: file -> the label's column, and what is edited of the study that init writes
FILES = {
    "a.csv": ("is_signal", None),
    "b.parquet": ("kind", None),
    "c.root": ("isSignal", None),
    "d.root": ("target", "{1: background, 0: signal}"),  # vectors, codes swapped
    "e.h5": ("label", None),
    "f.npz": ("truth", None),
}


def six(folder):
    y, columns = events(ROWS, 5)
    shuffled = {name: columns[name] for name in ("mass", "jets", "lepton_pt", "ht", "lepton_eta")}
    csv.write_csv(pa.table({**shuffled, "is_signal": y}), folder / "a.csv")
    parquet.write_table(pa.table({**columns, "kind": np.where(y == 1, "signal", "background")}), folder / "b.parquet")
    with uproot.recreate(folder / "c.root") as file:
        file["Events"] = {"isSignal": y.astype(bool), **shuffled}
    with uproot.recreate(folder / "d.root") as file:
        file["Events"] = {name: ak.Array(np.asarray(v, float)[:, None].tolist()) for name, v in columns.items()} | {
            "target": 1 - y
        }
    with h5py.File(folder / "e.h5", "w") as file:
        for name, values in {**columns, "label": y}.items():
            file[name] = values
    np.savez(folder / "f.npz", truth=y, **shuffled)


def study_of(folder, name):
    path = write_study(folder / name, folder / f"{name}.yaml")
    text = path.read_text()
    if (edited := FILES[name][1]) is not None:
        text = re.sub(r"    classes:\n(      .*\n)+", f"    classes: {edited}\n", text)
    text = re.sub(r"  epochs: \d+", "  epochs: 4", text)
    path.write_text(text)
    study = load_study(str(path))
    assert study.sample["label"]["column"] == FILES[name][0]
    return study


@pytest.mark.slow
def test_from_init_to_a_report_and_a_friend_tree(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    six(tmp_path)
    areas, weights, scores = {}, {}, {}
    for name in FILES:
        run = tmp_path / f"run-{name}"
        front = run_study(study_of(tmp_path, name), run, 1, 1, Silent(), store="none")
        (point,) = front.points
        assert point.verified.exact
        areas[name] = {m: point.metrics[m].value for m in ("auc_signal", "auc_background", "accuracy")}
        weights[name] = RunFolder(run).trial(point.trial).read_bytes("weights.safetensors", 1 << 24)
        assert "auc_signal" in write_report(run, tmp_path / f"{name}.html").read_text()
        bundle = write_bundle(run, point.trial, tmp_path / f"bundle-{name[0]}")
        meanings = json.loads((bundle / "manifest.json").read_text())["meanings"]
        assert set(meanings) == {"background", "signal"}
        (applied,) = apply_bundle(bundle, [tmp_path / name], tmp_path / f"scores-{name}.root")
        assert (applied.events, applied.rows) == (ROWS, ROWS)
        with uproot.open(applied.output) as file:
            tree = file["Events"]
            assert tree.num_entries == ROWS
            scores[name] = tree["codesign_signal_code"].array(library="np")
    assert len({json.dumps(found) for found in areas.values()}) == 1, areas
    assert len(set(weights.values())) == 1, "the same events from another file are another network"
    y, _ = events(ROWS, 5)
    for name, found in scores.items():
        assert np.array_equal(found, scores["a.csv"]), name
    assert scores["a.csv"][y == 1].mean() > scores["a.csv"][y == 0].mean()


def test_init_of_all_six_is_one_study_but_for_names(tmp_path):
    six(tmp_path)
    found = {name: study_of(tmp_path, name) for name in FILES}
    for name, study in found.items():
        plain = [re.sub(r"\[0\]$", "", feature) for feature in study.sample["features"]]
        assert plain == ["ht", "jets", "lepton_eta", "lepton_pt", "mass"], name
        assert list(dict.fromkeys(study.sample["label"]["classes"].values())) == ["background", "signal"], name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b,y\n", "has no rows"),
        ("a,b,y\n1,2,0\n1,3,0\n", "no column looks like a label"),
        ("a,y\n,0\n,1\n", "has no column of numbers beside 'y'"),
        ("a,a,y\n1,1,0\n2,2,1\n", "two columns 'a'"),
        ("1,2,0\n3,4,1\n", "is no line of names of columns"),
        ("", "is empty|is no table"),
    ],
)
def test_what_is_no_table_to_learn_from_is_said_in_one_line(tmp_path, text, said):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as error:
        write_study(path, tmp_path / "own.yaml")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "own.yaml").exists()
