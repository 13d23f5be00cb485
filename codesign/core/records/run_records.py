"""What a run is, and how far its trials are."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from codesign.core.layout import FEATURES, MOST_BLOCKS, Layout, view_blocks
from codesign.core.records.judgement import Record

__all__ = ("LayerCost", "LayerCosts", "SampleFacts", "SearchName", "State", "TrialStatus")


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


class SearchName(Record):
    """``search.json`` of a run: the search's name within its storage."""

    name: str = Field(min_length=1)


class State(StrEnum):
    """How far a trial got."""

    RUNNING = "running"
    COMPLETE = "complete"
    INFEASIBLE = "infeasible"  # scored, but outside the study's constraints
    FAILED = "failed"  # with its reason; never scored


class TrialStatus(Record):
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


class LayerCost(Record):
    """What the circuit costs up to where the next layer begins: cumulative, so that differences are a layer's own."""

    lut: float = Field(ge=0, description="look-up tables")
    ff: int = Field(ge=0, description="flip-flops")
    latency_cycles: int = Field(ge=0, description="clocks")


class LayerCosts(Record):
    """``layers.json`` of a trial on the front: compiled up to each of its layers, the last one the whole circuit."""

    tool: str = Field(description="what counted")
    version: str = Field(description="the tool's")
    layers: list[LayerCost] = Field(description="in their order")
