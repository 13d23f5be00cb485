"""The family ``mlp``: what it draws, and the networks that it builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from codesign.core.space import Choose
from codesign.families.base import Candidate
from codesign.families.torch_family import TorchFamily
from codesign.training.lesson import Subject

if TYPE_CHECKING:
    from codesign.families.mlp.network import QuantMLP
from codesign.families.mlp.config import MLPConfig, MLPSpace

__all__ = ("MLP",)


class MLP(TorchFamily):
    """Multilayer perceptrons (see :class:`MLPConfig`)."""

    name = "mlp"
    space = MLPSpace
    config = MLPConfig

    def suggest(self, space: BaseModel, choose: Choose) -> MLPConfig:
        """Draw a network: the depth first, then each layer's width and bits."""
        assert isinstance(space, MLPSpace)
        depth = choose("depth", space.depth)
        if space.uniform_bits:
            bits = choose("bits", space.weight_bits)
            weight, activation = [bits] * (depth + 1), [bits] * depth
        else:
            weight = [choose(f"weight_bits_{i}", space.weight_bits) for i in range(depth)]
            weight.append(choose("weight_bits_head", space.weight_bits))
            activation = [choose(f"activation_bits_{i}", space.activation_bits) for i in range(depth)]
        return MLPConfig(
            widths=tuple(choose(f"width_{i}", space.width) for i in range(depth)),
            weight_bits=tuple(weight),
            activation_bits=tuple(activation),
            input_bits=choose("input_bits", space.input_bits),
            sparsity=choose("sparsity", space.sparsity),
        )

    def build(self, config: Candidate, subject: Subject) -> QuantMLP:
        """Build the untrained Brevitas network."""
        from codesign.families.mlp.network import QuantMLP

        assert isinstance(config, MLPConfig)
        return QuantMLP(config, *subject.sizes)
