"""The families ``vae`` and ``autoencoder``: networks trained to reproduce their input, whose one output is a score.

A variational autoencoder leaves its decoder behind: in hardware are the encoder and the sum of the squared latent means
(as in CMS' AXOL1TL, CMS DP-2023/079). An autoencoder is in hardware with both halves and the squared error of what it
reproduces. An embedding autoencoder reproduces an embedding of its inputs, which an encoder learns first, without
labels; both are in hardware.
"""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.space import Fixed, FloatDimension, IntDimension
from codesign.families.base import Candidate

__all__ = (
    "AnomalySpace",
    "AutoencoderConfig",
    "EmbeddingConfig",
    "EmbeddingSpace",
    "ScoredConfig",
    "VAEConfig",
    "VAESpace",
)


class ScoredConfig(Candidate):
    """What these families have in common."""

    widths: tuple[int, ...] = Field(min_length=1, description="neurons of each hidden layer of the encoder")
    latent: int = Field(ge=1, le=64, description="numbers in the middle")
    weight_bits: tuple[int, ...] = Field(description="bits of each layer's weights, sign included")
    activation_bits: tuple[int, ...] = Field(description="bits of each hidden layer's output (unsigned)")
    square_bits: int = Field(ge=2, le=8, description="bits of what is squared, sign included")
    score_bits: int = Field(ge=2, le=20, description="bits of the score, which saturates")
    input_bits: int = Field(ge=2, le=16, description="bits of each input, sign included")
    sparsity: float = Field(default=0.0, ge=0, lt=1, description="share of weights pruned by magnitude in training")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Outputs of each layer in hardware whose number is known without the inputs."""
        return (*self.widths, self.latent)

    @property
    def _layers(self) -> tuple[int, int]:
        """Layers with weights in hardware, and hidden activations among them."""
        return len(self.widths) + 1, len(self.widths)

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        layers, hidden = self._layers
        if any(w < 1 for w in self.widths):
            raise ValueError("every width must be at least 1")
        if len(self.weight_bits) != layers:
            raise ValueError(f"weight_bits needs {layers} entries: one per layer")
        if len(self.activation_bits) != hidden:
            raise ValueError(f"activation_bits needs {hidden} entries: one per hidden layer")
        if any(not 2 <= b <= 16 for b in (*self.weight_bits, *self.activation_bits)):
            raise ValueError("weight_bits and activation_bits must lie between 2 and 16")
        return self

    def input_width(self) -> int:
        """Width of each input."""
        return self.input_bits

    def pruned(self) -> float:
        """Share of pruned weights."""
        return self.sparsity

    def _cost(self, inputs: int, sizes: tuple[int, ...]) -> float:
        """Bit operations to expect of the weights that pruning leaves, and of the squares."""
        from codesign.graph.cost import expected_operations, squares

        operands = (self.input_bits, *self.activation_bits)
        products = expected_operations((inputs, *sizes), self.weight_bits, operands, self.sparsity)
        return products + squares(sizes[-1], self.square_bits)


class VAEConfig(ScoredConfig):
    """One variational autoencoder: ``widths``, then ``latent`` signed means; the decoder is for training only."""

    beta: float = Field(default=0.5, gt=0, description="weight of the Kullback-Leibler term")

    def cost(self, inputs: int, outputs: int) -> float:
        """Bit operations of the encoder and the squares, pruned weights left out."""
        return self._cost(inputs, self.sizes)


class AutoencoderConfig(ScoredConfig):
    """One autoencoder: ``widths``, ``latent``, the widths backwards, and one output for each input."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Outputs of each layer but the last, which has one for each input."""
        return (*self.widths, self.latent, *reversed(self.widths))

    @property
    def _layers(self) -> tuple[int, int]:
        return 2 * len(self.widths) + 2, 2 * len(self.widths) + 1

    def cost(self, inputs: int, outputs: int) -> float:
        """Bit operations of both halves and the squares, pruned weights left out."""
        return self._cost(inputs, (*self.sizes, inputs))


class EmbeddingConfig(ScoredConfig):
    """One encoder to an embedding, ``widths`` and ``embedding``, and an autoencoder of that: ``narrow``, ``latent``,
    the narrow widths backwards, and one output for each number of the embedding."""

    embedding: int = Field(ge=2, le=64, description="numbers of the embedding")
    narrow: tuple[int, ...] = Field(min_length=1, description="neurons of each layer between embedding and latent")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Outputs of each layer."""
        return (*self.widths, self.embedding, *self.narrow, self.latent, *reversed(self.narrow), self.embedding)

    @property
    def _layers(self) -> tuple[int, int]:
        layers = len(self.widths) + 2 * len(self.narrow) + 3
        return layers, layers - 1

    @model_validator(mode="after")
    def _narrow(self) -> Self:
        if any(w < 1 for w in self.narrow):
            raise ValueError("every narrow width must be at least 1")
        return self

    def cost(self, inputs: int, outputs: int) -> float:
        """Bit operations of encoder, autoencoder and squares, pruned weights left out."""
        return self._cost(inputs, self.sizes)


class AnomalySpace(BaseModel):
    """The study's ``space`` for these families: each entry a dimension (a choice, a range, or a fixed value)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: IntDimension = Field(description="number of hidden layers of the encoder")
    width: IntDimension = Field(description="neurons, drawn for each hidden layer")
    latent: IntDimension = Field(description="numbers in the middle")
    weight_bits: IntDimension = Field(description="drawn for each layer")
    activation_bits: IntDimension = Field(description="drawn for each hidden layer")
    square_bits: IntDimension = Field(default=Fixed(8), description="bits of what is squared: latent means, or errors")
    score_bits: IntDimension = Field(default=Fixed(16), description="bits of the score")
    input_bits: IntDimension = Field(description="bits of the inputs")
    sparsity: FloatDimension = Field(default=Fixed(0.0), description="share of pruned weights")


class VAESpace(AnomalySpace):
    """The study's ``space`` for the family ``vae``."""

    beta: FloatDimension = Field(default=Fixed(0.5), description="weight of the Kullback-Leibler term")


class EmbeddingSpace(AnomalySpace):
    """The study's ``space`` for the family ``embedding-autoencoder``."""

    embedding: IntDimension = Field(description="numbers of the embedding")
    narrow_depth: IntDimension = Field(default=Fixed(1), description="layers between embedding and latent")
    narrow: IntDimension = Field(description="neurons, drawn for each of those")
