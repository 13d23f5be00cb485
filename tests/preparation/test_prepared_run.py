"""A study whose inputs are prepared in the firmware: what a family learns from, and a whole run of it."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyarrow import parquet

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.records import SampleFacts
from codesign.core.runfolder import RunFolder
from codesign.data.preparation.prefix import Preparation, network_codes
from codesign.data.sample import Splits
from codesign.families.base import Family
from codesign.families.teaching import lesson_of, subject_of
from codesign.handoff import write_bundle
from codesign.handoff.examination import Asked, prove_bundle
from codesign.handoff.statement import Finding
from codesign.pipeline.kept import training_key
from codesign.pipeline.parts import load_part, record
from codesign.search.engine import run_study
from codesign.study.definition import load_study
from codesign.tasks.base import Task

INPUTS = {
    "raw": {"*_pt": {"bits": 8, "step": 0.5}, "*_phi": {"bits": 8, "signed": True, "turn": 144}},
    "sort": [{"by": "*_pt", "carried": ["*_phi"]}],
    "prepare": {
        "lead": {"of": "log2(a_pt + 1)", "fraction": 3},
        "share": {"of": "b_pt / a_pt", "bits": 6, "fraction": 4},
        "dphi": "abs(delta_phi(a_phi, b_phi))",
    },
}


def dijets(path, rows):
    """Two jets a row; those of the signal are back to back, and share their energy."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, rows)
    pt = np.floor(rng.gamma(2, 15, rows) + 5) * 0.5
    phi = rng.integers(-72, 72, rows)
    apart = np.where(y == 1, np.rint(rng.normal(72, 15, rows)), rng.integers(-72, 72, rows))
    columns = {
        "a_pt": pt,
        "b_pt": np.floor(pt * np.clip(rng.normal(0.5 + 0.2 * y, 0.2, rows), 0.02, 1.2) * 2) / 2,
        "a_phi": phi,
        "b_phi": (phi + apart + 72) % 144 - 72,
        "kind": np.where(y == 1, "signal", "background"),
    }
    parquet.write_table(pa.table(columns), path)


def study_of(folder, rows, **more):
    dijets(folder / "dijets.parquet", rows)
    label = {"column": "kind", "classes": {"background": "background", "signal": "signal"}}
    study = {
        "name": "dijets",
        "task": "classification",
        "sample": {
            "files": [str(folder / "dijets.parquet")],
            "features": ["a_pt", "b_pt", "a_phi", "b_phi"],
            "label": label,
        },
        "inputs": INPUTS,
        "family": "mlp",
        "space": {"depth": 1, "width": [6], "weight_bits": 3, "activation_bits": 3, "input_bits": 5},
        "training": {"epochs": 12, "batch": 256, "learning_rate": 0.01},
        "target": "vu13p-360",
        "objectives": [{"name": "auc_mean", "direction": "maximise"}, {"name": "lut", "direction": "minimise"}],
        "search": {"trials": 1, "sampler": "random"},
        "verification": {"gate_events": 1000, "rtl_events": 1000},
        "splits": {"train": 0.5, "validation": 0.25, "test": 0.25},
    }
    path = folder / "dijets.yaml"
    path.write_text(yaml.safe_dump(study | more, sort_keys=False))
    return load_study(str(path))


def test_a_family_learns_from_what_the_firmware_makes(tmp_path):
    study = study_of(tmp_path, 400)
    assert study.inputs is not None
    assert study.to_yaml() == load_study(str(_written(tmp_path / "again.yaml", study.to_yaml()))).to_yaml()
    problem = plugins.load(Task, study.task).open(study.sample, study.seed)
    splits = Splits(train=0.5, validation=0.25, test=0.25, seed=1)
    sample = problem.sample
    facts = SampleFacts.model_validate(record(sample, splits) | {"outputs": list(problem.outputs(sample))})
    train, validation = (sample.part(name, splits) for name in ("train", "validation"))
    prepared = Preparation.of(study.inputs, facts.seen)
    lesson = lesson_of(problem, facts, 5, train, validation, None, prepared)
    assert lesson.subject.inputs == ("lead", "share", "dphi")
    assert lesson.subject == subject_of(problem, facts, None, prepared)
    assert lesson.quantisation.features == ("lead", "share", "dphi")
    raw = prepared.quantisation.codes(train.x)
    entered = lesson.quantisation.codes(prepared.prepared(raw))
    np.testing.assert_array_equal(lesson.train.x, lesson.quantisation.port.values(entered))
    wanted = np.abs((raw[:, 2] - raw[:, 3] + 72) % 144 - 72)
    np.testing.assert_array_equal(prepared.of_features(train.x)[:, 2], wanted)


def test_another_preparation_is_another_training(tmp_path):
    study = study_of(tmp_path, 400)
    problem, family = plugins.load(Task, study.task).open(study.sample, study.seed), plugins.load(Family, "mlp")
    facts = SampleFacts(
        hash="a" * 64, feature_names=("a_pt", "b_pt", "a_phi", "b_phi"), units=("",) * 4,
        class_names=("background", "signal"), outputs=("background", "signal"),
    )  # fmt: skip
    finer = study.inputs.prepare | {"lead": study.inputs.prepare["lead"].model_copy(update={"fraction": 4})}
    wider = study.inputs.raw | {"*_pt": study.inputs.raw["*_pt"].model_copy(update={"bits": 9})}
    changed = [None, study.inputs, *(study.inputs.model_copy(update=u) for u in ({"prepare": finer}, {"raw": wider}))]
    config = {"widths": [6], "weight_bits": [3, 3], "activation_bits": [3], "input_bits": 5}
    candidate = family.read(config, "test")
    keys = {
        training_key(study.model_copy(update={"inputs": i}), candidate, 3, facts, problem, family, None)
        for i in changed
    }
    assert len(keys) == len(changed)


def _written(path, text):
    path.write_text(text)
    return path


@pytest.mark.slow
def test_a_run_from_raw_codes_to_the_score(tmp_path):
    study = study_of(tmp_path, 6000)
    run_study(study, tmp_path / "run", workers=1)
    run = RunFolder.open(tmp_path / "run")
    (point,) = json.loads((run.path / "front.json").read_text())["points"]
    assert point["verified"]["exact"]
    assert point["verified"]["events"] >= 1000
    assert "brevitas" in point["verified"]["compared"]
    assert point["metrics"]["auc_mean"]["value"] > 0.8
    folder = run.trial(point["trial"])
    design = Design.load(folder.path)
    assert design.inputs.labels == ("a_pt", "b_pt", "a_phi", "b_phi")
    assert [t.width for t in design.inputs.types] == [8, 8, 8, 8]
    notes = json.loads((folder.path / "status.json").read_text())["notes"]
    assert any(note.startswith("3 inputs are prepared in the firmware, 1 of them exactly") for note in notes)
    test = load_part(run, "test")
    assert len(np.unique(network_codes(design)(design.input_quantisation.codes(test.x)), axis=0)) > 100
    bundle = write_bundle(run.path, point["trial"], tmp_path / "bundle")
    report = prove_bundle(bundle, Asked(emulator=True, rtl=True, drawn=2000))
    assert report.wrong == ()
    for name in ("onnx/codes.onnx, run", "emulator/, run", "firmware/, run"):
        assert report.of(name).outcome is Finding.CHECKED
        assert report.of(name).events >= 1000
