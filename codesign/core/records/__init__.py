"""The records of a run, as they stand in its folder: plain JSON with a published schema each."""

from __future__ import annotations

from pydantic import BaseModel

from codesign.core.records.drawn import Explained, Explanations, InputImportance, Plot, Plots, Series
from codesign.core.records.fronts import (
    FidelityFront,
    FlowResult,
    Flows,
    Front,
    FrontPoint,
    LearnedFigure,
    RepeatedDesign,
    RepeatedMetric,
    Repeats,
)
from codesign.core.records.judgement import (
    Baselines,
    BesideOther,
    Comparisons,
    Figures,
    JudgedBaseline,
    Metric,
    Metrics,
    Objective,
    PairedDifference,
    Verified,
)
from codesign.core.records.run_records import LayerCost, LayerCosts, SampleFacts, SearchName, State, TrialStatus

__all__ = (
    "SCHEMAS",
    "Baselines",
    "BesideOther",
    "Comparisons",
    "Explained",
    "Explanations",
    "FidelityFront",
    "Figures",
    "FlowResult",
    "Flows",
    "Front",
    "FrontPoint",
    "InputImportance",
    "JudgedBaseline",
    "LayerCost",
    "LayerCosts",
    "LearnedFigure",
    "Metric",
    "Metrics",
    "Objective",
    "PairedDifference",
    "Plot",
    "Plots",
    "RepeatedDesign",
    "RepeatedMetric",
    "Repeats",
    "SampleFacts",
    "SearchName",
    "Series",
    "State",
    "TrialStatus",
    "Verified",
)

SCHEMAS: dict[str, type[BaseModel]] = {
    "front.json": Front,
    "metrics.json": Metrics,
    "figures.json": Figures,
    "verify.json": Verified,
    "status.json": TrialStatus,
    "plots.json": Plots,
    "flows.json": Flows,
    "inputs.json": InputImportance,
    "explained.json": Explanations,
    "layers.json": LayerCosts,
    "comparisons.json": Comparisons,
    "repeats.json": Repeats,
}
