"""The family ``mlp-learned``: fully connected networks whose bit widths and sparsity are learned by gradient."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.space import Dimension, Fixed, FloatDimension, IntDimension
from codesign.families.base import Candidate
from codesign.training.learned_choices import Overflow, WeightRange

__all__ = ("LearnedMLPConfig", "LearnedMLPSpace")

#: in place of a budget, in the name of a training that has no single one
_ANY = 1.0


class LearnedMLPConfig(Candidate):
    """One multilayer perceptron with learned precision."""

    widths: tuple[int, ...] = Field(min_length=1, description="neurons of each hidden layer before any is pruned")
    beta_low: float | None = Field(
        default=1e-5, gt=0, description="price of one effective bit operation when training begins; None: beta_high"
    )
    beta_high: float = Field(default=3e-3, gt=0, description="the same when training ends; a logarithmic ramp between")
    fraction_bits: int = Field(default=5, ge=1, le=8, description="fraction bits of weights and signals at the start")
    input_bits: int = Field(
        default=12, ge=4, le=12, description="bits of the grid on which inputs are learned, sign included"
    )
    granularity: Literal["weight", "channel", "tensor"] = Field(
        default="weight", description="what has a width of its own: each weight, each neuron's weights, or each layer"
    )
    overflow: Overflow = Field(
        default="saturate",
        exclude_if=lambda overflow: overflow == "saturate",
        description="what becomes of an activation beyond its range; wrap costs no logic, and its range holds all that "
        "training events give",
    )
    weight_range: WeightRange = Field(
        default="magnitude",
        exclude_if=lambda weight_range: weight_range == "magnitude",
        description="where a weight's integer bits come from; learned: it saturates at them",
    )
    budget: float | None = Field(
        default=None,
        gt=0,
        description="effective bit operations: the best network of at most so many that the training passes through, "
        "by the validation split; trainings that differ in this alone are one. None: the network at the end",
    )
    starts: int = Field(
        default=1, ge=1, description="with a budget: trainings that share the epochs, and make one front"
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if any(w < 1 for w in self.widths):
            raise ValueError("every width must be at least 1")
        if self.beta_low is not None and self.beta_low > self.beta_high:
            raise ValueError("beta_low must not exceed beta_high")
        if self.budget is None and self.starts > 1:
            raise ValueError("several starts make one front: give a budget, which picks from it")
        return self

    @property
    def plain(self) -> bool:
        """Whether the compiled training knows its ranges."""
        return self.overflow == "saturate" and self.weight_range == "magnitude"

    def beta(self, progress: float) -> float:
        """Price of one effective bit operation at ``progress`` (0 to 1) of the training."""
        low = self.beta_high if self.beta_low is None else self.beta_low
        return float(low ** (1 - progress) * self.beta_high**progress)

    def input_width(self) -> int:
        """Width of each input at the start; the design says what was learned."""
        return self.input_bits

    def cost(self, inputs: int, outputs: int) -> float:
        """Nothing can be said before training, which may prune anything: 0. The trained network counts."""
        return 0.0

    def training(self) -> Self:
        """With a budget: the candidate without it, whose training gives a front to pick from."""
        return self if self.budget is None else self.model_copy(update={"budget": _ANY})


class LearnedMLPSpace(BaseModel):
    """The study's ``space`` for this family: each entry a dimension (a choice, a range, or a fixed value)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: IntDimension = Field(description="number of hidden layers")
    width: IntDimension = Field(description="neurons, drawn for each hidden layer")
    beta_low: Dimension = Field(
        default=Fixed(1e-5), description="price of a bit operation at the start; null: the same as at the end"
    )
    beta_high: FloatDimension = Field(default=Fixed(3e-3), description="price of a bit operation at the end")
    fraction_bits: IntDimension = Field(default=Fixed(5), description="fraction bits at the start")
    input_bits: IntDimension = Field(default=Fixed(12), description="bits of the inputs' grid")
    granularity: Dimension = Field(default=Fixed("weight"), description="what has a width: weight, channel or tensor")
    overflow: Dimension = Field(default=Fixed("saturate"), description="of activations: saturate or wrap")
    weight_range: Dimension = Field(default=Fixed("magnitude"), description="of weights: magnitude or learned")
    budget: Dimension = Field(default=Fixed(None), description="effective bit operations of the network picked")
    starts: IntDimension = Field(default=Fixed(1), description="trainings that make one front to pick from")
