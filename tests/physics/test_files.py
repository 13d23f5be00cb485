"""Readers and writers: small real files of every kind, and what is wrong with each of them named in one line."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
import uproot

from codesign.core.errors import InputError
from codesign.data.files import describe
from codesign.data.readers import read_sample
from codesign.data.readers.checks import CLASS_NAMES
from codesign.data.sample import Sample
from codesign.data.writers import write_parquet, write_root, write_sample
from codesign.physics.substructure import FEATURE_NAMES, constituents_block
from codesign.tasks.tagging.jet_tagging import JetTagging

MASS = FEATURE_NAMES.index("mass_mmdt")


def write_hdf5(sample: Sample, path: Path) -> None:
    """The published layout: columns in an order of their own, more of them than we need, one-hot classes."""
    names = [
        "j_ptfrac",
        *(f"j_{n}" for n in reversed(FEATURE_NAMES)),
        "j_pt",
        *(f"j_{c}" for c in CLASS_NAMES),
        "j_undef",
    ]
    table = np.zeros((len(sample), len(names)))
    table[:, 1:17] = sample.features[:, ::-1]
    table[np.arange(len(sample)), 18 + sample.labels] = 1
    particles = ["j1_px", "j1_pt", "j1_etarel", "j1_eta", "j1_phirel"]
    constituents = np.zeros((len(sample), 100, len(particles)))
    constituents[:, :32, [1, 2, 4]] = sample.constituents
    with h5py.File(path, "w") as file:
        file["jets"] = table
        file["jetFeatureNames"] = np.array(names, dtype="S20")
        file["jetConstituentList"] = constituents
        file["particleFeatureNames"] = np.array(particles, dtype="S20")


def write_arff(sample: Sample, path: Path) -> None:
    lines = ["% a comment", "@RELATION hls4ml_lhc_jets_hlf", ""]
    lines += [f"@ATTRIBUTE {n} REAL" for n in FEATURE_NAMES] + ["@ATTRIBUTE class {g, q, w, z, t}", "", "@DATA"]
    for row, label in zip(sample.features, sample.labels, strict=True):
        lines.append(",".join([*(repr(float(v)) for v in row), CLASS_NAMES[label]]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_openml(sample: Sample, path: Path) -> None:
    columns = {n: pyarrow.array(sample.features[:, i].astype(float)) for i, n in enumerate(FEATURE_NAMES)}
    columns["class"] = pyarrow.array([CLASS_NAMES[i] for i in sample.labels]).dictionary_encode()
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def write_npz(sample: Sample, path: Path) -> None:
    with path.open("wb") as stream:
        np.savez(
            stream,
            features=sample.features,
            labels=sample.labels,
            constituents=sample.constituents,
            class_names=np.array(sample.class_names),
        )


def write_shared(sample: Sample, path: Path) -> None:
    assert sample.constituents is not None
    with path.open("wb") as stream:
        np.savez(
            stream,
            constituents=sample.constituents[:, ::-1],
            label=np.array(CLASS_NAMES)[sample.labels],
        )


WRITERS: dict[str, Callable[[Sample, Path], None]] = {
    "hdf5": write_hdf5,
    "arff": write_arff,
    "openml": write_openml,
    "npz": write_npz,
    "shared": write_shared,
    "parquet": write_parquet,
    "root": write_root,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_round_trip(kind: str, sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "jets.data"  # the suffix says nothing
    WRITERS[kind](sample, path)
    back = read_sample(path)
    np.testing.assert_allclose(back.features, sample.features, rtol=1e-4 if kind == "shared" else 1e-7, atol=1e-5)
    np.testing.assert_array_equal(back.labels, sample.labels)
    assert back.feature_names == sample.feature_names
    assert back.units == sample.units
    assert back.class_names == sample.class_names
    assert back.provenance["file"] == "jets.data"
    if kind in ("arff", "openml"):
        assert back.constituents is None
    else:
        np.testing.assert_array_equal(back.constituents, sample.constituents)
    if kind in ("parquet", "root"):
        assert back.provenance["seed"] == 3


@pytest.mark.parametrize("kind", WRITERS)
def test_truncated(kind: str, sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "jets.data"
    WRITERS[kind](sample, path)
    content = path.read_bytes()
    for size in (len(content) // 2, len(content) - 12, 30):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"jets\.data") as caught:
            read_sample(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", WRITERS)
def test_mass_in_mev(kind: str, sample: Sample, tmp_path: Path) -> None:
    features = sample.features.copy()
    features[:, MASS] = features[:, MASS] * 1000 + 1e4
    assert sample.constituents is not None
    constituents = sample.constituents * np.float32([1000, 1, 1])
    path = tmp_path / "jets.data"
    WRITERS[kind](replace(sample, features=features, blocks=(constituents_block(constituents),)), path)
    with pytest.raises(InputError, match=r"jets\.data: (column 'mass_mmdt'|constituents).*MeV"):
        read_sample(path)


def columns_of(sample: Sample) -> dict[str, np.ndarray]:
    return {n: sample.features[:, i].copy() for i, n in enumerate(FEATURE_NAMES)} | {"label": sample.labels.copy()}


def save(columns: dict[str, np.ndarray], path: Path, kind: str, metadata: dict[str, object] | None = None) -> None:
    if kind == "parquet":
        table = pyarrow.table({k: pyarrow.array(v) for k, v in columns.items()})
        table = table.replace_schema_metadata({b"codesign": json.dumps(metadata or {}).encode()})
        pyarrow.parquet.write_table(table, path)
    else:
        with uproot.recreate(path) as file:
            file["jets"] = columns
            file["metadata"] = json.dumps(metadata or {})


@pytest.mark.parametrize("kind", ["parquet", "root"])
def test_faults_are_named(kind: str, sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / f"jets.{kind}"

    def refused(pattern: str, metadata: dict[str, object] | None = None, **changes: np.ndarray | None) -> None:
        columns = columns_of(sample) | changes
        said = {"class_names": CLASS_NAMES} | (metadata or {})
        save({k: v for k, v in columns.items() if v is not None}, path, kind, said)
        with pytest.raises(InputError, match=pattern) as caught:
            read_sample(path)
        assert str(path) in str(caught.value)

    refused("'zlogz' is missing", zlogz=None)
    refused("'label' is missing|'class' is missing", label=None)
    for value in (np.nan, np.inf, 1e300):
        column = sample.features[:, 4].astype(float)
        column[7] = value
        refused("column 'c2_b1_mmdt', row 7", c2_b1_mmdt=column)
    label = sample.labels.copy()
    label[5] = 9
    refused("column 'label', row 5: 9", label=label)
    units = ["1"] * 16
    refused("'mass_mmdt' has the unit '1', not 'GeV'", {"units": units})
    refused("too small for GeV", mass_mmdt=sample.features[:, MASS] / 1000)
    refused("no rows", **{k: v[:0] for k, v in columns_of(sample).items()})


def binary(sample: Sample, path: Path, kind: str, said: object = None, text: tuple[str, ...] = ()) -> None:
    """A table of somebody else's: our sixteen names, and two classes as 0 and 1, or as text."""
    labels = np.arange(len(sample)) % 2
    columns: dict[str, np.ndarray] = columns_of(sample) | {"label": np.array(text)[labels] if text else labels}
    if kind == "npz":
        names = {} if said is None else {"class_names": np.array(said)}
        with path.open("wb") as stream:
            np.savez(stream, features=sample.features, labels=columns["label"], **names)
    elif kind == "pandas":
        frame = pd.DataFrame(columns)
        frame.attrs = {} if said is None else {"class_names": said}
        frame.to_parquet(path)
    elif kind == "arrow":
        table = pyarrow.table({k: pyarrow.array(v) for k, v in columns.items()})
        pyarrow.parquet.write_table(
            table.replace_schema_metadata({} if said is None else {b"class_names": json.dumps(said).encode()}), path
        )
    else:
        with uproot.recreate(path) as file:
            file["jets"] = {k: ak.from_iter(v) if v.dtype.kind == "U" else v for k, v in columns.items()}
            if said is not None:
                file["class_names"] = json.dumps(said)


