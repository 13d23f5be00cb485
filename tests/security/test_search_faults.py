"""Faults of a search that cost work, or blame the wrong one: each in several spellings, without starting a search.

What needs driver and workers is in tests/search: test_finished_run, test_lacking, test_ending, test_kill,
test_sigkills.
"""

import json

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import CodesignError, InputError
from codesign.core.records import Front
from codesign.core.resources import locate
from codesign.core.runfolder import RunFolder
from codesign.data.sample import Sample
from codesign.pipeline.parts import load_sample, part_path, splits_of, withhold_test, write_part
from codesign.pipeline.parts import record as facts_of
from codesign.search import engine
from codesign.search.cluster import must_be_possible
from codesign.search.ending import ending
from codesign.search.engine import run_study
from codesign.study.definition import parse_study
from tests.make_run import make_run

TAGGER = locate("search", "jet-tagger").read_text(encoding="utf-8")


def tagger(**changes):
    return parse_study(yaml.safe_dump(yaml.safe_load(TAGGER) | changes), "tagger.yaml")


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ("seed: 1\n", "seed: 1\nseed: 2\n", "seed"),
        ("seed: 1\n", 'seed: 1\n"seed": 2\n', "seed"),
        ("  events: 20000", "  events: 20000\n  events: 200", "events"),
        ("splits: {train: 0.6,", "splits: {train: 0.6, train: 0.5,", "train"),
        ("  - {name: lut, max: 6000}", "  - {name: lut, max: 6000, max: 60}", "max"),
        ("  depth: {low: 1, high: 3}", "  depth: {low: 1, high: 3, ? high : 4}", "high"),
    ],
)
def test_a_key_that_stands_twice_is_refused_by_its_line(before, after, key, tmp_path):
    assert before in TAGGER
    path = tmp_path / "study.yaml"
    path.write_text(TAGGER.replace(before, after, 1))
    done = CliRunner().invoke(app, ["run", str(path), "--run", str(tmp_path / "run")])
    assert isinstance(done.exception, InputError)
    assert f"key '{key}' stands twice, again in line" in str(done.exception)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "dimension", "words"),
    [
        ("width", [8, -4], "no candidate can have width_0 -4: every width must be at least 1"),
        ("weight_bits", {"low": 1, "high": 5}, "weight_bits"),
        ("input_bits", [6, 40], "input_bits"),
        ("depth", 0, "depth|valid candidate"),
        ("sparsity", [0.5, 1.5], "sparsity"),
        ("activation_bits", {"low": 5, "high": 2}, r"low \(5\) is above high \(2\)"),
        ("width", [], "a choice needs at least one value"),
    ],
)
def test_values_that_no_candidate_can_have_are_refused_before_any_work(name, dimension, words, tmp_path):
    space = yaml.safe_load(TAGGER)["space"] | {name: dimension}
    with pytest.raises(InputError, match=rf"study 'jet-tagger', section 'space'.*({words})"):
        run_study(tagger(space=space), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "where",
    ["missing.yaml", "missing.yml", "tcp://127.0.0.1:1", "127.0.0.1:1", "scheduler", "tcp://no host:8786", ":8786", ""],
)
def test_a_cluster_that_is_not_there_is_told_before_any_work(where, tmp_path):
    pytest.importorskip("dask_jobqueue", reason="the extra 'cluster' is not installed")
    with pytest.raises(InputError, match=r"--cluster: no Dask scheduler|missing\.ya?ml"):
        must_be_possible(where)
    with pytest.raises(CodesignError):
        run_study(tagger(), tmp_path / "run", cluster=where)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def sample(tmp_path):
    """A run with a sample of 50 events on disk, and its sample."""
    run, study = RunFolder(tmp_path), tagger()
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    made = Sample(x, (x[:, 0] > 0).astype(np.int64), ("a", "b"), ("", ""), ("no", "yes"), provenance={})
    run.write("sample.json", facts_of(made, splits_of(study)))
    for name in ("train", "validation", "test"):
        write_part(run, made, splits_of(study), name)
    return run, made


def test_the_test_split_is_never_away(sample):
    run, made = sample
    before = part_path(run, "test").read_bytes()
    withhold_test(run)
    assert not (run.path / "parts" / "test.npz").exists(), "a search has it not at hand"
    assert part_path(run, "test").read_bytes() == before, "and whoever verifies finds it"
    assert np.array_equal(load_sample(run).features, made.features)
    withhold_test(run)
    assert part_path(run, "test").read_bytes() == before


@pytest.mark.parametrize("unproven", [{}, {0: "the C++ compiler 'g++' is missing", 1: "verilator: stopped after 60 s"}])
def test_a_search_without_a_proven_front_ends_with_a_code_of_its_own(unproven, tmp_path, monkeypatch):
    run = make_run(tmp_path / "run", trials=10, front=2)
    front = Front(study="made-up", objectives=[], points=[], unproven=unproven)
    monkeypatch.setattr(engine, "run_study", lambda *arguments, **more: front)
    words = ["run", "jet-tagger", "--run", str(run.path), "--no-report"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 3
    assert ("2 of the 2 trials on it have no verdict" if unproven else "no front: none of the 10 trials") in done.stdout
    assert "to change it: " in done.stdout
    found = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)["ending"]
    assert sum(r["count"] for r in found["reasons"]) == (2 if unproven else 3)
    mixed = run.read("front.json", Front)
    assert not ending(run, tagger(), mixed).whole, "its last point is not exact"
    whole = mixed.model_copy(update={"points": mixed.points[:-1]})
    assert ending(run, tagger(), whole).whole
    monkeypatch.setattr(engine, "run_study", lambda *arguments, **more: whole)
    assert CliRunner().invoke(app, words).exit_code == 0
