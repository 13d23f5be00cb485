"""The records of a run, as they stand in its folder: plain JSON with a published schema each."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from codesign.core.figures import Fidelity, Figure
from codesign.core.layout import FEATURES, MOST_BLOCKS, Layout, view_blocks

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


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Metric(_Record):
    """A physics metric, its statistical uncertainty (one standard deviation), and its systematic one."""

    value: float = Field(allow_inf_nan=False, description="in the metric's own unit")
    error: float = Field(ge=0, allow_inf_nan=False, description="statistical: one standard deviation")
    low: float | None = Field(
        default=None,
        allow_inf_nan=False,
        exclude_if=lambda end: end is None,
        description="of an efficiency: the lower end of its interval of one standard deviation (Clopper and Pearson)",
    )
    high: float | None = Field(
        default=None, allow_inf_nan=False, exclude_if=lambda end: end is None, description="the upper end"
    )
    systematic: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        exclude_if=lambda error: error is None,
        description="its systematic error, by the study's variations of inputs; absent where the study has none",
    )


class PairedDifference(Metric):
    """By how much one has more of a metric than another on the same events, and whether that is better."""

    better: float = Field(ge=0, le=1, description="probability that the first one is better: share of the replicas")
    replicas: int = Field(ge=0, description="of the sample, from which it is known")


class BesideOther(_Record):
    """Two that were judged on the same events."""

    one: str = Field(description="name of the first")
    other: str = Field(description="name of the second")
    metrics: dict[str, PairedDifference] = Field(description="the first less the second, by metric")


class Comparisons(_Record):
    """``comparisons.json`` of a trial on the front: beside each of the baselines, on the test split."""

    split: str = Field(pattern="^(validation|test)$", description="on which both were judged")
    events: int = Field(gt=0, description="events of the split")
    effective: float | None = Field(
        default=None,
        exclude_if=lambda number: number is None,
        description="effective number of events, where they have weights",
    )
    compared: list[BesideOther] = Field(description="a pair each")
    sample: str | None = Field(
        default=None, description="hash of the sample: designs of two runs belong together by it"
    )
    directions: dict[str, str] = Field(default_factory=dict, description="of each metric: maximise or minimise")
    replicas: dict[str, list[float]] = Field(
        default_factory=dict,
        description="of each metric, the design's values in the first replicas of the split, which are the "
        "same for all designs of a sample: the spread of the differences of two lists is the error of the difference",
    )


class Metrics(_Record):
    """``metrics.json`` of a trial: the metrics on one split of the sample."""

    split: str = Field(pattern="^(train|validation|test)$", description="on which it was judged")
    events: int = Field(gt=0, description="events of the split")
    metrics: dict[str, Metric] = Field(description="by name")
    points: dict[str, float] = Field(
        default_factory=dict, description="thresholds and the like, fixed on the validation split before judging"
    )
    effective: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        exclude_if=lambda number: number is None,
        description="effective number of events, where they have weights",
    )
    variations: dict[str, dict[str, float]] = Field(
        default_factory=dict,
        exclude_if=lambda variations: not variations,
        description="values under each of the study's variations of inputs, by its name and way, by metric",
    )


class Figures(_Record):
    """``figures.json`` of a trial: every hardware figure that was measured, at every fidelity reached."""

    figures: list[Figure] = Field(description="in the order in which they were measured")


class Objective(_Record):
    """What the search pulls: a metric's name, or a figure's quantity with its fidelity."""

    name: str = Field(description="a metric's, or a figure's quantity")
    direction: str = Field(pattern="^(maximise|minimise)$", description="which way is better")
    fidelity: str | None = Field(default=None, description="of a figure: the one compared; absent for a metric")


class Verified(_Record):
    """``verify.json`` of a trial: the verdict of the RTL simulation, or of what runs in its place."""

    exact: bool = Field(description="whether every integer of every event was equal")
    events: int = Field(ge=0, description="events simulated and compared, a new one every clock")
    latency_cycles: int | None = Field(default=None, ge=1, description="measured; absent where outputs never matched")
    initiation_interval: int | None = Field(default=None, ge=1, description="measured")
    compared: list[str] = Field(default_factory=list, description="models whose integers equal the RTL's, or should")
    tool: str = Field(default="", description="what simulated, or ran")
    version: str = Field(default="", description="the tool's")
    proven: str = Field(default="RTL", description="what was run: RTL, or e.g. C simulation where there is no RTL")
    first_difference: str | None = Field(default=None, description="where it is not exact: event, output, values")
    thresholds: list[int] = Field(
        default_factory=list, description="codes at the threshold's port, each simulated with all events"
    )
    fired: list[int] = Field(default_factory=list, description="events whose trigger bit was set, for each threshold")


class SampleFacts(BaseModel):
    """``sample.json`` of a run: what its events are, and where they come from. Earlier releases wrote less."""

    model_config = ConfigDict(extra="allow")

    hash: str | None = Field(default=None, description="by which the sample is known again")
    events: int | None = Field(default=None, gt=0)
    splits: dict[str, int] = Field(default_factory=dict, description="events of each")
    feature_names: tuple[str, ...] = Field(min_length=1)
    units: tuple[str, ...] = Field(description="of each feature; '1' or empty for a number")
    class_names: tuple[str, ...]
    outputs: tuple[str, ...] = Field(default=(), description="of the network; absent where it has one per class")
    blocks: tuple[Layout, ...] = Field(default=(), max_length=MOST_BLOCKS, description="of each event, beside features")
    view: tuple[str, ...] = Field(default=(FEATURES,), min_length=1, description="blocks that the network sees")
    target_names: tuple[str, ...] = ()
    target_units: tuple[str, ...] = ()
    held_out: tuple[str, ...] = Field(default=(), description="classes that no training sees")
    meanings: dict[str, str] = Field(default_factory=dict, description="of outputs, what their values mean, in words")
    fill: dict[str, FiniteFloat] = Field(
        default_factory=dict, description="what stands for a missing value, by the feature's name"
    )
    provenance: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _unit_each(self) -> Self:
        for names, units in (("feature_names", "units"), ("target_names", "target_units")):
            if len(getattr(self, names)) != len(getattr(self, units)):
                raise ValueError(f"{names} and {units} differ in length")
        return self

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Of every block, the features first."""
        return (Layout.of_features(self.feature_names, self.units), *self.blocks)

    @property
    def seen(self) -> tuple[Layout, ...]:
        """The blocks of the view, in its order."""
        return view_blocks(self.layouts, self.view, "sample.json")


