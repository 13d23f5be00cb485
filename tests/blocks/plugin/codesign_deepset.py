"""A deep set, as a package of one's own would have it: one layer shared by all items, their sum, and a head."""

from __future__ import annotations

import torch
from brevitas.nn import QuantIdentity, QuantLinear, QuantReLU
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from codesign.core.fixedpoint import INPUT_INTEGER_BITS
from codesign.core.space import IntDimension
from codesign.families.base import Candidate, Choose
from codesign.families.torch_family import TorchFamily
from codesign.training.brevitas_quantisers import (
    ActivationQuantiser,
    InputQuantiser,
    WeightQuantiser,
    set_activation_range,
)
from codesign.training.lesson import Subject
from codesign.training.network import Network


class SetConfig(Candidate):
    width: int = Field(default=6, ge=1)
    bits: int = Field(default=5, ge=2, le=8)
    fields: int = Field(default=3, ge=1)
    masked: bool = False

    def input_width(self) -> int:
        return self.bits + 1

    def cost(self, inputs: int, outputs: int) -> float:
        return float(self.bits**2 * self.width * (inputs + outputs))


class SetSpace(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    width: IntDimension
    bits: IntDimension


class DeepSet(Network):
    def __init__(self, config: SetConfig, inputs: int, outputs: int) -> None:
        super().__init__()
        weights = {"bias": True, "weight_quant": WeightQuantiser, "weight_bit_width": config.bits}
        self.shapes = ((inputs // config.fields, config.fields),)
        self.masked = config.masked
        grid = {"bit_width": config.bits + 1, "scaling_init": 2.0**INPUT_INTEGER_BITS}
        self.input = QuantIdentity(act_quant=InputQuantiser, **grid)
        self.each = QuantLinear(config.fields, config.width, **weights)
        self.active = QuantReLU(act_quant=ActivationQuantiser, bit_width=config.bits)
        self.summed = QuantReLU(act_quant=ActivationQuantiser, bit_width=config.bits + 2)
        self.head = QuantLinear(config.width, outputs, **weights)

    def forward(self, items: Tensor) -> Tensor:
        x = self.input(items)
        valid = x[..., -1:] if self.masked else 1.0  # the last field says whether an item is there
        return self.head(self.summed((self.active(self.each(x)) * valid).sum(dim=1)))

    @torch.no_grad()
    def calibrate(self, x: Tensor) -> None:
        found = self.each(*self.blocks(x)).clamp_min(0)
        set_activation_range(self.active, max(found.quantile(0.99).item(), 2.0**-8))
        set_activation_range(self.summed, max(found.sum(dim=1).quantile(0.99).item(), 2.0**-8))

    @torch.no_grad()
    def fold(self) -> None:
        for layer, before in () if self.folded else ((self.each, self.input), (self.head, self.summed)):
            grid = before.act_quant.scale().double() * layer.weight_quant.scale().double().flatten()
            layer.bias.copy_(torch.round(layer.bias.double() / grid) * grid)
        self.folded = True


class DeepSets(TorchFamily):
    name, space, config = "deep-set", SetSpace, SetConfig

    def suggest(self, space: BaseModel, choose: Choose) -> SetConfig:
        return SetConfig(width=choose("width", space.width), bits=choose("bits", space.bits))

    def build(self, config: SetConfig, subject: Subject) -> DeepSet:
        return DeepSet(config, *subject.sizes)
