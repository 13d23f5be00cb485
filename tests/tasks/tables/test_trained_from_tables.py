"""A network is the same whatever kind of file its events came from; and one on constituents is the same where it is
applied."""

import json

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from codesign.core.runfolder import RunFolder
from codesign.data.sample import Splits
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.teaching import lesson_of
from codesign.handoff.apply import apply_bundle
from codesign.handoff.bundle import write_bundle
from codesign.search.engine import run_study
from codesign.search.progress import Silent
from codesign.study.definition import parse_study
from codesign.tasks.tables.classification import TableClassification
from codesign.training.lesson import Budget
from tests.heads.two_heads import facts_of
from tests.tasks.tables.made import LABELS, six_tables

CONFIG = MLPConfig(widths=(5,), weight_bits=(4, 4), activation_bits=(4,), input_bits=6)


def network_of(folder, name):
    column, classes = LABELS[name]
    settings = {
        "files": [str(folder / name)],
        "features": ["ht", "log(mass)", "lepton_pt / ht", "jets"],
        "label": {"column": column, "classes": classes},
    }
    problem = TableClassification().open(settings, 1)
    parts = [problem.sample.part(split, Splits(0.6, 0.2, 0.2, 1)) for split in ("train", "validation")]
    lesson = lesson_of(problem, facts_of(problem), 6, *parts, None)
    return MLP().fit(CONFIG, lesson, Budget(3, 64, 0.02), 2)


def test_the_same_events_from_other_kinds_of_files_train_the_same_bytes(tmp_path):
    six_tables(tmp_path)
    first = network_of(tmp_path, "a.csv")
    for name in ("b.parquet", "d.h5", "e.npz", "f.root"):
        assert network_of(tmp_path, name) == first, name


def items(folder, rows=5000):
    rng = np.random.default_rng(8)
    y = rng.integers(0, 2, rows)
    counts = rng.poisson(4 + y)
    pt = rng.exponential(20 + 8 * np.repeat(y, counts)) + 1
    columns = {"Cand_pt": pt, "Cand_eta": rng.normal(0, 1 + np.repeat(y, counts))}
    lists = {name: ak.unflatten(values, counts) for name, values in columns.items()}
    path = folder / "items.root"
    with uproot.recreate(path) as file:
        file["Events"] = {"ht": np.where(rng.random(rows) < 0.1, np.nan, rng.exponential(50, rows)), "y": y, **lists}
    return path, y


@pytest.mark.slow
def test_constituents_from_a_study_to_scores(tmp_path):
    path, y = items(tmp_path)
    study = {
        "name": "items", "task": "classification", "family": "deepsets", "view": ["features", "Cand"],
        "sample": {
            "files": [f"{path}:Events"], "features": ["ht"], "missing": {"policy": "median"},
            "label": {"column": "y", "classes": {0: "background", 1: "signal"}},
            "constituents": {"collection": "Cand", "fields": ["pt", "eta", "log(pt)"], "max": 4, "sort": "-pt"},
        },
        "space": {"each_width": 6, "tail_width": 6, "weight_bits": 4, "activation_bits": 5, "input_bits": 6},
        "training": {"epochs": 6, "batch": 128, "learning_rate": 0.02, "patience": 4, "optimiser": "nadam"},
        "flow": "alkaid", "target": "vu13p-360",
        "objectives": [{"name": "auc_mean", "direction": "maximise"}, {"name": "lut", "direction": "minimise"}],
    }  # fmt: skip
    run = tmp_path / "run"
    front = run_study(parse_study(yaml.safe_dump(study), "items.yaml"), run, 1, 1, Silent(), store="none")
    (point,) = front.points
    assert point.verified.exact
    fill = json.loads((run / "sample.json").read_text())["fill"]
    assert fill["ht"] > 0
    bundle = write_bundle(run, point.trial, tmp_path / "bundle")
    (applied,) = apply_bundle(bundle, [path], tmp_path / "scores.root")
    with uproot.open(applied.output) as file:
        found = file["Events"].arrays(["codesign_signal_code", "codesign_background_code"], library="np")
    logit = found["codesign_signal_code"] - found["codesign_background_code"]
    assert logit[y == 1].mean() > logit[y == 0].mean()
    # the test split's events, as the run itself judged them
    from codesign.core.design import Design
    from codesign.pipeline.parts import load_part

    folder = RunFolder(run).trial(point.trial)
    part, design = load_part(RunFolder(run), "test"), Design.load(folder.path)
    places = np.load(run / "parts" / "test.npz")["index"]
    codes = design.input_quantisation.codes(part.x)
    from codesign.graph.reference import qonnx_codes

    expected = qonnx_codes(design, codes)
    outputs = list(design.outputs.labels)
    for name in ("signal", "background"):
        assert np.array_equal(found[f"codesign_{name}_code"][places], expected[:, outputs.index(name)]), name