class JudgedBaseline(_Record):
    """A classical baseline, judged like a candidate."""

    name: str = "baseline"
    metrics: dict[str, Metric] = Field(default_factory=dict, description="on the test split")
    validation: dict[str, Metric] = Field(default_factory=dict)
    variations: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="of the test split, under each of the study's variations of inputs"
    )


class Baselines(JudgedBaseline):
    """``baseline.json`` of a run: the primary baseline, and the others."""

    others: list[JudgedBaseline] = Field(default_factory=list)


class SearchName(_Record):
    """``search.json`` of a run: the search's name within its storage."""

    name: str = Field(min_length=1)


class FrontPoint(_Record):
    """One Pareto-optimal trial."""

    trial: int = Field(ge=0, description="its number in the run")
    config: dict[str, Any] = Field(description="what was searched, as config.json has it")
    metrics: dict[str, Metric] = Field(description="on the test split, which the search never saw")
    validation: dict[str, Metric] = Field(default_factory=dict, description="on the split the search used")
    figures: list[Figure] = Field(description="every hardware figure that was measured")
    verified: Verified | None = Field(description="null where the verification could not run; see the trial's status")


class LearnedFigure(_Record):
    """What one step closer to the chip does to a figure, from the run's own measurements of a family."""

    family: str = Field(description="whose trials taught it")
    quantity: str = Field(description="of the figure")
    factor: float = Field(gt=0, allow_inf_nan=False, description="measured over the figure below, geometric mean")
    error: float = Field(ge=0, allow_inf_nan=False, description="of a prediction by it, as a share: one deviation")
    trials: int = Field(ge=2, description="measured, from which it is learned")


