"""What is judged and measured of a trial: metrics, figures, comparisons, the verdict of its proof."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from codesign.core.figures import Figure

__all__ = (
    "Baselines",
    "BesideOther",
    "Comparisons",
    "Figures",
    "JudgedBaseline",
    "Metric",
    "Metrics",
    "Objective",
    "PairedDifference",
    "Record",
    "Verified",
)


class Record(BaseModel):
    """JSON without keys that nobody knows."""

    model_config = ConfigDict(extra="forbid")


class Metric(Record):
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


class BesideOther(Record):
    """Two that were judged on the same events."""

    one: str = Field(description="name of the first")
    other: str = Field(description="name of the second")
    metrics: dict[str, PairedDifference] = Field(description="the first less the second, by metric")


class Comparisons(Record):
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


class Metrics(Record):
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


class Figures(Record):
    """``figures.json`` of a trial: every hardware figure that was measured, at every fidelity reached."""

    figures: list[Figure] = Field(description="in the order in which they were measured")


class Objective(Record):
    """What the search pulls: a metric's name, or a figure's quantity with its fidelity."""

    name: str = Field(description="a metric's, or a figure's quantity")
    direction: str = Field(pattern="^(maximise|minimise)$", description="which way is better")
    fidelity: str | None = Field(default=None, description="of a figure: the one compared; absent for a metric")


class Verified(Record):
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


class JudgedBaseline(Record):
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
