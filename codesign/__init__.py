"""Hardware co-design and quantisation for particle-physics triggers: every figure is real."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codesign.core.design import Design
    from codesign.core.errors import InputError
    from codesign.core.layout import BlockValues, Layout
    from codesign.core.records import Metric, Plot, Series
    from codesign.data.sample import Part, Sample
    from codesign.families.base import Candidate, Family
    from codesign.families.torch_family import TorchFamily
    from codesign.families.trained import Trained
    from codesign.flows.base import Flow
    from codesign.importing.base import Imported, Importer
    from codesign.importing.imports import import_model
    from codesign.physics.detector.gun import SeenTowers, towers_of
    from codesign.pipeline.imported import import_run
    from codesign.pipeline.trial_proof import prove_run as prove
    from codesign.search.runs import run
    from codesign.tasks.base import Task
    from codesign.tasks.heads import Head, LossObjective
    from codesign.tasks.measured_problem import MeasuredProblem
    from codesign.tasks.problem import Problem
    from codesign.tasks.tagging.jet_tagging import ClassificationProblem

__all__ = (
    "BlockValues",
    "Candidate",
    "ClassificationProblem",
    "Design",
    "Family",
    "Flow",
    "Head",
    "Imported",
    "Importer",
    "InputError",
    "Layout",
    "LossObjective",
    "MeasuredProblem",
    "Metric",
    "Part",
    "Plot",
    "Problem",
    "Sample",
    "SeenTowers",
    "Series",
    "Task",
    "TorchFamily",
    "Trained",
    "import_model",
    "import_run",
    "prove",
    "run",
    "towers_of",
)

__version__ = "0.1.0"

#: where each public name is: imported when it is first asked for, so that ``import codesign`` is quick
_HOMES = {
    "BlockValues": "codesign.core.layout:BlockValues",
    "Candidate": "codesign.families.base:Candidate",
    "ClassificationProblem": "codesign.tasks.tagging.jet_tagging:ClassificationProblem",
    "Design": "codesign.core.design:Design",
    "Family": "codesign.families.base:Family",
    "Flow": "codesign.flows.base:Flow",
    "Head": "codesign.tasks.heads:Head",
    "Imported": "codesign.importing.base:Imported",
    "Importer": "codesign.importing.base:Importer",
    "InputError": "codesign.core.errors:InputError",
    "Layout": "codesign.core.layout:Layout",
    "LossObjective": "codesign.tasks.heads:LossObjective",
    "MeasuredProblem": "codesign.tasks.measured_problem:MeasuredProblem",
    "Metric": "codesign.core.records:Metric",
    "Part": "codesign.data.sample:Part",
    "Plot": "codesign.core.records:Plot",
    "Problem": "codesign.tasks.problem:Problem",
    "Sample": "codesign.data.sample:Sample",
    "SeenTowers": "codesign.physics.detector.gun:SeenTowers",
    "Series": "codesign.core.records:Series",
    "Task": "codesign.tasks.base:Task",
    "TorchFamily": "codesign.families.torch_family:TorchFamily",
    "Trained": "codesign.families.trained:Trained",
    "import_model": "codesign.importing.imports:import_model",
    "import_run": "codesign.pipeline.imported:import_run",
    "run": "codesign.search.runs:run",
    "prove": "codesign.pipeline.trial_proof:prove_run",
    "towers_of": "codesign.physics.detector.gun:towers_of",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'codesign' has no attribute '{name}'")
    module, _, found = _HOMES[name].partition(":")
    return getattr(import_module(module), found)
