"""Worked examples: packages that are named, not installed, and import only public names."""

from __future__ import annotations

import ast
import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import codesign
from codesign.cli import app
from codesign.core import local_packages, plugins
from codesign.core.errors import InputError
from codesign.core.printing import print_front
from codesign.core.records import Comparisons
from codesign.core.runfolder import RunFolder
from codesign.report.answer import answer
from codesign.report.collect import collect
from codesign.report.html import render
from codesign.search.engine import run_study
from codesign.study.definition import Study, load_study
from codesign.tasks.base import Task
from tests.benchmarks.examples import PICTURES, RECORD, command_of, sources_of, studies_of_examples
from tests.nightly import parts
from tests.trees import ROOT

STUDIES = studies_of_examples()
FOLDERS = sorted(p.parent for p in (ROOT / "examples").glob("*/study.yaml"))
#: well-kept libraries of the examples' fields, and the standard library
LIBRARIES = {"numpy", "scipy", "sklearn", "torch", "brevitas", "awkward", "hist", "uproot", "torchvision", "skimage"}
#: what makes an example a toy that runs in seconds: sample, and what differs of the study
TOYS = {
    "pixel-background": ({"events": 4000}, "trees", {"rounds": 2, "depth": 2}),
    "unfold": ({"events": 4000}, "trees", {"rounds": 2, "depth": 2}),
    "tune": (
        {"points": 4000},
        "mlp",
        {"depth": 1, "width": 4, "weight_bits": 4, "activation_bits": 4, "input_bits": 6},
    ),
}


@pytest.fixture
def unnamed(monkeypatch):
    """No package is named, before and after."""
    monkeypatch.delenv(local_packages.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    plugins.forget()
    yield
    os.environ.pop(local_packages.VARIABLE, None)
    plugins.forget()


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_only_public_names_are_imported(folder):
    sources = sorted(folder.rglob("*.py"))
    own = {p.stem for p in sources}
    assert sum(len(p.read_text(encoding="utf-8").splitlines()) for p in sources) <= 250
    for path in sources:
        for module, name in imported(path):
            top = module.split(".")[0]
            if top == "codesign":
                assert module in ("codesign", "codesign.testing"), f"{path.name}: {module} is no public module"
                assert module != "codesign" or name is None or name in codesign.__all__, name
            else:
                assert top in LIBRARIES | own | set(sys.stdlib_module_names), module


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_each_opens(folder, unnamed):
    from codesign.search.resolve import resolve

    study = load_study(local_packages.study_of(str(folder)))
    resolve(study)
    assert plugins.release(Task, study.task).startswith("codesign-")


def test_they_are_listed():
    done = CliRunner().invoke(app, ["examples", str(ROOT / "examples")])
    assert done.exit_code == 0
    assert all(folder.name in done.output for folder in FOLDERS)
    done = CliRunner().invoke(app, ["examples", str(ROOT / "docs")])
    assert isinstance(done.exception, InputError)


def test_another_version_of_a_package_is_another(tmp_path, unnamed):
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1"\n[project.entry-points."codesign.tasks"]\nmine = "mine_task:Mine"\n'
    )
    source = tmp_path / "mine_task.py"
    source.write_text(
        "from codesign import Task\n\n\nclass Mine(Task):\n    name = 'mine'\n    def open(self, *_): ...\n"
    )
    local_packages.use_package(tmp_path)
    assert plugins.load(Task, "mine").name == "mine"
    first = plugins.release(Task, "mine")
    source.write_text(source.read_text() + "\n# changed\n")
    plugins.forget()
    assert plugins.release(Task, "mine") != first
    (tmp_path / "pyproject.toml").write_text("[project")
    with pytest.raises(InputError, match="no package of plug-ins"):
        plugins.names(Task)


def test_a_folder_without_a_package_is_a_study_only(tmp_path, unnamed):
    (tmp_path / "study.yaml").write_text("name: x\n")
    assert local_packages.study_of(str(tmp_path)) == str(tmp_path / "study.yaml")
    assert local_packages.study_of("jet-tagger") == "jet-tagger"
    assert local_packages.VARIABLE not in os.environ
    assert Path(local_packages.study_of(str(tmp_path))).is_file()


