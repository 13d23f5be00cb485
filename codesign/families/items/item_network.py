"""The network of a family on items: a family writes what is made of the items, all else is here."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_view import ItemView
from codesign.training.layered_network import LayeredNetwork
from codesign.training.quantised_layers import (
    ActivationLayer,
    Dense,
    GridSignal,
    InputCodes,
    OutputLayer,
    concatenation,
    largest,
    mean,
    selection,
    total,
)

__all__ = ("ItemNetwork",)

_REDUCTIONS = {"sum": total, "mean": mean, "max": largest}


class ItemNetwork(LayeredNetwork):
    """Input quantisers; the family's :meth:`summary` of the items; the tail of that and of features beside; heads.

    One tensor (events, *shape) for each block of the view in; out (events, m), or a tuple of one for each head.
    """

    def __init__(self, config: ItemConfig, view: ItemView, outputs: Sequence[int]) -> None:
        super().__init__()
        self.config, self.view, self.shapes = config, view, view.shapes
        self.inputs: Any = nn.ModuleList(InputCodes(config.input_bits) for _ in view.shapes)
        self.pooled = ActivationLayer(config.pooled_width, config.pooled_bits) if config.quantises_pool else None
        sizes, first = (config.summary_width(view) + view.beside, *config.tail_widths), len(config.each_widths)
        bits = zip(sizes[:-1], sizes[1:], config.weight_bits[first:], config.activation_bits[first:], strict=False)
        self.tail: Any = nn.ModuleList(Dense(*layer) for layer in bits)
        self.heads: Any = nn.ModuleList(OutputLayer(sizes[-1], n, config.weight_bits[-1]) for n in outputs)

    @abstractmethod
    def summary(self, items: GridSignal, valid: Tensor | None) -> GridSignal:
        """What is made of the items (events, *shape): (events, n), on one grid.

        ``valid``: (events, items, 1), 0 for an item that is not there; None where nothing says so.
        """

    def forward(self, *blocks: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Brevitas' own computation: what is exported."""
        signals = [quantiser(block) for quantiser, block in zip(self.inputs, blocks, strict=True)]
        items, where = signals.pop(self.view.place), self.view.validity
        if items.values.dim() == 3:
            items = items.taken(1, self.view.items)
        valid = None if where is None else items.values[..., where : where + 1]
        x = concatenation([self.summary(items.taken(-1, self.view.fields), valid), *signals])
        for layer in self.tail:
            x = layer(x)
        found = tuple(head(x) for head in self.heads)
        return found if len(found) > 1 else found[0]

    def reduced(self, x: GridSignal, valid: Tensor | None, axis: int = 1) -> GridSignal:
        """The sum, mean or maximum of the items that are there, as the configuration has it; quantised."""
        x = selection(x, valid)
        if self.config.pool == "flatten":
            return GridSignal(x.values.flatten(1), x.grid)
        found = _REDUCTIONS[self.config.pool](x, axis)
        return found if self.pooled is None else self.pooled(found)
