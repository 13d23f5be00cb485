"""Configurations of the family ``jedi-linear``."""

from __future__ import annotations

from codesign.families.items.item_config import ItemConfig
from codesign.families.items.item_view import ItemView

__all__ = ("JediLinearConfig",)


class JediLinearConfig(ItemConfig):
    """Shared layers ``x_i W + m W'`` with the mean m of all items, which has ``pooled_bits``."""

    def items_cost(self, view: ItemView) -> float:
        """That of the shared layers, and of the mean's own weights, once each."""
        inputs = (view.fields, *self.each_widths)
        return super().items_cost(view) + sum(
            self.dense_cost(inputs[i : i + 2], i, self.pooled_bits) for i in range(len(self.each_widths))
        )
