"""The house: rooms in the order of imports, no circle of files, and no name that means two things."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import networkx
import pytest

from tests.rooms import ROOMS

ROOT = Path(__file__).parents[1] / "codesign"
#: what the layout prescribes: a package of a kind has these files
PRESCRIBED = {"__init__", "__main__", "base", "config", "network", "family", "flow"}
#: what may stand at the package's root
AT_ROOT = {"__init__.py", "__main__.py", "py.typed"}


@dataclass(frozen=True)
class Import:
    """``module``, in a file of the package, imports ``imported``, at any depth of its code."""

    module: str
    imported: str
    #: for types alone, under ``if TYPE_CHECKING``: it does not run
    typed: bool = False


def module_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def files(root: Path) -> dict[str, Path]:
    found = sorted(p for p in root.rglob("*.py") if "shipped" not in p.relative_to(root).parts)
    return {module_of(p, root): p for p in found}


def imports(root: Path) -> Iterator[Import]:
    """Every import of one file of the package by another, those inside functions and for types alone included."""
    known = files(root)
    for module, path in known.items():
        tree = ast.parse(path.read_text())
        guards = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
        typed = {id(inner) for guard in guards for inner in ast.walk(guard)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                below = [f"{node.module}.{alias.name}" for alias in node.names]
                named = [name if name in known else node.module for name in below]
            else:
                continue
            yield from (Import(module, name, id(node) in typed) for name in named if name in known and name != module)


def wrong_ways(root: Path, rooms: tuple[str, ...] = ROOMS) -> list[str]:
    """Imports of a room that comes later, and files in no room."""
    place = {f"{root.name}.{room}": i for i, room in enumerate(rooms)}

    def room(module: str) -> str:
        return ".".join(module.split(".")[:2])

    found = [f"{module} is in no room" for module in files(root) if module.count(".") and room(module) not in place]
    for one in imports(root):
        here, there = place.get(room(one.module)), place.get(room(one.imported))
        if here is not None and there is not None and there > here:
            found.append(f"{one.module} imports {one.imported}")
    return found


def circles(root: Path) -> list[list[str]]:
    """Files that import each other when they run, in a round of any length. A package's ``__init__`` only gathers."""
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from(
        (one.module, one.imported)
        for one in imports(root)
        if not one.typed and not one.module.startswith(one.imported + ".")
    )
    return [sorted(c) for c in networkx.strongly_connected_components(graph) if len(c) > 1]


def twice(root: Path) -> list[str]:
    """Names of modules that stand twice."""
    stems = Counter(path.stem for path in files(root).values())
    return sorted(stem for stem, count in stems.items() if count > 1 and stem not in PRESCRIBED)


def classes_twice(root: Path) -> dict[str, list[str]]:
    """Names of public classes that two files define."""
    where: dict[str, list[str]] = {}
    for module, path in files(root).items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where.setdefault(node.name, []).append(module)
    return {name: modules for name, modules in where.items() if len(modules) > 1}


def modules_of_tests_taken(tests: Path) -> list[str]:
    """Imports of a module of tests by another file: what two of them need stands in a module of its own."""
    found = []
    for path in sorted(tests.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                named = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
            else:
                continue
            found += [f"{path.name} imports {n}" for n in named if re.fullmatch(r"tests(\.\w+)*\.test_\w+", n)]
    return found


def test_a_room_knows_those_before_it():
    assert wrong_ways(ROOT) == []


def test_no_module_of_tests_is_imported(tmp_path):
    assert modules_of_tests_taken(Path(__file__).parent) == []
    for number, line in enumerate(("from tests.search.test_kill import start", "from tests.search import test_kill")):
        (tmp_path / f"taker_{number}.py").write_text(f"def late():\n    {line}\n")
    assert [found.split()[0] for found in modules_of_tests_taken(tmp_path)] == ["taker_0.py", "taker_1.py"]


def test_no_files_import_each_other_in_a_circle():
    assert circles(ROOT) == []


def test_nothing_else_stands_at_the_root():
    here = {p.name for p in ROOT.iterdir() if p.is_file()}
    assert here <= AT_ROOT
    rooms = {p.name for p in ROOT.iterdir() if p.is_dir() and any(p.rglob("*.py"))}
    assert rooms - {"shipped"} == set(ROOMS)


def test_a_module_has_a_name_of_its_own():
    assert twice(ROOT) == []


def test_a_class_has_a_name_of_its_own():
    assert classes_twice(ROOT) == {}


def test_what_is_wrong_is_seen(tmp_path):
    """The checks themselves: a small house with each fault in it."""
    root = tmp_path / "codesign"
    for name, text in {
        "core/errors.py": "def lazily():\n    from codesign.cli import door\n",
        "core/early.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from codesign.graph.late import A\n",
        "graph/late.py": "import codesign.core.early\nclass A: ...\n",
        "cli/door.py": "class A: ...\n",
        "cli/errors.py": "",
        "attic/old.py": "",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert sorted(wrong_ways(root)) == [
        "codesign.attic.old is in no room",
        "codesign.core.early imports codesign.graph.late",
        "codesign.core.errors imports codesign.cli.door",
    ]
    assert circles(root) == []  # the one there is, is for types alone
    (root / "core/errors.py").write_text("import codesign.cli.door\n")
    (root / "cli/door.py").write_text("def lazily():\n    from codesign.core import errors\nclass A: ...\n")
    assert circles(root) == [["codesign.cli.door", "codesign.core.errors"]]
    assert twice(root) == ["errors"]
    assert classes_twice(root) == {"A": ["codesign.cli.door", "codesign.graph.late"]}


def test_the_public_names_are_at_the_root():
    import codesign

    for name in codesign.__all__:
        assert getattr(codesign, name).__name__ in (name, "run_study", "prove_run")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        codesign.nothing  # noqa: B018
