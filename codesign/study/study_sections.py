"""The sections of a study that stand for themselves: splits, objectives, constraints, search, verification, flow."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

from codesign.core.figures import QUANTITIES, Fidelity
from codesign.core.targets import Target

__all__ = (
    "Constraint",
    "FlowChoice",
    "Goal",
    "Ladder",
    "SearchSettings",
    "SplitFractions",
    "StudySection",
    "Verification",
)


class StudySection(BaseModel):
    """A mapping of a study: what it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class SplitFractions(StudySection):
    """Shares of the sample; they add up to 1."""

    train: float = Field(default=0.6, gt=0, lt=1, description="share that trains")
    validation: float = Field(
        default=0.2, gt=0, lt=1, description="share by which the search chooses, and thresholds are fixed"
    )
    test: float = Field(default=0.2, gt=0, lt=1, description="share that only the points of the front are judged on")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if abs(self.train + self.validation + self.test - 1) > 1e-9:
            raise ValueError("train, validation and test must add up to 1")
        return self


def _with_fidelity(data: Any) -> Any:
    """Fill in the fidelity of a figure where the study leaves it out: what the search itself measures of each."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        return data  # its own validation says what is wrong
    if data.get("fidelity") is not None:
        if data["name"] not in QUANTITIES:
            raise ValueError(f"'{data.get('name')}' is no hardware figure, and only those have a fidelity")
        return data
    if data.get("name") not in QUANTITIES:
        return data
    return data | {"fidelity": Fidelity.ANALYTIC if data["name"] == "ebops" else Fidelity.COMPILED}


class Goal(StudySection):
    """One objective: a metric of the task, or a hardware figure at the fidelity that the search compares."""

    name: str = Field(description="a metric of the task, or a hardware figure such as lut or latency_cycles")
    direction: Literal["maximise", "minimise"] = Field(description="which way is better")
    fidelity: Fidelity | None = Field(default=None, description="of a figure: compiled, or another; None for a metric")

    @model_validator(mode="before")
    @classmethod
    def _with_fidelity(cls, data: Any) -> Any:
        return _with_fidelity(data)


class Constraint(StudySection):
    """A bound on a metric or a figure: a candidate outside is infeasible, and not on the front."""

    name: str = Field(description="a metric of the task, or a hardware figure")
    min: float | None = Field(default=None, description="at least so much; null: no lower bound")
    max: float | None = Field(default=None, description="at most so much; null: no upper bound")
    slrs: float | None = Field(
        default=None,
        gt=0,
        le=64,
        exclude_if=lambda slrs: slrs is None,
        description="of lut: at most so many of the target's super logic regions, such as 0.5",
    )
    fidelity: Fidelity | None = Field(default=None, description="of a figure: compiled, or another; None for a metric")

    @model_validator(mode="before")
    @classmethod
    def _with_fidelity(cls, data: Any) -> Any:
        return _with_fidelity(data)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.min is None and self.max is None and self.slrs is None:
            raise ValueError(f"constraint on '{self.name}' needs a min or a max")
        if self.slrs is not None and self.name != "lut":
            raise ValueError(f"constraint on '{self.name}': slrs bounds lut alone; write max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"impossible constraint: '{self.name}' at least {self.min:g} and at most {self.max:g}")
        # a design without DSP slices or block memories is a good design; one that takes no time or logic is none
        least = 0.0 if self.name in ("dsp", "bram", "carry", "ff") else 1e-9
        if self.name in QUANTITIES and self.max is not None and self.max < least:
            raise ValueError(f"impossible constraint: '{self.name}' at most {self.max:g}: no design has so little")
        return self

    def most(self, target: Target) -> float | None:
        """The upper bound on this target; None where there is none."""
        of_slrs = None if self.slrs is None else self.slrs * target.resources.lut_of_slr
        return min((m for m in (self.max, of_slrs) if m is not None), default=None)


class Ladder(StudySection):
    """What of the search is measured closer to the chip, and has a front of its own there."""

    measured: tuple[Literal["synthesised", "placed"], ...] = Field(
        description="fidelities, rising, at which all are measured that are not surely dominated before"
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.measured not in (("synthesised",), ("placed",), ("synthesised", "placed")):
            raise ValueError(f"measured must rise, at most from synthesised to placed, not {list(self.measured)}")
        return self


class SearchSettings(StudySection):
    """Budget and sampler."""

    trials: int = Field(default=40, ge=1, description="candidates that are tried")
    sampler: Literal["random", "tpe", "nsga2"] = Field(
        default="random", description="reports/reference/search.json compares them"
    )
    population: int = Field(default=16, ge=2, description="of NSGA-II; random trials before the model of TPE")
    seeds: tuple[dict[str, Any], ...] = Field(
        default=(), description="configurations tried first, as config.json of a trial has them"
    )
    trial_seconds: float | None = Field(default=None, gt=0, description="after which a trial is ended, and has failed")
    ladder: Ladder | None = Field(default=None, description="default: the front alone is measured")


class Verification(StudySection):
    """How hard designs are proven exact."""

    gate_events: int = Field(
        default=4000, ge=1000, description="events through interpreter, QONNX and Brevitas, every candidate"
    )
    rtl_events: int = Field(default=1000, ge=1000, description="test events through the RTL simulation, on the front")
    placement: bool = Field(
        default=True,
        description="whether what is simulated is also placed and routed, where a tool here does so for the target; "
        "'codesign synth' and 'codesign bitstream' do so in any case",
    )


class FlowChoice(BaseModel):
    """The flow to firmware, and dimensions of its settings, which the flow validates; a study may write its name only.

    Study files and records hold the name only where there are no settings.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(description="of the flow")

    @model_validator(mode="before")
    @classmethod
    def _name(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data

    @model_serializer
    def _plain(self) -> str | dict[str, Any]:
        return {"name": self.name, **self.space} if self.space else self.name

    @property
    def space(self) -> dict[str, Any]:
        """What stands beside the name."""
        return dict(self.model_extra or {})
