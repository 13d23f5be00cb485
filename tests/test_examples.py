"""Worked examples: packages that are named, not installed, and import only public names."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import codesign
from codesign.cli import app
from codesign.core import local_packages, plugins
from codesign.core.errors import InputError
from codesign.tasks.base import Task
from tests.trees import ROOT

FOLDERS = sorted(p.parent for p in (ROOT / "examples").glob("*/study.yaml"))
#: well-kept libraries of the examples' fields, and the standard library
LIBRARIES = {"numpy", "scipy", "sklearn", "torch", "brevitas", "awkward", "hist", "uproot", "torchvision", "skimage"}


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
    from codesign.study.definition import load_study

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


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_each_runs_to_a_report(folder, tmp_path, unnamed):
    """A few trials of it, in another process, to a front of exact points and a report."""
    command = [sys.executable, "-m", "codesign.cli", "run", str(folder), "--trials", "4", "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, "--store", "none", "--run", "run"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    front = json.loads((tmp_path / "run" / "front.json").read_text(encoding="utf-8"))
    assert front["points"]
    assert all(point["verified"]["exact"] for point in front["points"])
    assert next(tmp_path.rglob("index.html")).stat().st_size > 100_000
