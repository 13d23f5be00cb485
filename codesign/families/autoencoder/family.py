"""The families ``vae``, ``autoencoder`` and ``embedding-autoencoder``: what they draw, and the networks they build."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, JsonValue

from codesign.core.errors import InputError
from codesign.families.base import Candidate, Choose
from codesign.families.torch_family import TorchFamily
from codesign.training.lesson import Subject

if TYPE_CHECKING:
    from codesign.families.autoencoder.embedding_network import QuantEmbedding
    from codesign.families.autoencoder.network import QuantAutoencoder, QuantVAE
from codesign.families.autoencoder.config import (
    AnomalySpace,
    AutoencoderConfig,
    EmbeddingConfig,
    EmbeddingSpace,
    VAEConfig,
    VAESpace,
)

__all__ = ("VAE", "Autoencoder", "EmbeddingAutoencoder")


def _one_score(family: str, outputs: int) -> None:
    if outputs != 1:
        raise InputError(f"the family '{family}' has one output, a score, but the task wants {outputs}: choose another")


class _Anomalies(TorchFamily):
    """What these families refuse."""

    reproduces = True

    def can(self, subject: Subject) -> str | None:
        """One output, the score, of a task whose inputs are reproduced."""
        if len(subject.outputs) != 1:
            return f"it has one output, a score, but the task wants {len(subject.outputs)}"
        return super().can(subject)


class VAE(_Anomalies):
    """Variational autoencoders (see :class:`VAEConfig`)."""

    name = "vae"
    space = VAESpace
    config = VAEConfig

    def suggest(self, space: BaseModel, choose: Choose) -> VAEConfig:
        """Draw a network: the depth first, then each layer's width and bits."""
        assert isinstance(space, VAESpace)
        depth = choose("depth", space.depth)
        return VAEConfig(
            widths=tuple(choose(f"width_{i}", space.width) for i in range(depth)),
            latent=choose("latent", space.latent),
            weight_bits=tuple(choose(f"weight_bits_{i}", space.weight_bits) for i in range(depth + 1)),
            activation_bits=tuple(choose(f"activation_bits_{i}", space.activation_bits) for i in range(depth)),
            square_bits=choose("square_bits", space.square_bits),
            score_bits=choose("score_bits", space.score_bits),
            input_bits=choose("input_bits", space.input_bits),
            sparsity=choose("sparsity", space.sparsity),
            beta=choose("beta", space.beta),
        )

    def build(self, config: Candidate, subject: Subject) -> QuantVAE:
        """Build the untrained Brevitas network; InputError where more than one output is wanted."""
        from codesign.families.autoencoder.network import QuantVAE

        assert isinstance(config, VAEConfig)
        inputs, outputs = subject.sizes
        _one_score(self.name, outputs)
        return QuantVAE(config, inputs)

    def can(self, subject: Subject) -> str | None:
        """Nor weights of events: its second term has none."""
        if subject.weighted:
            return "its Kullback-Leibler term knows no weights of events"
        return super().can(subject)


class Autoencoder(_Anomalies):
    """Autoencoders with their reconstruction error in hardware (see :class:`AutoencoderConfig`)."""

    name = "autoencoder"
    space = AnomalySpace
    config = AutoencoderConfig

    def suggest(self, space: BaseModel, choose: Choose) -> AutoencoderConfig:
        """Draw a network: the depth first, then the encoder's widths, then each layer's bits."""
        assert isinstance(space, AnomalySpace)
        depth = choose("depth", space.depth)
        layers = 2 * depth + 2
        return AutoencoderConfig(
            widths=tuple(choose(f"width_{i}", space.width) for i in range(depth)),
            latent=choose("latent", space.latent),
            weight_bits=tuple(choose(f"weight_bits_{i}", space.weight_bits) for i in range(layers)),
            activation_bits=tuple(choose(f"activation_bits_{i}", space.activation_bits) for i in range(layers - 1)),
            square_bits=choose("square_bits", space.square_bits),
            score_bits=choose("score_bits", space.score_bits),
            input_bits=choose("input_bits", space.input_bits),
            sparsity=choose("sparsity", space.sparsity),
        )

    def build(self, config: Candidate, subject: Subject) -> QuantAutoencoder:
        """Build the untrained Brevitas network; InputError where more than one output is wanted."""
        from codesign.families.autoencoder.network import QuantAutoencoder

        assert isinstance(config, AutoencoderConfig)
        inputs, outputs = subject.sizes
        _one_score(self.name, outputs)
        return QuantAutoencoder(config, inputs)


class EmbeddingAutoencoder(_Anomalies):
    """Autoencoders of an embedding that learns by itself (see :class:`EmbeddingConfig`)."""

    name = "embedding-autoencoder"
    space = EmbeddingSpace
    config = EmbeddingConfig

    def suggest(self, space: BaseModel, choose: Choose) -> EmbeddingConfig:
        """Draw a network: both depths first, then the widths, then each layer's bits."""
        assert isinstance(space, EmbeddingSpace)
        depth, narrow_depth = choose("depth", space.depth), choose("narrow_depth", space.narrow_depth)
        layers = depth + 2 * narrow_depth + 3
        return EmbeddingConfig(
            widths=tuple(choose(f"width_{i}", space.width) for i in range(depth)),
            embedding=choose("embedding", space.embedding),
            narrow=tuple(choose(f"narrow_{i}", space.narrow) for i in range(narrow_depth)),
            latent=choose("latent", space.latent),
            weight_bits=tuple(choose(f"weight_bits_{i}", space.weight_bits) for i in range(layers)),
            activation_bits=tuple(choose(f"activation_bits_{i}", space.activation_bits) for i in range(layers - 1)),
            square_bits=choose("square_bits", space.square_bits),
            score_bits=choose("score_bits", space.score_bits),
            input_bits=choose("input_bits", space.input_bits),
            sparsity=choose("sparsity", space.sparsity),
        )

    def parameter(self, record: Mapping[str, JsonValue], name: str) -> JsonValue:
        """The second depth is a list's length, as the first is."""
        if name == "narrow_depth" and isinstance(narrow := record["narrow"], list):
            return len(narrow)
        return super().parameter(record, name)

    def build(self, config: Candidate, subject: Subject) -> QuantEmbedding:
        """Build the untrained Brevitas network; InputError where more than one output is wanted."""
        from codesign.families.autoencoder.embedding_network import QuantEmbedding

        assert isinstance(config, EmbeddingConfig)
        _one_score(self.name, subject.sizes[1])
        return QuantEmbedding(config, subject.inputs)

    def can(self, subject: Subject) -> str | None:
        """Nor weights of events: what it learns first has none."""
        if subject.weighted:
            return "its self-supervised part knows no weights of events"
        return super().can(subject)
