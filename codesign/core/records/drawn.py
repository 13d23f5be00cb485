"""What is drawn and explained of a trial: plots, importance of inputs, single events."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from codesign.core.records.judgement import Metric, Record

__all__ = ("Explained", "Explanations", "InputImportance", "Plot", "Plots", "Series")


class Series(Record):
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


class Plot(Record):
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


class Plots(Record):
    """``plots.json`` of a trial on the front: its task's plots on the test split."""

    plots: list[Plot] = Field(description="in the task's order")


class InputImportance(Record):
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


class Explained(Record):
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


class Explanations(Record):
    """``explained.json`` of a trial on the front: why single events of the test split were kept or decided so."""

    split: str = Field(pattern="^test$", description="of which the events are")
    background: int = Field(gt=0, description="events of the same split that stand for all others; each is used once")
    events: list[Explained] = Field(description="each with its shares")