KINDS = ("npz", "pandas", "arrow", "root")


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_classes_are_not_guessed(kind: str, sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / f"mine.{kind}"
    binary(sample, path, kind)
    with pytest.raises(
        InputError, match=r"mine\.\w+: column 'labels?' holds the numbers 0, 1, and nothing says"
    ) as caught:
        read_sample(path)
    assert "class_names: [" in str(caught.value)
    assert read_sample(path, ("signal", "background")).class_names == ("signal", "background")


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_says_what_its_numbers_are(kind: str, sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / f"mine.{kind}"
    binary(sample, path, kind, ["qcd", "top"])
    read = read_sample(path)
    assert read.class_names == ("qcd", "top")
    assert read.labels.tolist() == [0, 1] * (len(sample) // 2)
    with pytest.raises(InputError, match="its 'class_names' are qcd, top, but the study says top, qcd"):
        read_sample(path, ("top", "qcd"))
    with pytest.raises(InputError, match=r"tells apart g, q, w, z, t"):
        len(JetTagging().open({"file": str(path)}, 0).sample)
    for wrong in (["qcd"], ["qcd", "qcd"]):
        binary(sample, path, kind, wrong)
        with pytest.raises(InputError, match=r"row 1: 1 is no class; there are 1: qcd|not a list of different names"):
            read_sample(path)


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_taken_by_name(kind: str, sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / f"mine.{kind}"
    binary(sample, path, kind, text=("Z", "q"))
    read = read_sample(path)
    assert read.labels.tolist() == [3, 1] * (len(sample) // 2)
    assert read.class_names == CLASS_NAMES
    binary(sample, path, kind, text=("signal", "q"))
    with pytest.raises(InputError, match="row 0: unknown class 'signal'; known: g, q, w, z, t"):
        read_sample(path)
    assert read_sample(path, ("q", "signal")).labels.tolist() == [1, 0] * (len(sample) // 2)


def test_a_sample_with_the_tasks_classes_in_another_order(sample: Sample, tmp_path: Path) -> None:
    turned = replace(sample, labels=4 - sample.labels, class_names=("T", "Z", "W", "q", "g"))
    write_parquet(turned, tmp_path / "jets.parquet")
    read = JetTagging().open({"file": str(tmp_path / "jets.parquet")}, 0).sample
    assert read.class_names == CLASS_NAMES
    np.testing.assert_array_equal(read.labels, sample.labels)


def test_a_study_declares_the_classes(sample: Sample, tmp_path: Path) -> None:
    columns = columns_of(sample)
    pyarrow.parquet.write_table(
        pyarrow.table({k: pyarrow.array(v) for k, v in columns.items()}), tmp_path / "j.parquet"
    )
    study = {"file": str(tmp_path / "j.parquet"), "class_names": ["t", "z", "w", "q", "g"]}
    np.testing.assert_array_equal(JetTagging().open(study, 0).sample.labels, 4 - sample.labels)
    with pytest.raises(InputError, match="different names"):
        len(JetTagging().open(study | {"class_names": ["t", "T", "w", "q", "g"]}, 0).sample)
    with pytest.raises(InputError, match="a generator card has its own"):
        len(JetTagging().open({"card": "jets-13tev", "class_names": list(CLASS_NAMES)}, 0).sample)


@pytest.mark.parametrize(("value", "said"), [(0.5, "row 3: 0.5"), (np.nan, "row 3: nan"), (-1, "row 3: -1")])
def test_a_label_that_is_no_number_of_a_class(value: float, said: str, sample: Sample, tmp_path: Path) -> None:
    columns = columns_of(sample) | {"label": sample.labels.astype(float)}
    columns["label"][3] = value
    save(columns, tmp_path / "j.parquet", "parquet", {"class_names": CLASS_NAMES})
    with pytest.raises(InputError, match=rf"column 'label', {said} is no"):
        read_sample(tmp_path / "j.parquet")


def test_text_in_a_column(sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "jets.parquet"
    save(columns_of(sample) | {"zlogz": np.array(["a"] * len(sample))}, path, "parquet")
    with pytest.raises(InputError, match=r"column 'zlogz' holds .* not numbers"):
        read_sample(path)
    path = tmp_path / "jets.arff"
    write_arff(sample, path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-1], "x" + lines[-1].lstrip("-")]))
    with pytest.raises(InputError, match=r"column 'zlogz', row 39: 'x.*' is not a number"):
        read_sample(path)
    path.write_text("\n".join([*lines[:-1], lines[-1][:-1] + "b"]))
    with pytest.raises(InputError, match=r"column 'class', row 39: unknown class 'b'"):
        read_sample(path)


def test_hdf5_faults(sample: Sample, tmp_path: Path) -> None:
    path = tmp_path / "jets.h5"
    write_hdf5(sample, path)
    with h5py.File(path, "r+") as file:
        file["jets"][3, 18:23] = 0
    with pytest.raises(InputError, match="row 3: not in exactly one class"):
        read_sample(path)
    with h5py.File(path, "r+") as file:
        file["jets"][3, 18] = 1
        file["jetConstituentList"][2, 0, 1] = -5
    with pytest.raises(InputError, match="constituents, row 2: a pT is negative"):
        read_sample(path)
    with h5py.File(path, "r+") as file:
        del file["jetFeatureNames"]
    with pytest.raises(InputError, match="data set 'jetFeatureNames' is missing"):
        read_sample(path)


class _Trap:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (Path("trap-sprung"),)


def test_never_unpickles(sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    np.savez(buffer, features=np.array([_Trap()], dtype=object), labels=sample.labels)
    Path("jets.npz").write_bytes(buffer.getvalue())
    with pytest.raises(InputError, match="pickle"):
        read_sample("jets.npz")
    assert not Path("trap-sprung").exists()


def test_not_a_sample(tmp_path: Path) -> None:
    path = tmp_path / "jets.parquet"
    with pytest.raises(InputError, match="no such file"):
        read_sample(path)
    path.touch()
    with pytest.raises(InputError, match="the file is empty"):
        read_sample(path)
    for content in (b"hello world", bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not a sample"):
            read_sample(path)


def test_write_by_suffix(sample: Sample, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.parquet or \.root, not '\.csv'"):
        write_sample(sample, tmp_path / "jets.csv")
    write_sample(sample, tmp_path / "jets.ROOT")
    assert len(read_sample(tmp_path / "jets.ROOT")) == len(sample)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_sample(sample, tmp_path / "file" / "jets.root")


def test_describe(sample: Sample, tmp_path: Path) -> None:
    write_parquet(sample, tmp_path / "jets.parquet")
    summary = describe(tmp_path / "jets.parquet")
    assert summary["rows"] == 40
    assert summary["classes"] == dict.fromkeys(CLASS_NAMES, 8)
    mass = summary["features"]["mass_mmdt"]
    assert mass["unit"] == "GeV"
    assert mass["max"] == pytest.approx(sample.features[:, MASS].max())
    assert mass["mean"] == pytest.approx(sample.features[:, MASS].mean(), rel=1e-5)
    assert summary["provenance"]["origin"] == "test"
    json.dumps(summary)
