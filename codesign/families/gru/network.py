"""The Brevitas network of the family ``gru``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from codesign.families.gru.config import GruConfig
from codesign.families.items.item_network import ItemNetwork
from codesign.families.items.item_view import ItemView
from codesign.training.brevitas_quantisers import activation_scale, range_parameter
from codesign.training.quantised_layers import (
    ActivationLayer,
    Dense,
    GridSignal,
    Layer,
    Matrix,
    Walk,
    product,
    sum_of,
)
from codesign.training.table_activations import TableActivation, TableFunction

__all__ = ("QuantGru",)


class _Gate(Layer):
    """A function, read from a table, of an item and of a state."""

    def __init__(self, function: TableFunction, inputs: int, hidden: int, weight_bits: int, bits: int) -> None:
        super().__init__()
        self.of_item, self.of_state = Matrix(inputs, hidden, weight_bits), Matrix(hidden, hidden, weight_bits)
        self.open = TableActivation(function, hidden, bits, bits)

    def forward(self, item: GridSignal, state: GridSignal | None) -> GridSignal:
        """(events, inputs) and (events, hidden) to (events, hidden)."""
        seen = self.of_item(item)
        return self.open(seen if state is None else sum_of(seen, self.of_state(state)))  # type: ignore[no-any-return]


class QuantGru(ItemNetwork):
    """Gated recurrent units (Cho et al., arXiv:1406.1078): ``h + z (tanh(W x + U (r h)) - h)`` with the gates z, r."""

    def __init__(self, config: GruConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__(config, view, outputs)
        sizes, bits, hidden = (view.fields, *config.each_widths), config.product_bits, config.hidden
        layers = zip(sizes[:-1], sizes[1:], config.weight_bits, config.activation_bits, strict=False)
        self.each: Any = nn.ModuleList(Dense(*layer) for layer in layers)
        width, weight = config.each_widths[-1], config.weight_bits[len(config.each_widths) - 1]
        self.update = _Gate("sigmoid", width, hidden, weight, bits)
        self.reset = _Gate("sigmoid", width, hidden, weight, bits)
        self.fresh = _Gate("tanh", width, hidden, weight, bits)
        self.recalled = ActivationLayer(hidden, bits, signed=True)
        self.state = ActivationLayer(hidden, bits, signed=True)
        self._hidden = hidden

    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """(events, items, fields) to (events, hidden)."""
        for layer in self.each:
            items = layer(items)
        walk, state = self.state.walk, None
        if walk is not Walk.FOLDED:  # a graph has nothing of a state that is 0
            grid = activation_scale(self.state.quantiser).double() if walk is Walk.FOLDING else None
            state = GridSignal(items.values.new_zeros(len(items.values), self._hidden), grid)
        for place in reversed(range(self.view.items)):
            before = [r.clone() for r in self._ranges()] if walk is Walk.CALIBRATING else []
            there = None if valid is None else valid[:, place]
            state = self._step(GridSignal(items.values[:, place], items.grid), state, there)
            for range_, least in zip(self._ranges(), before, strict=False):
                range_.copy_(torch.maximum(range_, least))
            if walk is Walk.FOLDING:  # the layers of all steps are the same ones
                break
        assert state is not None
        return state

    def _step(self, item: GridSignal, state: GridSignal | None, there: Tensor | None) -> GridSignal:
        """The state after an item, or as it was where that is not there."""
        opened = self.update(item, state)
        recalled = None if state is None else self.recalled(product(self.reset(item, state), state))
        moved = self.fresh(item, recalled)
        if state is not None:
            moved = sum_of(moved, GridSignal(-state.values, state.grid))
        step = product(opened, moved)
        found: GridSignal = self.state(step if state is None else sum_of(step, state))
        if there is None:
            return found
        kept = torch.zeros(()) if state is None else state.values
        return GridSignal(torch.where(there > 0.5, found.values, kept), found.grid)

    def _ranges(self) -> list[Tensor]:
        """The learned range of every activation of a step; while it calibrates, copies of them are compared."""
        layers = (self.update.open.active, self.reset.open.active, self.fresh.open.active, self.recalled, self.state)
        return [range_parameter(layer.quantiser).data for layer in layers]
