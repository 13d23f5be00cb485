"""The families ``vae`` and ``autoencoder``: what they draw, and the networks that they build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from codesign.core.errors import InputError
from codesign.families.base import Candidate, Choose
from codesign.families.torch_family import TorchFamily
from codesign.training.lesson import Subject

if TYPE_CHECKING:
    from codesign.families.autoencoder.network import QuantAutoencoder, QuantVAE
from codesign.families.autoencoder.config import AnomalySpace, AutoencoderConfig, VAEConfig, VAESpace

__all__ = ("VAE", "Autoencoder")


def _one_score(family: str, outputs: int) -> None:
    if outputs != 1:
        raise InputError(f"the family '{family}' has one output, a score, but the task wants {outputs}: choose another")


class _Anomalies(TorchFamily):
    """What both families refuse."""

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
