"""The Brevitas network of the family ``conv1d``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from codesign.families.conv1d.config import Conv1dConfig
from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.training.quantised_layers import ActivationLayer, ConvolutionLayer, GridSignal, selection

__all__ = ("QuantConv1dNetwork",)


class QuantConv1dNetwork(ItemNetwork):
    """Convolutions along the items, then their sum, mean, maximum, or all of them."""

    def __init__(self, config: Conv1dConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        sizes = (view.fields, *config.each_widths)
        bits = zip(sizes[:-1], sizes[1:], config.weight_bits, strict=False)
        self.windows: Any = nn.ModuleList(ConvolutionLayer(n, m, config.kernel, weight) for n, m, weight in bits)
        widths = zip(config.each_widths, config.activation_bits, strict=False)
        self.active: Any = nn.ModuleList(ActivationLayer(n, active, behind=1) for n, active in widths)

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, fields) to (events, n)."""
        there = None if valid is None else valid.permute(0, 2, 1)
        x = items.turned(0, 2, 1)
        for window, active in zip(self.windows, self.active, strict=True):
            x = selection(active(window(x)), there)
        return self.reduced(x, None, axis=2)
