"""Families whose candidates may learn their precision: the choice, and what one training then gives.

A family derives its candidates from :class:`PrecisionCandidate`, its space from :class:`PrecisionSpace` and itself from
:class:`PrecisionFamily`; its network is built as for fixed precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import BaseModel, Field, JsonValue, model_validator

from codesign.core.design import Design
from codesign.core.space import Choose, Dimension, Fixed, FloatDimension, IntDimension
from codesign.families.base import Candidate
from codesign.families.torch_family import TorchFamily
from codesign.families.trained import Trained
from codesign.training.learned_choices import Overflow, WeightRange
from codesign.training.lesson import Budget, Lesson, Progress, Subject, quiet

if TYPE_CHECKING:
    from codesign.training.network import Network

__all__ = ("PrecisionCandidate", "PrecisionFamily", "PrecisionSpace", "drawn_precision")

#: in place of a budget, in the name of a training that has no single one
_ANY = 1.0


class PrecisionCandidate(Candidate):
    """A candidate of fixed widths, or one that learns them: then the widths that it names are not used, and pruning is
    what the price does."""

    precision: Literal["fixed", "learned"] = Field(
        default="fixed", description="learned: a width for each weight, activation channel and input field"
    )
    beta_low: float = Field(default=1e-6, gt=0, description="learned: price of a bit operation when training begins")
    beta_high: float = Field(default=1e-3, gt=0, description="learned: the same when training ends")
    fraction_bits: int = Field(default=5, ge=1, le=8, description="learned: fraction bits at the start")
    overflow: Overflow = Field(
        default="saturate",
        exclude_if=lambda overflow: overflow == "saturate",
        description="learned: what becomes of an activation beyond its range; wrap costs no logic",
    )
    weight_range: WeightRange = Field(
        default="magnitude",
        exclude_if=lambda weight_range: weight_range == "magnitude",
        description="learned: where a weight's integer bits come from; learned: it saturates at them",
    )
    float_share: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        exclude_if=lambda share: share == 0.0,
        description="learned: share of the epochs that come first, in floating point and normalised; of networks that "
        "are made of the layers of this package",
    )
    budget: float | None = Field(
        default=None,
        gt=0,
        description="learned: effective bit operations; the best network of at most so many that the training passes "
        "through. Trainings that differ in this alone are one. None: the best of all",
    )
    #: names of the fields above, which a candidate of fixed precision does not write
    own: ClassVar[frozenset[str]] = frozenset(
        {"precision", "beta_low", "beta_high", "fraction_bits", "budget", "overflow", "weight_range", "float_share"}
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.beta_low > self.beta_high:
            raise ValueError("beta_low must not exceed beta_high")
        return self

    @property
    def learns(self) -> bool:
        """Whether it learns its precision."""
        return self.precision == "learned"

    def training(self) -> Self:
        """The candidate without its budget, whose training gives a front to pick from."""
        return self.model_copy(update={"budget": _ANY}) if self.learns else self

    def record(self) -> dict[str, JsonValue]:
        """Plain JSON; nothing of learning where nothing is learned."""
        return self.model_dump(mode="json", exclude=None if self.learns else set(self.own))


class PrecisionSpace(BaseModel):
    """The study's ``space`` of it."""

    precision: Dimension = Field(default=Fixed("fixed"), description="fixed or learned widths")
    beta_low: FloatDimension = Field(default=Fixed(1e-6), description="learned: price of a bit operation at the start")
    beta_high: FloatDimension = Field(default=Fixed(1e-3), description="learned: price of a bit operation at the end")
    fraction_bits: IntDimension = Field(default=Fixed(5), description="learned: fraction bits at the start")
    overflow: Dimension = Field(default=Fixed("saturate"), description="learned: saturate or wrap")
    weight_range: Dimension = Field(default=Fixed("magnitude"), description="learned: magnitude or learned")
    float_share: FloatDimension = Field(default=Fixed(0.0), description="learned: share of epochs in floating point")
    budget: Dimension = Field(default=Fixed(None), description="learned: bit operations of the network that is picked")


