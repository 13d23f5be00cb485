"""What is wrong with an event is said by its file and its place there, over chunks and over files."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from codesign.core.errors import InputError
from codesign.physics.events import read_events, read_located, write_events
from codesign.tasks.anomalies.anomaly_sample import AnomalySample
from codesign.tasks.anomalies.anomaly_sample import sample_of as level1_sample
from codesign.tasks.jets.jet_sample import JetEnergySample, sample_of
from codesign.tasks.jets.published import tiers_of
from tests.physics.events.toy import toy_events as common_events
from tests.physics.events.toy import write_tree
from tests.tasks.anomaly.toy_level1 import toy_level1
from tests.tasks.jets.toy_events import toy_events


def test_a_kind_that_is_wrong_in_a_later_chunk(tmp_path: Path) -> None:
    particles = np.zeros((30, 19, 4))
    particles[17, 5] = [20, 0, 0, 2]
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["Particles"] = particles
    with pytest.raises(InputError, match=r"e\.h5: branch 'Particles', event 17: kind 2 at place 5, not 3"):
        list(read_events(tmp_path / "e.h5", chunk=4))


def test_a_list_of_none_that_is_in_a_later_chunk(tmp_path: Path) -> None:
    lists = [[1.0], [2.0]] * 10
    columns = {"Jet.PT": lists, "MissingET.MET": [*[[5.0]] * 13, [], *[[5.0]] * 6]}
    write_tree(tmp_path / "e.root", "Delphes", columns)
    with pytest.raises(InputError, match=r"e\.root: branch 'MissingET\.MET', event 13: no value"):
        list(read_events(tmp_path / "e.root", "MET.pt", chunk=4))
    holes = pyarrow.array([*lists[:14], [3.0, None], *lists[15:]])
    pyarrow.parquet.write_table(pyarrow.table({"Jet_pt": holes}), tmp_path / "e.parquet")
    with pytest.raises(InputError, match=r"e\.parquet: branch 'Jet_pt', event 14: a list has an empty place"):
        list(read_events(tmp_path / "e.parquet", chunk=4))


def with_large_area(events: ak.Array, place: int) -> ak.Array:
    """The first jet of one event has an area that float32 cannot hold."""
    area = np.asarray(ak.flatten(events.Jet.area), dtype=np.float64)
    counts = np.asarray(ak.num(events.Jet.area))
    assert counts[place]
    area[counts[:place].sum()] = 1e300
    jets = ak.with_field(events.Jet, ak.unflatten(area, counts), "area")
    return ak.with_field(events, jets, "Jet")


@pytest.fixture
def two_files(tmp_path: Path) -> list[Path]:
    """Jets in two files; of the second, event 40 cannot be had."""
    events = toy_events(120)
    write_events(tmp_path / "a.root", events)
    write_events(tmp_path / "b.root", with_large_area(events, 40))
    return [tmp_path / "a.root", tmp_path / "b.root"]


def test_training_names_the_file_and_the_event(two_files: list[Path]) -> None:
    settings = JetEnergySample(files=tuple(map(str, two_files)))
    with pytest.raises(InputError, match=r"b\.root: event 40: feature 'area' of a jet of Jet is 1e\+300"):
        sample_of(two_files, "Jet", settings, {})


def test_the_response_names_the_file_and_the_event(two_files: list[Path]) -> None:
    with pytest.raises(InputError, match=r"b\.root: event 40: feature 'area' of a jet of Jet is 1e\+300"):
        tiers_of(two_files)


def test_an_event_without_missing_energy(tmp_path: Path) -> None:
    events = toy_level1(50, 1)
    write_events(tmp_path / "a.root", events)
    kinds = np.asarray(ak.flatten(events.L1EtSum.etSumType)).copy()
    counts = np.asarray(ak.num(events.L1EtSum.etSumType))
    kinds[counts[:23].sum() : counts[:24].sum()] = 1
    sums = ak.with_field(events.L1EtSum, ak.unflatten(kinds, counts), "etSumType")
    write_events(tmp_path / "b.root", ak.with_field(events, sums, "L1EtSum"))
    chosen = AnomalySample(
        files=(str(tmp_path / "a.root"), str(tmp_path / "b.root")), signal_files={"x": (str(tmp_path / "a.root"),)}
    )
    with pytest.raises(InputError, match=r"b\.root: event 23: no Level-1 missing energy"):
        level1_sample(chosen)


@pytest.mark.parametrize("form", ["ttree", "rntuple", "parquet"])
def test_a_file_without_events_can_be_asked_for_its_types(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"e.{'parquet' if form == 'parquet' else 'root'}"
    events = common_events(20)
    write_events(path, events[:0], form)
    with pytest.raises(InputError, match="the file has no events"):
        list(read_events(path))
    (empty,) = read_events(path, ("Jet", "run"), empty=True)
    assert len(empty) == 0
    write_events(path, events, form)
    (whole,) = read_events(path, ("Jet", "run"))
    assert str(empty.type.content) == str(whole.type.content)
    assert [(p.file, p.first) for p in read_located([path, path], "run", chunk=12)] == [(path, 0), (path, 12)] * 2
