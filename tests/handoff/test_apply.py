"""Events and tables scored with a bundle: the firmware's integers, in order, kept apart by run, lumi and event."""

from __future__ import annotations

import json
import subprocess
import sys

import awkward as ak
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import uproot

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.handoff.apply import Scorer, apply_bundle
from codesign.handoff.apply.executors import OnnxEngine, compare
from codesign.handoff.check import read_manifest
from codesign.physics.events import write_events
from tests.handoff.scored_events import PerEvent, PerJet, expected_codes, same, some_events


@pytest.fixture
def per_jet(monkeypatch):
    monkeypatch.setattr(plugins, "load", lambda kind, name: PerJet())


@pytest.fixture
def per_event(monkeypatch):
    monkeypatch.setattr(plugins, "load", lambda kind, name: PerEvent())


@pytest.mark.parametrize("form", ["ttree", "rntuple", "parquet"])
def test_a_friend_has_one_entry_per_event_and_the_firmwares_integers(bundle, per_jet, tmp_path, form):
    events = some_events()
    write_events(tmp_path / "events.root", events)
    suffix = ".parquet" if form == "parquet" else ".root"
    (done,) = apply_bundle(bundle, [tmp_path / "events.root"], tmp_path / f"scores{suffix}", form, chunk=100)
    inputs = PerJet().inputs(events)
    codes = expected_codes(bundle, inputs.features)
    assert (done.events, done.rows) == (len(events), len(codes))
    if form == "parquet":
        columns = pyarrow.parquet.read_table(done.output)
        read = {name: ak.from_arrow(columns[name]) for name in columns.column_names}
    else:
        with uproot.open(done.output) as file:
            read = {name: file["Events"][name].array() for name in file["Events"].keys(recursive=False)}
    for name in ("run", "luminosityBlock", "event"):
        assert same(read[name], events[name])
    assert ak.all(ak.num(read["codesign_g"]) == ak.num(events.Jet))
    assert same(ak.flatten(read["codesign_object"]), inputs.object)
    lsbs = Design.load(bundle).outputs.lsbs
    for index, name in enumerate(("g", "q", "W", "Z", "t")):
        assert same(ak.flatten(read[f"codesign_{name}_code"]), codes[:, index])
        assert same(ak.flatten(read[f"codesign_{name}"]), codes[:, index] * lsbs[index])


def test_a_network_of_events_gives_plain_branches(bundle, per_event, tmp_path):
    events = some_events()
    write_events(tmp_path / "events.root", events)
    apply_bundle(bundle, [tmp_path / "events.root"], tmp_path / "scores.root", chunk=64, threads=3)
    codes = expected_codes(bundle, PerEvent().inputs(events).features)
    with uproot.open(tmp_path / "scores.root") as file:
        for index, name in enumerate("gqWZt"):
            assert same(file["Events"][f"codesign_{name}_code"].array(), codes[:, index])


def test_several_files_go_to_a_folder_and_a_bad_value_costs_only_its_file(bundle, per_jet, tmp_path):
    for number in range(2):
        write_events(tmp_path / f"good{number}.root", some_events(50, number))
    (tmp_path / "bad.root").write_bytes((tmp_path / "good0.root").read_bytes()[:900])
    files = [tmp_path / name for name in ("good0.root", "good1.root", "bad.root")]
    with pytest.raises(InputError, match=r"bad\.root.*none of the 3 files was scored"):
        apply_bundle(bundle, files, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())
    events = some_events(50)
    jets = events.Jet
    jets["pt"] = ak.where(jets.pt == ak.max(jets.pt), np.nan, jets.pt)
    write_events(tmp_path / "bad.root", ak.with_field(events, jets, "Jet"))
    with pytest.raises(InputError, match=r"bad\.root"):
        apply_bundle(bundle, files, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"good0-scores.root", "good1-scores.root"}


def table(path, rows, seed=0):
    rng = np.random.default_rng(seed)
    features = rng.normal(3, 20, (rows, 16)).astype(np.float32)
    names = [s.name for s in Scorer(path.parent / "bundle").manifest.inputs]
    columns = {name: features[:, i] for i, name in enumerate(names)} | {"event": np.arange(rows)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=97)
    return features


def test_a_table_with_a_column_per_feature(bundle, tmp_path):
    features = table(tmp_path / "jets.parquet", 1000)
    (done,) = apply_bundle(
        bundle, [tmp_path / "jets.parquet"], tmp_path / "s.parquet", chunk=128, histograms=tmp_path / "h.root"
    )
    read = pyarrow.parquet.read_table(done.output)
    assert same(read["event"], np.arange(1000))
    codes = expected_codes(bundle, features)
    assert same(read["codesign_q_code"], codes[:, 1])
    with uproot.open(tmp_path / "h.root") as file:
        counts, edges = file["q"].to_numpy()
        assert counts.sum() == 1000, "nothing lies outside of what the output's type can hold"
        values = codes[:, 1] * Design.load(bundle).outputs.lsbs[1]
        assert same(counts, np.histogram(values, edges)[0])


