"""The Brevitas network of the family ``conv2d``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from codesign.families.conv2d.config import Conv2dConfig
from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.training.quantised_layers import ActivationLayer, ConvolutionLayer, GridSignal, Layer

__all__ = ("QuantConv2dNetwork",)


class _Stage(Layer):
    """A convolution, or one of each channel and then a matrix; an activation; the largest of each window."""

    def __init__(self, config: Conv2dConfig, layer: int, inputs: int, outputs: int) -> None:
        super().__init__()
        weight, active = config.weight_bits[layer], config.activation_bits[layer]
        border = config.kernel // 2 if config.kernel % 2 else 0
        seen = {"axes": 2, "stride": config.stride if layer == 0 else 1, "padding": border}
        split = config.depthwise and layer > 0
        steps: list[Layer] = []
        if split:
            steps += [ConvolutionLayer(inputs, inputs, config.kernel, weight, groups=inputs, **seen)]
            steps += [ActivationLayer(inputs, active, behind=2), ConvolutionLayer(inputs, outputs, 1, weight, axes=2)]
        else:
            steps += [ConvolutionLayer(inputs, outputs, config.kernel, weight, **seen)]
        self.steps: Any = nn.ModuleList([*steps, ActivationLayer(outputs, active, behind=2)])
        self._window = config.window

    def forward(self, x: GridSignal) -> GridSignal:
        """(events, inputs, rows, columns) to (events, outputs, ...)."""
        for step in self.steps:
            x = step(x)
        return x if self._window == 1 else GridSignal(nn.functional.max_pool2d(x.values, self._window), x.grid)


class QuantConv2dNetwork(ItemNetwork):
    """Convolutions of an image, then all places of it, or their sum, mean or maximum."""

    def __init__(self, config: Conv2dConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        sizes = (view.fields, *config.each_widths)
        self.stages: Any = nn.ModuleList(_Stage(config, i, n, m) for i, (n, m) in enumerate(pairwise(sizes)))
        self._places = config.places(view)

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, rows, columns, channels) to (events, n)."""
        x = items.turned(0, 3, 1, 2)
        for stage in self.stages:
            x = stage(x)
        return self.reduced(x.reshaped(-1, self.config.each_widths[-1], self._places), None, axis=2)