class RepeatedMetric(_Record):
    """A metric on the test split of a design and of the same one trained again, all on the same events."""

    values: list[float] = Field(description="the design's own first")
    mean: float = Field(allow_inf_nan=False, description="of the values")
    training: float = Field(ge=0, allow_inf_nan=False, description="standard deviation over trainings")
    events: float = Field(ge=0, allow_inf_nan=False, description="mean statistical error: what other events would do")


class RepeatedDesign(_Record):
    """A design of the front, trained again from other seeds."""

    trial: int = Field(ge=0, description="the design's own trial")
    seeds: list[int] = Field(description="of the trainings that came through")
    metrics: dict[str, RepeatedMetric] = Field(default_factory=dict, description="by name")
    figures: dict[str, list[float]] = Field(
        default_factory=dict, description="compiled figures of each, by quantity, the design's own first"
    )
    failed: dict[int, str] = Field(default_factory=dict, description="number of the repetition -> why it failed")


class Repeats(_Record):
    """``repeats.json`` of a run: its best designs, each trained again from other seeds."""

    repeats: int = Field(ge=1, description="further trainings of each that were asked for")
    designs: list[RepeatedDesign] = Field(description="each with its trainings")


class FidelityFront(_Record):
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


class Front(_Record):
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


class FlowResult(_Record):
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


class Flows(_Record):
    """``flows.json`` of a run: its trials through every flow."""

    study: str = Field(description="its name")
    target: str = Field(description="its name")
    results: list[FlowResult] = Field(description="a trial through a flow each")


class Series(_Record):
    """One line of a plot: equally long lists, and an optional band of one standard deviation."""

    label: str = Field(description="in the legend")
    x: list[float] = Field(description="places along the x axis")
    y: list[float] = Field(description="values at them")
    low: list[float] | None = Field(default=None, description="lower end of the band")
    high: list[float] | None = Field(default=None, description="upper end of the band")
    dashed: bool = Field(default=False, description="drawn dashed: a baseline")
    of: str = Field(
        default="",
        exclude_if=lambda of: not of,
        description="what it is of, such as a class: its colour; else its label",
    )
    source: str = Field(
        default="", exclude_if=lambda source: not source, description="the baseline whose it is: its dash"
    )

    @model_validator(mode="after")
    def _equally_long(self) -> Self:
        for name in ("y", "low", "high"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.x):
                raise ValueError(f"{name} has {len(values)} points, and x has {len(self.x)}")
        return self


class Plot(_Record):
    """What one physics plot is drawn from: lines, or a matrix with one label per row and column."""

    name: str = Field(description="of its file")
    title: str = Field(description="above it")
    x_label: str = Field(description="with the unit")
    y_label: str = Field(description="with the unit")
    log_x: bool = Field(default=False, description="whether the axis is logarithmic")
    log_y: bool = Field(default=False, description="whether the axis is logarithmic")
    series: list[Series] = Field(default_factory=list, description="its lines")
    matrix: list[list[float]] | None = Field(default=None, description="matrix[row][column], row 0 at the top")
    x_ticks: list[str] | None = Field(default=None, description="names of the columns of a matrix")
    y_ticks: list[str] | None = Field(default=None, description="names of the rows of a matrix")
    caption: str = Field(default="", description="what it shows, in words")

    @model_validator(mode="after")
    def _rectangular(self) -> Self:
        if len({len(row) for row in self.matrix or ()}) > 1:
            raise ValueError("rows of the matrix differ in length")
        return self


class Plots(_Record):
    """``plots.json`` of a trial on the front: its task's plots on the test split."""

    plots: list[Plot] = Field(description="in the task's order")


