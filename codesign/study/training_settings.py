"""The section ``training`` of a study: how every candidate is trained. What is a dimension may be a range or a choice,
which the search draws with each candidate, and a trial's ``config.json`` names as ``training.NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from codesign.core.errors import InputError, nearest
from codesign.core.space import Choice, Choose, Dimension, Fixed, FloatDimension, IntDimension, Range, parse, plain
from codesign.data.variations import Variation
from codesign.families.teaching import Teaching
from codesign.training.lesson import OPTIMISERS, SCHEDULES, Budget, StepSettings
from codesign.training.nuisance import Decorrelation

__all__ = ("OWN", "Training")

_PREFIX = "training."
#: settings that not every family heeds
OWN = ("optimiser", "schedule", "weight_decay", "patience", "decorrelate")
_DRAWN = ("batch", "learning_rate", "optimiser", "schedule", "weight_decay")


def _is(value: object) -> Any:
    """Whether a field has this value, for ``exclude_if``: it then stands in no record."""
    return lambda found: found == value


class Training(BaseModel):
    """How every candidate is trained."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False)

    epochs: int = Field(default=16, ge=1, description="passes through the training events; of trees, their rounds")
    batch: IntDimension = Field(default=Fixed(1024), description="events of a step; trees have none")
    learning_rate: FloatDimension = Field(default=Fixed(3e-3), description="the largest; trees have their own")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="cpu", description="where torch networks are trained; auto: on a GPU where there is one"
    )
    optimiser: Dimension = Field(
        default=Fixed("adam"), exclude_if=_is(Fixed("adam")), description=f"one of {', '.join(OPTIMISERS)}"
    )
    schedule: Dimension = Field(
        default=Fixed("one-cycle"),
        exclude_if=_is(Fixed("one-cycle")),
        description=f"of the learning rate: one of {', '.join(SCHEDULES)}",
    )
    weight_decay: FloatDimension = Field(
        default=Fixed(0.0),
        exclude_if=_is(Fixed(0.0)),
        description="times the rate, what each step takes off the weights, as a share of them (as AdamW does)",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        exclude_if=_is(None),
        description="early stopping: so many epochs without a smaller validation loss end a training, and the network "
        "of the smallest is taken; null: all epochs, and the last network",
    )
    class_weights: Literal["none", "balanced"] | dict[str, float] = Field(
        default="none",
        exclude_if=_is("none"),
        description="balanced: every class counts alike in the loss, whatever its share; or a factor for some, by name",
    )
    loss: str = Field(
        default="",
        exclude_if=_is(""),
        description="in the place of the task's own: a shipped one, or one of an installed package (codesign.losses)",
    )

    decorrelate: Decorrelation | None = Field(
        default=None,
        exclude_if=_is(None),
        description="a quantity that an output shall not know, such as a mass",
    )
    vary: tuple[Variation, ...] = Field(
        default=(),
        max_length=16,
        exclude_if=_is(()),
        description="robust training: the training events as they are and under each of these variations of inputs",
    )

    @field_validator("optimiser", "schedule", mode="after")
    @classmethod
    def _known(cls, value: Any, info: Any) -> Any:
        known = OPTIMISERS if info.field_name == "optimiser" else SCHEDULES
        for name in _values(value):
            if name not in known:
                raise ValueError(
                    f"there is no {info.field_name} '{name}'{nearest(str(name), known)}: {', '.join(known)}"
                )
        return value

    @field_validator("batch", "learning_rate", "weight_decay", mode="after")
    @classmethod
    def _in_range(cls, value: Any, info: Any) -> Any:
        least, most = {"batch": (1, 1 << 20), "learning_rate": (1e-9, 10), "weight_decay": (0, 1)}[info.field_name]
        for number in _values(value):
            if not least <= number <= most:
                raise ValueError(f"{number:g} is none: it lies between {least:g} and {most:g}")
        return value

    @model_validator(mode="after")
    def _positive_weights(self) -> Self:
        if isinstance(self.class_weights, dict):
            for name, weight in self.class_weights.items():
                if not 0 < weight < 1e6:
                    raise ValueError(f"class_weights: the factor {weight:g} of '{name}' is none above 0, below 1e6")
        return self

    # ------------------------------------------------------------------------------------------------------- dimensions
    def draw(self, choose: Choose) -> dict[str, Any]:
        """What the search draws, by its names in ``config.json``; nothing of what is fixed."""
        return {
            _PREFIX + name: choose(_PREFIX + name, getattr(self, name))
            for name in _DRAWN
            if not isinstance(parse(getattr(self, name)), Fixed)
        }

    def drawn(self, config: Mapping[str, Any], source: str) -> Training:
        """With the values of a trial's configuration in the place of ranges; InputError for a value that is none."""
        found = {}
        for name in _DRAWN:
            dimension = parse(getattr(self, name))
            if not isinstance(dimension, Fixed) and _PREFIX + name in config:
                found[name] = config[_PREFIX + name]
                _must_hold(dimension, found[name], f"{source}: {_PREFIX}{name}")
        return self if not found else self.model_copy(update={name: Fixed(value) for name, value in found.items()})

    def parameters(self, config: Mapping[str, Any], source: str) -> dict[str, Any]:
        """What was drawn of a seed's configuration; InputError where it lacks a value, or has one that is not in it."""
        wanted = self.draw(lambda name, dimension: None)
        for name in wanted:
            if name not in config:
                raise InputError(f"{source}: has no value for the parameter '{name}'")
        self.drawn(config, source)
        return {name: config[name] for name in wanted}

    def budget(self) -> Budget:
        """How a family trains; of ranges, that of their first values."""
        steps = StepSettings(str(self._one("optimiser")), str(self._one("schedule")), float(self._one("weight_decay")))
        return Budget(self.epochs, int(self._one("batch")), float(self._one("learning_rate")), steps, self.patience)

    def teaching(self) -> Teaching:
        """What is changed of what the task wants learned."""
        return Teaching(self.loss, self.class_weights, self.decorrelate, self.vary)

    def _one(self, name: str) -> Any:
        return _values(getattr(self, name))[0]

    def changed(self) -> tuple[str, ...]:
        """Which settings that not every family heeds are other than their default."""
        return tuple(name for name in OWN if getattr(self, name) != type(self).model_fields[name].default)

    def record(self) -> dict[str, JsonValue]:
        """What makes another training of the same: the device where it is none of the processor."""
        return self.model_dump(mode="json", exclude={"device"} if self.device == "cpu" else None)


def _values(value: Any) -> list[Any]:
    """Those of a fixed value and a choice; the ends of a range."""
    found = parse(value)
    if isinstance(found, Fixed):
        return [found.value]
    return list(found.values) if isinstance(found, Choice) else [found.low, found.high]


def _must_hold(dimension: Any, value: Any, where: str) -> None:
    if isinstance(dimension, Range):
        holds = (
            isinstance(value, int | float) and not isinstance(value, bool) and dimension.low <= value <= dimension.high
        )
    else:
        holds = value in _values(dimension)
    if not holds:
        raise InputError(f"{where} is {value!r}, which is not in the study's {plain(dimension)!r}: change either")
