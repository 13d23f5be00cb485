"""Files that go wrong under ``codesign apply``: read as they are meant, or refused by file, column, row and reason."""

from __future__ import annotations

import awkward as ak
import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.handoff.apply import Scorer, apply_bundle
from codesign.handoff.apply.names import INTEGER, OBJECT, TRIGGER, branch_names
from codesign.physics.events import write_events
from tests.handoff.conftest import bundle_called, features
from tests.handoff.scored_events import PerEvent, PerJet, expected_codes, same, some_events


@pytest.fixture
def bundle(named_bundle):
    return named_bundle


def columns(values, names, **changes):
    return {name: values[:, i] for i, name in enumerate(names)} | changes


def save(path, table, tree="jets"):
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.table(table), path, row_group_size=130)
        return path
    with uproot.recreate(path) as file:
        tree_of(file, tree, table)
    return path


def tree_of(file, name, table):
    """Write a TTree: what is assigned to a file is an RNTuple for uproot of today."""
    types = {n: v.type.content if isinstance(v, ak.Array) else v.dtype.newbyteorder("=") for n, v in table.items()}
    shapes = {n: (t, v.shape[1:]) if isinstance(v, np.ndarray) and v.ndim > 1 else t
              for (n, v), t in zip(table.items(), types.values(), strict=True)}  # fmt: skip
    file.mktree(name, shapes).extend(table)


def scores(path, name="q_code"):
    with uproot.open(path) as file:
        return file["Events"][f"codesign_{name}"].array()


@pytest.mark.parametrize("kind", ["root", "parquet"])
@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan is not a finite"), (1e300, "1e.300 is beyond what float32")])
def test_a_bad_number_is_named_by_file_column_and_row(bundle, names, tmp_path, kind, value, said):
    column = np.zeros(600)
    column[[250, 400]] = value
    path = save(tmp_path / f"bad.{kind}", columns(features(), names, f3=column))
    with pytest.raises(InputError, match=rf"bad\.{kind}: column 'f3', row 250: {said}"):
        apply_bundle(bundle, [path], tmp_path / "s.root", chunk=100, threads=2)
    assert not (tmp_path / "s.root").exists()


def test_two_numbers_a_row_and_text_are_no_feature(bundle, names, tmp_path):
    values = features(50)
    two = columns(values, names, f3=np.ones((50, 2), dtype=np.float32))
    said = r"\.root: column 'f3' holds (float\[2\]|std::array<float,2>), not numbers: a feature is one number a row"
    with uproot.recreate(tmp_path / "rntuple.root") as file:
        file["jets"] = two
    for path in (save(tmp_path / "vec.root", two), tmp_path / "rntuple.root"):
        with pytest.raises(InputError, match=said):
            apply_bundle(bundle, [path], tmp_path / "s.root")
    lists = ak.from_regular(ak.Array(np.ones((50, 2))))
    for kind in ("root", "parquet"):
        held = lists if kind == "root" else ak.to_arrow(lists, extensionarray=False)
        path = save(tmp_path / f"list.{kind}", columns(values, names, f3=held))
        with pytest.raises(InputError, match=rf"list\.{kind}: column 'f3' holds a list a row"):
            apply_bundle(bundle, [path], tmp_path / "s.root")
        texts = columns(values, names, f3=ak.Array(["x"] * 50) if kind == "root" else ["x"] * 50)
        path = tmp_path / f"text.{kind}"
        if kind == "root":
            with uproot.recreate(path) as file:
                file["jets"] = texts
        else:
            save(path, texts)
        with pytest.raises(InputError, match=rf"text\.{kind}: column 'f3' holds .*: a feature is one number a row"):
            apply_bundle(bundle, [path], tmp_path / "s.root")


def test_text_beside_the_features_does_no_harm(bundle, names, tmp_path):
    path = save(tmp_path / "t.parquet", columns(features(40), names, label=["g"] * 40, event=np.arange(40)))
    apply_bundle(bundle, [path], tmp_path / "s.root")
    with uproot.open(tmp_path / "s.root") as file:
        assert same(file["Events"]["event"].array(), np.arange(40))
        assert "label" not in file["Events"].keys()  # noqa: SIM118, a tree is no mapping


