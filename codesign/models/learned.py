"""The family ``mlp-learned``: fully connected networks whose bit widths and sparsity are learned by gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.space import Choose, Fixed, FloatDimension, IntDimension

if TYPE_CHECKING:
    from codesign.models.learned_network import LearnedMLP

__all__ = ("LearnedMLPConfig", "LearnedMLPSpace", "MLPLearned")


class LearnedMLPConfig(BaseModel):
    """One multilayer perceptron with learned precision."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    widths: tuple[int, ...] = Field(min_length=1, description="neurons of each hidden layer before any is pruned")
    beta_low: float = Field(default=1e-5, gt=0, description="price of one effective bit operation when training begins")
    beta_high: float = Field(default=3e-3, gt=0, description="the same when training ends; a logarithmic ramp between")
    fraction_bits: int = Field(default=5, ge=1, le=8, description="fraction bits of weights and signals at the start")
    input_bits: int = Field(
        default=12, ge=4, le=12, description="bits of the grid on which inputs are learned, sign included"
    )
    granularity: Literal["weight", "channel", "tensor"] = Field(
        default="weight", description="what has a width of its own: each weight, each neuron's weights, or each layer"
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if any(w < 1 for w in self.widths):
            raise ValueError("every width must be at least 1")
        if self.beta_low > self.beta_high:
            raise ValueError("beta_low must not exceed beta_high")
        return self

    def beta(self, progress: float) -> float:
        """Price of one effective bit operation at ``progress`` (0 to 1) of the training."""
        return float(self.beta_low ** (1 - progress) * self.beta_high**progress)


class LearnedMLPSpace(BaseModel):
    """The study's ``space`` for this family: each entry a dimension (a choice, a range, or a fixed value)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: IntDimension = Field(description="number of hidden layers")
    width: IntDimension = Field(description="neurons, drawn for each hidden layer")
    beta_low: FloatDimension = Field(default=Fixed(1e-5), description="price of a bit operation at the start")
    beta_high: FloatDimension = Field(default=Fixed(3e-3), description="price of a bit operation at the end")
    fraction_bits: IntDimension = Field(default=Fixed(5), description="fraction bits at the start")
    input_bits: IntDimension = Field(default=Fixed(12), description="bits of the inputs' grid")


class MLPLearned:
    """Multilayer perceptrons with learned precision (see :class:`LearnedMLPConfig`)."""

    name = "mlp-learned"
    space = LearnedMLPSpace
    config = LearnedMLPConfig

    def suggest(self, space: BaseModel, choose: Choose) -> LearnedMLPConfig:
        """Draw a network: the depth first, then each layer's width, then how it is trained."""
        assert isinstance(space, LearnedMLPSpace)
        depth = choose("depth", space.depth)
        return LearnedMLPConfig(
            widths=tuple(choose(f"width_{i}", space.width) for i in range(depth)),
            beta_low=choose("beta_low", space.beta_low),
            beta_high=choose("beta_high", space.beta_high),
            fraction_bits=choose("fraction_bits", space.fraction_bits),
            input_bits=choose("input_bits", space.input_bits),
        )

    def build(self, config: BaseModel, inputs: int, outputs: int) -> LearnedMLP:
        """Build the untrained Brevitas network."""
        from codesign.models.learned_network import LearnedMLP

        assert isinstance(config, LearnedMLPConfig)
        return LearnedMLP(config, inputs, outputs)

    def input_bits(self, config: BaseModel) -> int:
        """Width of each input at the start; the network's ``input_quantisation`` says what was learned."""
        assert isinstance(config, LearnedMLPConfig)
        return config.input_bits

    def ebops(self, config: BaseModel, inputs: int, outputs: int) -> float:
        """Nothing can be said before training, which may prune anything: 0. The trained network's ``ebops`` counts."""
        return 0.0