class InputImportance(_Record):
    """``inputs.json`` of a trial on the front: what a metric loses when one input is shuffled among the events."""

    metric: str = Field(description="whose loss it is")
    split: str = Field(pattern="^test$", description="on which it was judged")
    events: int = Field(gt=0, description="events of the split")
    inputs: dict[str, Metric] = Field(
        description="loss, positive where the input helps; its error over five pieces; of a field, in all items at once"
    )
    items: dict[str, Metric] = Field(
        default_factory=dict,
        exclude_if=lambda items: not items,
        description="the same of an item with all its fields; of an image, of a row or a column",
    )


class Explained(_Record):
    """One event, and what each of its inputs adds to what was decided of it.

    ``base`` plus all shares is ``score``: of Shapley's values, which are the means over random orders in which the
    event's inputs replace those of background events, their sum is exact, and each carries its error.
    """

    place: int = Field(ge=0, description="place in the test split")
    why: str = Field(description="why this event is shown")
    label: str = Field(default="", description="its class in the sample")
    output: str = Field(description="the output that decided")
    against: str | None = Field(default=None, description="the output that came second: the score is the difference")
    score: float = Field(allow_inf_nan=False, description="what was decided by")
    base: float = Field(allow_inf_nan=False, description="mean score of the background events")
    threshold: float | None = Field(default=None, description="what the score has to reach for a trigger")
    values: dict[str, float] = Field(
        description="the event's inputs in their units; without codes, as an earlier release read them back from codes"
    )
    codes: dict[str, int] = Field(
        default_factory=dict, exclude_if=lambda codes: not codes, description="the integers that the firmware reads"
    )
    shares: dict[str, Metric] = Field(description="what each input adds, by its name")


class Explanations(_Record):
    """``explained.json`` of a trial on the front: why single events of the test split were kept or decided so."""

    split: str = Field(pattern="^test$", description="of which the events are")
    background: int = Field(gt=0, description="events of the same split that stand for all others; each is used once")
    events: list[Explained] = Field(description="each with its shares")


class LayerCost(_Record):
    """What the circuit costs up to where the next layer begins: cumulative, so that differences are a layer's own."""

    lut: float = Field(ge=0, description="look-up tables")
    ff: int = Field(ge=0, description="flip-flops")
    latency_cycles: int = Field(ge=0, description="clocks")


class LayerCosts(_Record):
    """``layers.json`` of a trial on the front: compiled up to each of its layers, the last one the whole circuit."""

    tool: str = Field(description="what counted")
    version: str = Field(description="the tool's")
    layers: list[LayerCost] = Field(description="in their order")


class State(StrEnum):
    """How far a trial got."""

    RUNNING = "running"
    COMPLETE = "complete"
    INFEASIBLE = "infeasible"  # scored, but outside the study's constraints
    FAILED = "failed"  # with its reason; never scored


class TrialStatus(_Record):
    """``status.json`` of a trial."""

    trial: int = Field(ge=0, description="its number in the run")
    state: State = Field(description="how far it got")
    stage: str = Field(default="", description="the stage that is running, or that failed")
    reason: str | None = Field(default=None, description="why it failed, or which constraint it breaks")
    seed: int = Field(description="of everything in the trial that is drawn")
    seconds: dict[str, float] = Field(default_factory=dict, description="wall-clock time per stage")
    processor: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        exclude_if=lambda processor: processor is None,
        description="processor time, s, of the trial's process and the tools that it ran",
    )
    design: str | None = Field(default=None, description="content hash of the design")
    notes: list[str] = Field(default_factory=list, description="e.g. a compiler pass that had to be left out")
    lacking: list[str] = Field(
        default_factory=list,
        exclude_if=lambda lacking: not lacking,
        description="packages and programs for want of which it failed: it is tried again when they are here",
    )
    refused: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        exclude_if=lambda refused: refused is None,
        description="of one that failed because there can be no such candidate: by how much, as a share of what is "
        "allowed (1 where it cannot be said); the sampler is told so. Absent where the machine was at fault",
    )

    @property
    def spent(self) -> float:
        """Processor time, s; by the clock where the process was killed, or an earlier release kept none."""
        if self.processor is not None:
            return self.processor
        return self.seconds.get("total", sum(self.seconds.values()))


#: file name -> the model whose JSON Schema it obeys
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