def test_the_highest_cycle_of_a_tree_is_read(bundle, names, tmp_path):
    old, new = features(30, 1), features(60, 2)
    with uproot.recreate(tmp_path / "two.root") as file:
        tree_of(file, "jets", columns(old, names))
        tree_of(file, "jets", columns(new, names))
        assert len(file.keys()) == 2
    apply_bundle(bundle, [tmp_path / "two.root"], tmp_path / "s.root")
    assert same(scores(tmp_path / "s.root"), expected_codes(bundle, new)[:, 1])


def test_of_two_trees_one_is_named(bundle, names, tmp_path):
    one, other = features(30, 1), features(60, 2)
    with uproot.recreate(tmp_path / "two.root") as file:
        tree_of(file, "first", columns(one, names))
        tree_of(file, "deep/second", columns(other, names))
        file["second"] = columns(other, names)  # an RNTuple
    files = [tmp_path / "two.root"]
    with pytest.raises(InputError, match=r"two\.root: several trees.* 'first', 'second'; say which with --tree"):
        apply_bundle(bundle, files, tmp_path / "s.root")
    with pytest.raises(InputError, match=r"no tree 'secnod' \(did you mean 'second'\?\); trees in it: 'f"):
        apply_bundle(bundle, files, tmp_path / "s.root", tree="secnod")
    for tree, values in (("first", one), ("second", other), ("deep/second", other)):
        apply_bundle(bundle, files, tmp_path / "s.root", tree=tree)
        assert same(scores(tmp_path / "s.root"), expected_codes(bundle, values)[:, 1])


def test_what_is_no_table_is_refused_for_what_it_is(bundle, names, tmp_path):
    (tmp_path / "folder.root").mkdir()
    (tmp_path / "text.csv").write_text("f0,f1\n1,2\n")
    with uproot.recreate(tmp_path / "none.root") as file:
        file["note"] = "no tree"
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["f0"] = np.zeros(3)
    lacking = columns(features(20), names)
    lacking["f33"] = lacking.pop("f3")
    save(tmp_path / "lacking.root", lacking)
    for name, said in (
        ("folder.root", r"folder\.root is a folder: give the files in it"),
        ("missing.root", r"missing\.root: no such file"),
        ("text.csv", r"text\.csv: the task 'jet-tagging' does not compute .* no column 'f2'"),
        ("none.root", r"none\.root: .*trees in it: none"),
        ("a.h5", r"a\.h5: the task .* no column 'f1'"),
        ("lacking.root", r"lacking\.root: .* no column 'f3' \(did you mean 'f33'\?\)"),
    ):
        with pytest.raises(InputError, match=said):
            apply_bundle(bundle, [tmp_path / name], tmp_path / "s.root")


@pytest.mark.parametrize("suffix", [".root", ".parquet"])
def test_a_table_without_rows_gives_empty_scores_and_the_next_is_read(bundle, names, tmp_path, suffix):
    empty = save(tmp_path / f"a{suffix}", columns(features(0), names, event=np.empty(0, dtype=np.int64)))
    full = save(tmp_path / f"b{suffix}", columns(features(70), names, event=np.arange(70)))
    form = "parquet" if suffix == ".parquet" else None
    done = apply_bundle(bundle, [empty, full], tmp_path / "out", form, histograms=tmp_path / "h.root")
    assert [(d.events, d.rows) for d in done] == [(0, 0), (70, 70)]
    schemas = []
    for one in done:
        if suffix == ".parquet":
            schemas.append(pyarrow.parquet.read_schema(one.output).remove_metadata())
        else:
            with uproot.open(one.output) as file:
                schemas.append([(b.name, b.typename) for b in file["Events"].branches])
                assert file["Events"].num_entries == one.events
    assert schemas[0] == schemas[1]


