"""The toy package is found as an installed one would be, here and in the workers, which inherit the path."""

import sys
from pathlib import Path

import pytest

from codesign.core import plugins
from codesign.study.definition import parse_study

PLUGIN = Path(__file__).parent / "plugin"

STUDY = """
name: toy
seed: 3
task: toy
sample: {events: 200}
family: toy
space: {width: {low: 1, high: 40}, sparsity: {low: 0.0, high: 0.9}}
flow: toy
target: vu13p-360
objectives:
  - {name: accuracy, direction: maximise}
  - {name: lut, direction: minimise}
constraints:
  - {name: lut, max: 3000}
search: {trials: 10, sampler: nsga2, population: 4}
"""


@pytest.fixture(autouse=True, scope="session")
def plugin():
    sys.path.insert(0, str(PLUGIN))
    plugins.forget()
    yield
    sys.path.remove(str(PLUGIN))


@pytest.fixture
def study():
    return parse_study(STUDY, "toy.yaml")
