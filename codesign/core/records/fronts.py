"""The fronts of a run, its designs trained again, and through other flows."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from codesign.core.figures import Fidelity, Figure
from codesign.core.records.judgement import Metric, Objective, Record, Verified

__all__ = (
    "FidelityFront",
    "FlowResult",
    "Flows",
    "Front",
    "FrontPoint",
    "LearnedFigure",
    "RepeatedDesign",
    "RepeatedMetric",
    "Repeats",
)


class FrontPoint(Record):
    """One Pareto-optimal trial."""

    trial: int = Field(ge=0, description="its number in the run")
    config: dict[str, Any] = Field(description="what was searched, as config.json has it")
    metrics: dict[str, Metric] = Field(description="on the test split, which the search never saw")
    validation: dict[str, Metric] = Field(default_factory=dict, description="on the split the search used")
    figures: list[Figure] = Field(description="every hardware figure that was measured")
    verified: Verified | None = Field(description="null where the verification could not run; see the trial's status")


class LearnedFigure(Record):
    """What one step closer to the chip does to a figure, from the run's own measurements of a family."""

    family: str = Field(description="whose trials taught it")
    quantity: str = Field(description="of the figure")
    factor: float = Field(gt=0, allow_inf_nan=False, description="measured over the figure below, geometric mean")
    error: float = Field(ge=0, allow_inf_nan=False, description="of a prediction by it, as a share: one deviation")
    trials: int = Field(ge=2, description="measured, from which it is learned")


class RepeatedMetric(Record):
    """A metric on the test split of a design and of the same one trained again, all on the same events."""

    values: list[float] = Field(description="the design's own first")
    mean: float = Field(allow_inf_nan=False, description="of the values")
    training: float = Field(ge=0, allow_inf_nan=False, description="standard deviation over trainings")
    events: float = Field(ge=0, allow_inf_nan=False, description="mean statistical error: what other events would do")


class RepeatedDesign(Record):
    """A design of the front, trained again from other seeds."""

    trial: int = Field(ge=0, description="the design's own trial")
    seeds: list[int] = Field(description="of the trainings that came through")
    metrics: dict[str, RepeatedMetric] = Field(default_factory=dict, description="by name")
    figures: dict[str, list[float]] = Field(
        default_factory=dict, description="compiled figures of each, by quantity, the design's own first"
    )
    failed: dict[int, str] = Field(default_factory=dict, description="number of the repetition -> why it failed")


class Repeats(Record):
    """``repeats.json`` of a run: its best designs, each trained again from other seeds."""

    repeats: int = Field(ge=1, description="further trainings of each that were asked for")
    designs: list[RepeatedDesign] = Field(description="each with its trainings")


class FidelityFront(Record):
    """The front at one fidelity: each objective is of the same fidelity for all of its trials."""

    fidelity: Fidelity = Field(description="at which its figures were measured")
    objectives: list[Objective] = Field(description="as compared here")
    measured: list[int] = Field(description="trials that have these figures")
    trials: list[int] = Field(description="the front: those of the measured that no other one dominates")
    dominated: dict[int, int] = Field(
        default_factory=dict, description="trials not measured here -> one that surely dominates them one rung below"
    )
    failed: dict[int, str] = Field(default_factory=dict, description="trials that could not be measured -> why")
    missed: dict[int, float] = Field(
        default_factory=dict, description="trials that miss the target's clock, and so are on no front -> MHz reached"
    )
    learned: list[LearnedFigure] = Field(
        default_factory=list,
        exclude_if=lambda learned: not learned,
        description="by which what is measured here was chosen, in the place of the calibrated error",
    )


class Front(Record):
    """``front.json`` of a run."""

    study: str = Field(description="its name")
    objectives: list[Objective] = Field(description="what the search pulled")
    points: list[FrontPoint] = Field(description="all trials that are on the front, at any of the fidelities compared")
    fronts: list[FidelityFront] = Field(
        default_factory=list,
        exclude_if=lambda fronts: not fronts,
        description="of a ladder with rungs of measurement: the front at each fidelity, the search's own first",
    )
    baseline: dict[str, Metric] = Field(default_factory=dict, description="the classical baseline on the test split")
    unproven: dict[int, str] = Field(
        default_factory=dict,
        exclude_if=lambda unproven: not unproven,
        description="trials that belong on the front and have no verdict of a simulation -> why",
    )


class FlowResult(Record):
    """One trial through one flow."""

    trial: int = Field(ge=0, description="its number in the run")
    flow: str = Field(description="its name")
    settings: dict[str, Any] = Field(default_factory=dict, description="the flow's")
    equal: bool | None = Field(default=None, description="whether the flow's own model gives QONNX' integers")
    events: int = Field(default=0, ge=0, description="events compared: golden ones, random and extreme codes")
    figures: list[Figure] = Field(default_factory=list, description="what the flow and its tools measured")
    verified: Verified | None = Field(default=None, description="the RTL's simulation, or what runs in its place")
    failed: dict[str, str] = Field(default_factory=dict, description="what could not be done -> why")
    seconds: float = Field(default=0, ge=0, description="wall-clock time of all of it")


class Flows(Record):
    """``flows.json`` of a run: its trials through every flow."""

    study: str = Field(description="its name")
    target: str = Field(description="its name")
    results: list[FlowResult] = Field(description="a trial through a flow each")
