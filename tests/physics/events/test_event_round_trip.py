"""What is written is read again, to the bit, by our reader and by uproot alone; nothing half-written is left."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from codesign.core.errors import InputError, UnsupportedError
from codesign.physics.events import open_events, read_events, write_events
from tests.physics.events.toy import toy_events

ALL = ("Jet.*", "HLTJet", "L1Jet", "Rho", "PuppiMET", "run", "luminosityBlock", "event", "genWeight")


def whole(path: Path, fields=ALL, chunk="100 MB"):
    return ak.concatenate(list(read_events(path, fields, chunk)))


def assert_same(found, expected) -> None:
    assert sorted(found.fields) == sorted(expected.fields)
    for name in expected.fields:
        for field in expected[name].fields or [None]:
            a, b = (e[name] if field is None else e[name][field] for e in (found, expected))
            assert ak.array_equal(a, b, dtype_exact=True, check_parameters=False), (name, field)


@pytest.mark.parametrize(
    ("name", "form"),
    [("e.root", "ttree"), ("e.root", "rntuple"), ("e.parquet", "parquet"), ("e.root", None), ("e.parquet", None)],
)
def test_round_trip(name: str, form: str | None, tmp_path: Path) -> None:
    events = toy_events(500)
    assert write_events(tmp_path / name, [events[:120], events[120:121], events[121:]], form, {"seed": 1}) == 500
    assert_same(whole(tmp_path / name), events)
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_tools_of_others_read_it(tmp_path: Path) -> None:
    events = toy_events(300)
    write_events(tmp_path / "e.root", events)
    with uproot.open(tmp_path / "e.root") as file:
        tree = file["Events"]
        assert file.classnames(cycle=False)["Events"] == "TTree"
        assert tree["Jet_pt"].count_branch.name == "nJet"
        assert tree["Jet_pt"].typename == "float[]"
        assert tree["Jet_btagged"].typename == "bool[]"
        assert tree["event"].typename == "uint64_t"
        assert tree["Rho_fixedGridRhoFastjetAll"].typename == "float"
        np.testing.assert_array_equal(tree["nJet"].array(library="np"), ak.num(events.Jet))


@pytest.mark.parametrize("form", ["ttree", "rntuple", "parquet"])
@pytest.mark.parametrize("chunk", [7, 64, 10_000, "3 kB", "1 MB"])
def test_chunks(form: str, chunk: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codesign.physics.events.writing._PIECE", 4000)  # several baskets
    events = toy_events(150)
    path = tmp_path / ("e.parquet" if form == "parquet" else "e.root")
    write_events(path, events, form)
    chunks = list(read_events(path, ALL, chunk))
    assert_same(ak.concatenate(chunks), events)
    if isinstance(chunk, int):
        assert {len(c) for c in chunks[:-1]} <= {chunk}
    elif chunk == "3 kB":
        assert len(chunks) > 5


def test_several_files(tmp_path: Path) -> None:
    events = toy_events(90)
    for i, place in enumerate(range(0, 90, 30)):
        write_events(tmp_path / f"{i}.root", events[place : place + 30])
    found = list(read_events([tmp_path / f"{i}.root" for i in range(3)], ALL, 20))
    assert [len(c) for c in found] == [20, 10] * 3
    assert_same(ak.concatenate(found), events)


def test_fields(tmp_path: Path) -> None:
    path = tmp_path / "e.root"
    write_events(path, toy_events(20))
    assert whole(path, ["Jet"]).Jet.fields == ["pt", "eta", "phi", "mass", "nConstituents", "genJetIdx"]
    assert "btagged" in whole(path, ["Jet.*"]).Jet.fields
    assert whole(path, ["Jet.pt", "L1Jet_hwPt"]).fields == ["Jet", "L1Jet"]
    assert whole(path, "event").fields == ["event"]
    assert next(read_events(path, ["Jet.pt"], optional=["GenJet", "HLTJet.pt"])).fields == ["Jet", "HLTJet"]
    assert set(whole(path, None).fields) == {*toy_events(1).fields, "MET"}  # PuppiMET stands for it
    with pytest.raises(InputError, match=r"e\.root: branch 'GenJet' is missing"):
        next(read_events(path, ["GenJet"]))
    with pytest.raises(InputError, match=r"e\.root: branch 'Jet_ptt' is missing \(did you mean 'Jet_pt'\?\)"):
        next(read_events(path, ["Jet.ptt"]))
    with open_events(path) as file:
        assert (file.kind, file.entries) == ("ROOT TTree", 20)


@pytest.mark.parametrize("chunk", [0, -3, "many", "0 MB", "10", True])
def test_chunk_sizes_that_are_none(chunk, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a chunk is a number of events, or a size"):
        read_events(tmp_path / "e.root", chunk=chunk)


def test_writing_that_fails_leaves_nothing(tmp_path: Path) -> None:
    events = toy_events(40)
    path = tmp_path / "e.root"

    def broken():
        yield events
        raise RuntimeError("the generator died")

    for form in ("ttree", "rntuple"):
        with pytest.raises(RuntimeError, match="died"):
            write_events(path, broken(), form)
        with pytest.raises(InputError, match=r"a chunk differs from the first .*Jet_eta"):
            write_events(path, [events, events[["Jet"]][:, []]], form)
        with pytest.raises(InputError, match="no events to write"):
            write_events(path, [], form)
    with pytest.raises(UnsupportedError, match="'process' cannot be written to ROOT"):
        write_events(path, ak.with_field(events, ["qcd"] * 40, "process"))
    with pytest.raises(UnsupportedError, match="'Jet_tags' cannot be written"):
        write_events(path, ak.Array({"Jet": [[{"pt": 1.0, "tags": [1, 2]}]]}))
    with pytest.raises(InputError, match=r"written as \.root .* not '\.h5'"):
        write_events(tmp_path / "e.h5", events)
    with pytest.raises(InputError, match="arrays of records"):
        write_events(path, ak.Array([1.0, 2.0]))
    assert list(tmp_path.iterdir()) == []
    write_events(path, events)
    before = path.read_bytes()
    with pytest.raises(RuntimeError):
        write_events(path, broken())
    assert path.read_bytes() == before
    with pytest.raises(InputError, match="cannot be written"):
        write_events(path / "e.root", events)


def test_no_events_but_columns(tmp_path: Path) -> None:
    assert write_events(tmp_path / "e.root", toy_events(3)[:0]) == 0
    with pytest.raises(InputError, match=r"e\.root: the file has no events"):
        list(read_events(tmp_path / "e.root"))