def test_memory_stays_bounded_whatever_the_length_of_a_table(bundle, tmp_path):
    """What Arrow holds at most, for a table of 40 row groups, is a few of its row groups."""
    rows, groups = 4000, 40
    values = np.random.default_rng(6).normal(size=(rows, 16)).astype(np.float32)
    one = pyarrow.table({name: values[:, i] for i, name in enumerate(Scorer(bundle).features)})
    with pyarrow.parquet.ParquetWriter(tmp_path / "long.parquet", one.schema, compression="none") as writer:
        for _ in range(groups):
            writer.write_table(one)
    command = (
        "import sys, pyarrow; from codesign.handoff.apply import apply_bundle; from pathlib import Path;"
        "apply_bundle(Path('bundle'), [Path('long.parquet')], Path('s.parquet'), chunk=4000, threads=1);"
        "print(pyarrow.default_memory_pool().max_memory())"
    )
    done = subprocess.run([sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10 * one.nbytes
    assert pyarrow.parquet.read_metadata(tmp_path / "s.parquet").num_rows == rows * groups


def test_a_missing_column_a_bad_number_and_an_unknown_kind_are_named(bundle, tmp_path):
    table(tmp_path / "jets.parquet", 10)
    whole = pyarrow.parquet.read_table(tmp_path / "jets.parquet")
    values = np.zeros(10, dtype=np.float32)
    values[3] = np.nan
    pyarrow.parquet.write_table(whole.set_column(2, "feature_2", pyarrow.array(values)), tmp_path / "nan.parquet")
    with pytest.raises(InputError, match=r"nan\.parquet: column 'feature_2', row 3: nan is not"):
        apply_bundle(bundle, [tmp_path / "nan.parquet"], tmp_path / "s.root")
    (tmp_path / "text.txt").write_text("no events")
    with pytest.raises(InputError, match=r"text\.txt|does not compute its inputs"):
        apply_bundle(bundle, [tmp_path / "text.txt"], tmp_path / "s.root")
    assert not (tmp_path / "s.root").exists()


def test_outputs_that_would_overwrite(bundle, tmp_path):
    table(tmp_path / "jets.parquet", 10)
    (tmp_path / "other").mkdir()
    same = [tmp_path / "jets.parquet", tmp_path / "other" / "jets.parquet"]
    with pytest.raises(InputError, match="the same file of scores"):
        apply_bundle(bundle, same, tmp_path / "out")
    with pytest.raises(InputError, match="would be overwritten"):
        apply_bundle(bundle, [tmp_path / "jets.parquet"], tmp_path / "jets.parquet")
    with pytest.raises(InputError, match="give a folder"):
        apply_bundle(bundle, same, tmp_path / "one.root")


def test_a_tampered_bundle_is_not_applied(bundle, tmp_path):
    table(tmp_path / "jets.parquet", 10)
    (bundle / "onnx" / "features.onnx").write_bytes((bundle / "onnx" / "codes.onnx").read_bytes())
    with pytest.raises(InputError, match=r"onnx/features\.onnx"):
        apply_bundle(bundle, [tmp_path / "jets.parquet"], tmp_path / "s.root")


def test_the_scorer_drops_into_a_coffea_processor(bundle, per_jet, tmp_path):
    from coffea.nanoevents import NanoAODSchema, NanoEventsFactory

    events = some_events(300)
    write_events(tmp_path / "events.root", events)
    nano = NanoEventsFactory.from_root(
        {str(tmp_path / "events.root"): "Events"}, schemaclass=NanoAODSchema, mode="eager"
    ).events()
    scores = Scorer(bundle)(nano)
    assert ak.all(ak.num(scores) == ak.num(nano.Jet))
    codes = expected_codes(bundle, PerJet().inputs(events).features)
    assert same(ak.flatten(scores.t_code), codes[:, 4])
    assert len(nano.Jet[scores.t > 0]) == 300


@pytest.mark.parametrize("scores", ["s.root", "s.parquet"])
def test_the_command_line(bundle, tmp_path, scores):
    table(tmp_path / "jets.parquet", 100)
    command = [sys.executable, "-m", "codesign.cli", "apply", "bundle", "jets.parquet", "-o", scores, "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [{"file": "jets.parquet", "scores": scores, "events": 100, "rows": 100}]


def test_the_emulator_scores_the_same(bundle, per_jet, tmp_path):
    """The bundle's own C++, built and loaded by the command: every number of every row is that of onnxruntime."""
    random = np.random.default_rng(3)
    features = (40 * random.standard_normal((5000, 16))).astype(np.float32)
    columns, built = (Scorer(bundle, emulator=e).rows(features) for e in (False, True))
    assert list(columns) == list(built)
    assert len(np.unique(columns["t"])) > 3
    for name, values in columns.items():
        assert values.dtype == built[name].dtype
        assert np.array_equal(values, built[name]), name


def test_engines_that_differ_are_told_apart(bundle):
    class Off:
        def run(self, features):
            scores, codes = engine.run(features)
            codes = codes.copy()
            codes[7, 2] += 1
            return scores, codes

    engine = OnnxEngine(Design.load(bundle), read_manifest(bundle))
    features = np.random.default_rng(4).normal(size=(20, 16)).astype(np.float32)
    assert compare(engine, engine, features) == 20
    with pytest.raises(InputError, match="row 7: first gives"):
        compare(engine, Off(), features)
