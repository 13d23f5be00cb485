"""What a candidate of the family ``trees`` is: how its trees are grown, and what of a training is taken."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.space import Dimension, Fixed, FloatDimension, IntDimension
from codesign.families.base import Candidate
from codesign.graph.model_kind import ModelKind
from codesign.training.lesson import Subject

__all__ = ("CLASSES", "LEAVES", "MODEL", "TreesConfig", "TreesSpace")

#: the objective whose outputs a softmax may follow
CLASSES = "cross-entropy"

#: of a model: its trainer's own file, and its leaves before they were rounded
MODEL, LEAVES = "trees.model", "leaves.json"
#: leaves of a deep tree that may be expected: how many events it is grown on is not known
_LEAVES_OF_DEEP = 31


class TreesConfig(Candidate):
    """Boosted trees: how they are grown, and below what of them is taken, which costs no other training."""

    kind: ClassVar[ModelKind] = "trees"

    trainer: Literal["scikit-learn", "xgboost", "lightgbm"] = Field(
        default="scikit-learn", description="the library; all but scikit-learn are installed by their own package"
    )
    depth: int = Field(ge=1, le=16, description="decisions in a row, at most")
    max_leaves: int | None = Field(
        default=None, ge=2, description="leaves of a tree; None: as many as its depth allows"
    )
    learning_rate: float = Field(default=0.1, gt=0, le=1, description="share of each tree's step that is taken")
    min_child_weight: float = Field(
        default=20.0, ge=0, description="of a leaf: its fewest events; XGBoost: its smallest sum of second derivatives"
    )
    early_stopping: int | None = Field(
        default=None, ge=1, description="rounds without a better validation loss that end a training; None: it goes on"
    )
    input_bits: int = Field(default=8, ge=1, le=16, description="bits of the inputs' grid, on which trees are grown")
    teacher_width: int = Field(
        default=32, ge=1, le=1024, description="of an anomaly's teacher, an autoencoder: neurons of its hidden layers"
    )
    teacher_latent: int = Field(default=8, ge=1, le=256, description="and numbers in its middle")
    artificial: float = Field(
        default=1.0, ge=0, le=10, description="artificial events that the teacher judges, for each one of training"
    )
    rounds: int | None = Field(
        default=None, ge=1, description="the first so many of the rounds that are trained (training.epochs); None: all"
    )
    pruning: float = Field(
        default=0.0, ge=0, lt=1, description="share of the decisions that are taken out, those that matter least first"
    )
    leaf_bits: int = Field(default=8, ge=2, le=16, description="bits of the largest leaf, sign included")
    leaf_rounding: Literal["nearest", "carried"] = Field(
        default="nearest", description="carried: up or down, so that the next trees give back what one rounded off"
    )

    @model_validator(mode="after")
    def _leaves_have_room(self) -> Self:
        if self.max_leaves is not None and self.max_leaves > 1 << self.depth:
            raise ValueError(
                f"trees of depth {self.depth} have at most {1 << self.depth} leaves, not {self.max_leaves}"
            )
        return self

    def input_width(self) -> int:
        """Width of each input."""
        return self.input_bits

    def cost(self, inputs: int, outputs: int) -> float:
        """What all trees cost in bits of comparators and choices (:mod:`codesign.graph.cost`) if none stands twice,
        deep ones with no more leaves than libraries grow by default; 0 where training decides how many there are."""
        return self._cost(inputs, 1 if outputs == 2 else outputs)

    def _cost(self, inputs: int, margins: int) -> float:
        """Of so many trees a round."""
        if self.rounds is None or self.early_stopping is not None:
            return 0.0
        decisions = (self.max_leaves or min(1 << self.depth, _LEAVES_OF_DEEP)) - 1
        kept = (1 - self.pruning) * self.rounds * margins * decisions
        comparators = min(kept, inputs * ((1 << self.input_bits) - 1))
        return comparators * self.input_bits + kept * self.leaf_bits

    def cost_of(self, subject: Subject) -> float:
        """The same of several heads, of which one of two classes has one margin."""
        margins = (len(h.outputs) - (h.objective.name == CLASSES and len(h.outputs) == 2) for h in subject.heads)
        return self._cost(len(subject.inputs), sum(margins))

    def training(self) -> Self:
        """All that decides how trees are grown."""
        fields = type(self).model_fields
        cut = {name: fields[name].default for name in ("rounds", "pruning", "leaf_bits", "leaf_rounding")}
        return self.model_copy(update=cut)


class TreesSpace(BaseModel):
    """The study's ``space`` for this family: each entry a dimension (a choice, a range, or a fixed value)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trainer: Dimension = Field(default=Fixed("scikit-learn"), description="scikit-learn, xgboost or lightgbm")
    depth: IntDimension = Field(description="decisions in a row, at most")
    max_leaves: Dimension = Field(
        default=Fixed(None), description="leaves of a tree; null: as many as its depth allows"
    )
    learning_rate: FloatDimension = Field(default=Fixed(0.1), description="share of each tree's step that is taken")
    min_child_weight: FloatDimension = Field(default=Fixed(20.0), description="fewest events, or weight, of a leaf")
    early_stopping: Dimension = Field(default=Fixed(None), description="rounds without a better validation loss")
    input_bits: IntDimension = Field(default=Fixed(8), description="bits of the inputs' grid")
    teacher_width: IntDimension = Field(default=Fixed(32), description="of an anomaly's teacher: neurons of a layer")
    teacher_latent: IntDimension = Field(default=Fixed(8), description="of an anomaly's teacher: numbers in its middle")
    artificial: FloatDimension = Field(default=Fixed(1.0), description="artificial events for each one of training")
    rounds: Dimension = Field(default=Fixed(None), description="the first so many rounds of a training; null: all")
    pruning: FloatDimension = Field(default=Fixed(0.0), description="share of the decisions that are taken out")
    leaf_bits: IntDimension = Field(default=Fixed(8), description="bits of the largest leaf, sign included")
    leaf_rounding: Dimension = Field(default=Fixed("nearest"), description="nearest or carried")