def _next_is_whole(run, name):
    """What the report says to type names the package: without it the study's task is not found."""
    found = collect(run)
    lines = {one.what: one.line for one in answer(found, str(run)).next}
    setting, command, verb, study, *_ = shlex.split(lines["search on from here"])
    assert (command, verb, study) == ("codesign", "run", f"{run}/study.yaml")
    assert all(line.startswith(f"{setting} codesign ") for line in lines.values())
    assert f"{setting} codesign handoff" in render(found)
    variable, folders = setting.split("=", 1)
    assert Path(folders).resolve() == ROOT / "examples" / name
    named = os.environ.pop(variable)
    plugins.forget()
    with pytest.raises(InputError, match="unknown name"):
        plugins.load(Task, name)
    assert not any(local_packages.VARIABLE in one.line for one in answer(found, str(run)).next)
    os.environ[variable] = named
    plugins.forget()


def test_an_internal_name_would_be_seen(tmp_path):
    (tmp_path / "mine.py").write_text("import codesign.core.records\nfrom codesign import Task, nothing\n")
    names = list(imported(tmp_path / "mine.py"))
    assert names == [("codesign.core.records", None), ("codesign", "Task"), ("codesign", "nothing")]
    assert "nothing" not in codesign.__all__


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "pixel-background")) for name in TOYS]
)
def test_a_toy_of_it_runs(name, tmp_path, unnamed, capsys):
    """One small candidate of each, from its sample to RTL and the difference from its baselines."""
    sample, family, space = TOYS[name]
    data = load_study(local_packages.study_of(str(ROOT / "examples" / name))).model_dump(mode="json")
    own = next((f for f in data.get("families") or [] if f["name"] == family), data)
    data |= {"sample": sample, "splits": {"train": 0.4, "validation": 0.2, "test": 0.4}, "families": None}
    data |= {"family": family, "space": own["space"] | space if family == "trees" else space, "constraints": []}
    data |= {"flow": own["flow"], "training": own["training"] | {"epochs": 2}, "view": own.get("view")}
    data |= {"verification": {"gate_events": 1000, "rtl_events": 1000}, "search": {"trials": 1}}
    front = run_study(Study.model_validate({k: v for k, v in data.items() if v is not None}), tmp_path / "run")
    (point,) = front.points
    assert point.verified is not None
    assert point.verified.exact
    compared = RunFolder(tmp_path / "run").trial(point.trial).read("comparisons.json", Comparisons)
    assert compared is not None
    metric = front.objectives[0].name
    assert compared.compared
    assert all(one.metrics[metric].error > 0 for one in compared.compared)
    _next_is_whole(tmp_path / "run", name)
    print_front(front, tmp_path / "run")
    said = capsys.readouterr().out
    assert all(f"{metric} on the same events, less that of {one.other}: trial 0 " in said for one in compared.compared)


def test_the_record_is_of_the_examples_as_they_are():
    record = json.loads(RECORD.read_text(encoding="utf-8"))["examples"]
    assert set(record) == set(STUDIES)
    for name, entry in record.items():
        path = STUDIES[name]
        assert entry["sources"] == sources_of(path), (
            f"made of other sources: python -m tests.benchmarks.examples {name}"
        )
        assert entry["command"].split(" --trials")[0] == command_of(path)[0]
        assert entry["points"]
        assert all(point["exact"] for point in entry["points"]), name
        beside = entry["best"]["beside"]
        assert beside
        assert all(entry["metric"] in of and of[entry["metric"]]["error"] > 0 for of in beside.values()), name
        assert (PICTURES / f"{name}.svg").is_file()


def test_pictures_are_small():
    pictures = list(PICTURES.glob("*"))
    assert {p.stem for p in pictures} == set(json.loads(RECORD.read_text(encoding="utf-8"))["examples"])
    assert sum(p.stat().st_size for p in pictures) < 2 << 20


def test_a_night_runs_each_and_goes_on():
    names = {part.name.removeprefix("example-") for part in parts() if part.name.startswith("example-")}
    assert names == set(STUDIES)
    assert {path.parent for path in STUDIES.values()} == set(FOLDERS)