def drawn_precision(space: PrecisionSpace, choose: Choose) -> dict[str, object]:
    """Draw what :class:`PrecisionCandidate` has; nothing for fixed precision."""
    precision = choose("precision", space.precision)
    if precision != "learned":
        return {}
    return {
        "precision": precision,
        "beta_low": choose("beta_low", space.beta_low),
        "beta_high": choose("beta_high", space.beta_high),
        "fraction_bits": choose("fraction_bits", space.fraction_bits),
        "overflow": choose("overflow", space.overflow),
        "weight_range": choose("weight_range", space.weight_range),
        "float_share": choose("float_share", space.float_share),
        "budget": choose("budget", space.budget),
    }


class PrecisionFamily(TorchFamily):
    """Write :meth:`suggest` and :meth:`build`, as of any torch family; the candidate says what is learned."""

    def heeds(self, candidate: Candidate) -> frozenset[str]:
        """None where the precision is learned: that training has a course of its own, and takes the best on its way."""
        return frozenset() if _learns(candidate) else super().heeds(candidate)

    def parameter(self, record: Mapping[str, JsonValue], name: str) -> JsonValue:
        """A record without a precision is of a fixed one."""
        return record.get(name, "fixed") if name == "precision" else super().parameter(record, name)

    def fit(
        self,
        candidate: Candidate,
        lesson: Lesson,
        budget: Budget,
        seed: int,
        device: str = "cpu",
        progress: Progress = quiet,
    ) -> Mapping[str, bytes]:
        """One network; of learned precision the front of one training, each network judged on the validation events."""
        if not _learns(candidate):
            return super().fit(candidate, lesson, budget, seed, device, progress)
        from codesign.families.front_files import front_files
        from codesign.families.learned_training import front_of

        def build() -> Network:
            return self._learning(candidate, lesson.subject)

        assert isinstance(candidate, PrecisionCandidate)
        return front_files(front_of(build, lesson, budget, seed, device, progress, candidate.float_share))

    def pick(self, files: Mapping[str, bytes], candidate: Candidate, lesson: Lesson) -> Trained:
        """The network itself, or that of the front which the budget picks."""
        if not _learns(candidate):
            return super().pick(files, candidate, lesson)
        from codesign.families.front_files import pick_within
        from codesign.families.learned_training import LearnedNetwork, open_network

        assert isinstance(candidate, PrecisionCandidate)
        within = float("inf") if candidate.budget is None else candidate.budget
        return LearnedNetwork.of(
            open_network(self._learning(candidate, lesson.subject), pick_within(files, within)), lesson
        )

    def load(self, files: Mapping[str, bytes], candidate: Candidate, design: Design) -> Trained:
        """The network of a design, from its parameters."""
        if not _learns(candidate):
            return super().load(files, candidate, design)
        from codesign.families.learned_training import LearnedNetwork
        from codesign.families.torch_trained import fill
        from codesign.families.trained import WEIGHTS

        network = self._learning(candidate, Subject.of_design(design))
        return LearnedNetwork(fill(network, files[WEIGHTS]), lambda: design)

    def _learning(self, candidate: Candidate, subject: Subject) -> Network:
        """The untrained network, its quantisers replaced by those that learn."""
        from codesign.training.learned_precision import Prices, learn_precision

        assert isinstance(candidate, PrecisionCandidate)
        network = self.build(candidate, subject)
        prices = Prices(candidate.beta_low, candidate.beta_high)
        learn_precision(
            network, subject, prices, candidate.fraction_bits, candidate.input_width(), candidate.overflow,
            candidate.weight_range,
        )  # fmt: skip
        return network


def _learns(candidate: Candidate) -> bool:
    return isinstance(candidate, PrecisionCandidate) and candidate.learns
