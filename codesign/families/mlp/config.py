"""The family ``mlp``: fully connected networks with searchable depth, widths, bit widths and sparsity."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.space import Fixed, FloatDimension, IntDimension
from codesign.families.base import Candidate

__all__ = ("MLPConfig", "MLPSpace")


class MLPConfig(Candidate):
    """One multilayer perceptron."""

    widths: tuple[int, ...] = Field(min_length=1, description="neurons of each hidden layer")
    weight_bits: tuple[int, ...] = Field(description="bits of the weights, sign included: hidden layers, then the head")
    activation_bits: tuple[int, ...] = Field(description="bits of each hidden layer's output (unsigned)")
    input_bits: int = Field(ge=2, le=16, description="bits of each input, sign included")
    sparsity: float = Field(default=0.0, ge=0, lt=1, description="share of weights pruned by magnitude in training")

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if any(w < 1 for w in self.widths):
            raise ValueError("every width must be at least 1")
        if len(self.weight_bits) != len(self.widths) + 1:
            raise ValueError(
                f"weight_bits needs {len(self.widths) + 1} entries: one per hidden layer and one for the head"
            )
        if len(self.activation_bits) != len(self.widths):
            raise ValueError(f"activation_bits needs {len(self.widths)} entries: one per hidden layer")
        if any(not 2 <= b <= 16 for b in self.weight_bits):
            raise ValueError("weight_bits must lie between 2 and 16")
        if any(not 2 <= b <= 16 for b in self.activation_bits):
            # Brevitas exports one unsigned bit as a bipolar quantiser, which is another function
            raise ValueError("activation_bits must lie between 2 and 16")
        return self

    def input_width(self) -> int:
        """Width of each input."""
        return self.input_bits

    def pruned(self) -> float:
        """Share of pruned weights."""
        return self.sparsity

    def cost(self, inputs: int, outputs: int) -> float:
        """Bit operations to expect of the multiplications, pruned weights left out."""
        from codesign.graph.cost import expected_operations

        operands = (self.input_bits, *self.activation_bits)
        return expected_operations((inputs, *self.widths, outputs), self.weight_bits, operands, self.sparsity)


class MLPSpace(BaseModel):
    """The study's ``space`` for this family: each entry a dimension (a choice, a range, or a fixed value)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: IntDimension = Field(description="number of hidden layers")
    width: IntDimension = Field(description="neurons, drawn for each hidden layer")
    weight_bits: IntDimension = Field(description="drawn for each layer, the head included")
    activation_bits: IntDimension = Field(description="drawn for each hidden layer")
    input_bits: IntDimension = Field(description="bits of the inputs")
    sparsity: FloatDimension = Field(default=Fixed(0.0), description="share of pruned weights")
    uniform_bits: bool = Field(default=False, description="weight_bits holds for all weights and activations")
