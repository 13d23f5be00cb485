"""Contracts are types: what decides by name, or is of any type, is counted, and may only become less."""

import ast
from functools import cache
from pathlib import Path

import pytest

from codesign import __file__ as package

ROOT = Path(package).parent

#: modules whose every name has a type
CONTRACTS = (
    "families/base.py", "families/teaching.py", "families/torch_family.py", "families/torch_trained.py",
    "families/trained.py", "tasks/heads.py", "tasks/problem.py", "tasks/weighting.py", "training/lesson.py",
    "training/loop.py", "training/network.py", "training/objectives.py",
)  # fmt: skip


@cache
def nodes(path):
    return list(ast.walk(ast.parse(path.read_text())))


def names(path):
    """Every plain name that a module's code says: of functions called, and of types."""
    return [node.id for node in nodes(path) if isinstance(node, ast.Name)]


def said(*words, of):
    return sum(names(path).count(word) for path in of for word in words)


def files(*rooms):
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def test_contracts_say_no_any():
    contracts = [ROOT / name for name in CONTRACTS]
    # of what `forward` is given: torch's own, as only so a network may name its blocks
    assert said("Any", of=contracts) == 2
    assert said("object", "cast", "hasattr", "getattr", of=contracts) == 0


@pytest.mark.parametrize(
    ("word", "pipeline", "search"),
    # getattr: resources by name twice, a class of dask's or optuna's twice, a message's trial
    [("hasattr", 0, 1), ("getattr", 1, 7), ("cast", 0, 0)],
)
def test_the_pipeline_asks_no_plug_in_by_name(word, pipeline, search):
    assert said(word, of=files("pipeline")) == pipeline
    assert said(word, of=files("search")) <= search


def test_no_flow_is_asked_what_class_it_is():
    for path in files("pipeline", "search"):
        for node in nodes(path):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
                assert "Alkaid" not in ast.unparse(node.args[1]), f"{path}:{node.lineno}"


def imported(path):
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_pipeline_knows_nothing_of_torch():
    """Neither at once nor when it is needed; nor the modules that do."""
    theirs = ("torch", "brevitas", "safetensors", "codesign.training.loop", "codesign.training.export")
    for path in files("pipeline", "search", "report", "handoff"):
        found = {name for name in imported(path) if name.split(".")[0] in theirs or name in theirs}
        assert not found, f"{path.relative_to(ROOT)} imports {', '.join(sorted(found))}"


def test_there_is_one_training_loop():
    """One place moves parameters: a step of an optimiser is taken in one loop of the package."""
    steps = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in [p for p in files(".") if "testing" not in p.parts]
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("optimiser.step", "self._optimiser.step")
    ]
    assert len(steps) == 1, steps
