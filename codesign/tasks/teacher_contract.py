"""What a teacher must offer: a model that is larger than any design, or in floating point, from which designs learn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from codesign.core.layout import Layout
from codesign.core.plugins import PlugIn
from codesign.data.sample import Part
from codesign.tasks.heads import Head

__all__ = ("Lecture", "Says", "Teacher", "TeacherChoice")

#: what a teacher says of a part whose view is its own: (events, outputs), as scores of a network are
Says: TypeAlias = Callable[[Part], NDArray[np.float64]]


class TeacherChoice(BaseModel):
    """The study's section ``teacher``: its name, what it sees, and its own settings beside."""

    model_config = ConfigDict(frozen=True, extra="allow")

    name: str = Field(description="a shipped teacher, or one of an installed package (codesign.teachers)")
    view: tuple[str, ...] = Field(default=(), description="blocks that it sees; none: those of the study")
    share: float = Field(
        default=0.7,
        gt=0,
        le=1,
        description="of the teacher in the loss of classes and numbers; the rest is the truth's",
    )

    exposure: int = Field(
        default=0,
        ge=0,
        le=10_000_000,
        exclude_if=lambda events: events == 0,
        description="events that the task makes of the training split's, unlike them: the teacher, which did not learn "
        "from them, says what networks learn of them; of an anomaly score only",
    )

    @property
    def own(self) -> dict[str, Any]:
        """The settings of the teacher itself."""
        return dict(self.model_extra or {})

    def record(self) -> dict[str, JsonValue]:
        """Plain JSON of all of it."""
        return self.model_dump(mode="json")


@dataclass(frozen=True)
class Lecture:
    """What a teacher learns from: the training split, of which it sees ``layouts``, and what the task wants learned."""

    train: Part
    layouts: tuple[Layout, ...]
    heads: Sequence[Head]
    target: Mapping[str, NDArray[Any]]
    weights: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if self.train.view != tuple(layout.name for layout in self.layouts):
            raise ValueError(f"a lecture on {self.train.view} that says what {self.layouts} are")


class Teacher(PlugIn):
    """A teacher, installed as an entry point of ``codesign.teachers``. It is no part of a design."""

    kind = "teachers"
    name: str
    #: pydantic model of what stands in the study's section beside the name
    settings: ClassVar[type[BaseModel]]

    @abstractmethod
    def can(self, heads: Sequence[Head]) -> str | None:
        """Why it cannot teach this, in words; None where it can."""

    @abstractmethod
    def learn(self, settings: BaseModel, lecture: Lecture, seed: int) -> Says:
        """Learn, and give what says an output for each of the heads' of any part; the same seed, the same numbers on
        one machine. Where what is learned is a reconstruction, the one output is how badly it does."""
