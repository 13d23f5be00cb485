"""codesign init: a study for a file that was really looked at, and a refusal by name where no task fits."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.data.sample import Sample
from codesign.data.writers import write_sample
from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS
from codesign.study.definition import load_study
from codesign.study.init import write_study
from codesign.tasks.base import Task


def table(path, classes=("g", "q", "w", "z", "t")):
    rng = np.random.default_rng(1)
    names = FEATURE_NAMES
    features = rng.normal(100, 10, (600, len(names))).astype(np.float32)
    write_sample(Sample(features, rng.integers(0, len(classes), 600), names, FEATURE_UNITS, classes), path)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".root"])
def test_a_table_of_jets_gets_a_study_that_loads_and_reads_it(tmp_path, suffix):
    file = table(tmp_path / f"My Jets 2026{suffix}")
    path = write_study(file, tmp_path / "own.yaml", target="vu13p-240")
    text = path.read_text()
    assert "# 600 rows" in text
    assert "[GeV]:" in text
    study = load_study(str(path))
    assert (study.name, study.task, study.target) == ("my-jets-2026", "jet-tagging", "vu13p-240")
    assert len(plugins.load(Task, study.task).open(study.sample, study.seed).sample) == 600


@pytest.mark.parametrize("name", ["nano.root", "nano.parquet"])
def test_events_with_jets_get_a_study_of_their_energy(tmp_path, name):
    import awkward as ak

    from codesign.physics.events import write_events

    jets = ak.zip({field: [[50.0, 30.0], []] for field in ("pt", "eta", "phi", "mass")})
    write_events(tmp_path / name, [ak.Array({"Jet": jets, "GenJet": jets})])
    study = load_study(str(write_study(tmp_path / name, tmp_path / "own.yaml")))
    assert study.task == "jet-energy-offline"
    assert list(study.sample["files"]) == [str(tmp_path / name)]


def test_jets_of_other_classes_are_a_classification_of_these(tmp_path):
    study = load_study(str(write_study(table(tmp_path / "jets.parquet", ("a", "b")), tmp_path / "own.yaml")))
    assert study.task == "classification"
    assert study.sample["label"] == {"column": "label", "classes": {0: "a", 1: "b"}}


def test_what_has_no_label_is_refused_by_name(tmp_path):
    (tmp_path / "own.csv").write_text("x,z\n" + "".join(f"{i * 0.5},{i * i}\n" for i in range(50)))
    with pytest.raises(InputError, match=r"no column looks like a label .*--label COLUMN"):
        write_study(tmp_path / "own.csv", tmp_path / "own.yaml")
    assert not (tmp_path / "own.yaml").exists()
    study = load_study(str(write_study(tmp_path / "own.csv", tmp_path / "own.yaml", label="z")))
    assert (study.task, study.sample["target"]["column"]) == ("regression", "z")


def test_no_study_is_written_over(tmp_path):
    (tmp_path / "own.yaml").write_text("mine")
    with pytest.raises(InputError, match="is there already"):
        write_study(table(tmp_path / "jets.parquet"), tmp_path / "own.yaml")
    assert (tmp_path / "own.yaml").read_text() == "mine"