@pytest.mark.parametrize("form", ["ttree", "rntuple", "parquet"])
@pytest.mark.parametrize("task", [PerJet, PerEvent])
def test_a_file_without_events_gives_an_empty_friend(bundle, tmp_path, monkeypatch, form, task):
    monkeypatch.setattr(plugins, "load", lambda kind, name: task())
    suffix = ".parquet" if form == "parquet" else ".root"
    events = some_events(60)
    write_events(tmp_path / f"a{suffix}", events[:0], form)
    write_events(tmp_path / f"b{suffix}", events, form)
    files = [tmp_path / f"{name}{suffix}" for name in "ab"]
    done = apply_bundle(bundle, files, tmp_path / "out", form)
    assert [d.events for d in done] == [0, 60]
    found = []
    for one in done:
        if form == "parquet":
            found.append(pyarrow.parquet.read_schema(one.output).remove_metadata())
        else:
            with uproot.open(one.output) as file:
                found.append({name: file["Events"][name].typename for name in file["Events"].keys()})  # noqa: SIM118
    assert found[0] == found[1]


def test_an_event_whose_features_are_not_finite_is_named(bundle, tmp_path, monkeypatch):
    class Hole(PerJet):
        def inputs(self, events):
            made = super().inputs(events)
            made.features[(np.asarray(events.event)[made.event] == 3 * 321) & (made.object == 1), 5] = np.inf
            return made

    monkeypatch.setattr(plugins, "load", lambda kind, name: Hole())
    counts = np.full(500, 2)
    jets = ak.zip({"pt": ak.unflatten(np.arange(1000.0), counts), "eta": ak.unflatten(np.ones(1000), counts)})
    write_events(tmp_path / "e.root", ak.zip({"event": np.arange(500) * 3, "Jet": jets}, depth_limit=1))
    with pytest.raises(InputError, match=r"feature 'f5' of .*e\.root, event 321, object 1 is not finite"):
        apply_bundle(bundle, [tmp_path / "e.root"], tmp_path / "s.root", chunk=100)


HARD = ["g g", "g_g", "g-g", "τ", "μ", "tau", "g", "g_code", "object", "trigger", "1", "_1", ""]


@settings(max_examples=60, derandomize=True)
@given(st.lists(st.sampled_from(HARD) | st.text(max_size=6), min_size=1, max_size=8))
def test_outputs_never_share_a_name(labels):
    given_names = branch_names(labels)
    assert len(given_names) == len(labels)
    every = [column for name in given_names for column in (name, name + INTEGER)]
    assert len(set(every)) == len(every)
    assert not {OBJECT, TRIGGER} & set(every)
    assert all(name.isascii() and name.isidentifier() for name in given_names)
    assert branch_names(labels) == given_names


def test_names_of_outputs_are_readable():
    assert branch_names(["τ", "μ"]) == ("tau", "mu")
    assert branch_names(["g g", "g_g"]) == ("g_g_2", "g_g")
    assert branch_names(["g", "q", "W", "Z", "t"]) == ("g", "q", "W", "Z", "t")
    assert branch_names(["pT>30", "pT<30", "2b"]) == ("pT_30", "pT_30_2", "_2b")


def test_labels_of_one_name_are_two_branches(names, tmp_path):
    labels = ("τ", "μ", "g g", "g_g", "object")
    bundle = bundle_called(tmp_path, names, labels)
    assert Scorer(bundle).outputs == ("tau", "mu", "g_g_2", "g_g", "object_2")
    values = features(80)
    path = save(tmp_path / "t.root", columns(values, names))
    codes = expected_codes(bundle, values)
    apply_bundle(bundle, [path], tmp_path / "s.root", histograms=tmp_path / "h.root")
    apply_bundle(bundle, [path], tmp_path / "s.parquet")
    table = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    with uproot.open(tmp_path / "h.root") as file:
        for place, name in enumerate(Scorer(bundle).outputs):
            assert same(scores(tmp_path / "s.root", f"{name}_code"), codes[:, place])
            assert same(table[f"codesign_{name}_code"], codes[:, place])
            assert file[name].to_numpy()[0].sum() == 80
