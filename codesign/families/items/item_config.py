"""Configuration and search space that all families of networks on items have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self, get_args

from pydantic import ConfigDict, Field, field_validator, model_validator

from codesign.core.layout import Layout
from codesign.core.space import Choose, Dimension, Fixed, FloatDimension, IntDimension, Parsed, Range
from codesign.families.items.item_view import ItemView
from codesign.families.precision import PrecisionCandidate, PrecisionSpace, drawn_precision
from codesign.graph.cost import expected_operations
from codesign.training.lesson import Subject

__all__ = ("ItemConfig", "ItemSpace", "Pool", "drawn_layers")

Pool = Literal["sum", "mean", "max", "flatten"]


class ItemConfig(PrecisionCandidate):
    """Layers that all items share, what is made of all items together, and layers of the event behind that."""

    each_widths: tuple[int, ...] = Field(min_length=1, description="outputs of each layer that all items share")
    tail_widths: tuple[int, ...] = Field(default=(), description="neurons of each hidden layer behind the items")
    pool: Pool = Field(default="sum", description="what is made of all items: sum, mean, max, or flatten")
    weight_bits: tuple[int, ...] = Field(description="bits of the weights, sign included: shared layers, tail, head")
    activation_bits: tuple[int, ...] = Field(description="bits of each layer's output (unsigned): shared layers, tail")
    pooled_bits: int = Field(default=8, ge=2, le=16, description="bits of a sum or mean of items")
    input_bits: int = Field(ge=2, le=16, description="bits of each input, sign included")
    sparsity: float = Field(default=0.0, ge=0, lt=1, description="share of weights pruned by magnitude in training")
    items: int = Field(default=0, ge=0, description="items that are used, the first ones; 0: all")
    fields: int = Field(default=0, ge=0, description="fields of an item that are used, the first ones; 0: all")

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        layers = len(self.each_widths) + len(self.tail_widths)
        if any(w < 1 for w in (*self.each_widths, *self.tail_widths)):
            raise ValueError("every width must be at least 1")
        if len(self.weight_bits) != layers + 1:
            raise ValueError(f"weight_bits needs {layers + 1} entries: one per layer and one for the head")
        if len(self.activation_bits) != layers:
            raise ValueError(f"activation_bits needs {layers} entries: one per layer but the head")
        if any(not 2 <= b <= 16 for b in (*self.weight_bits, *self.activation_bits)):
            raise ValueError("weight_bits and activation_bits must lie between 2 and 16")
        return self

    def input_width(self) -> int:
        """Width of each input."""
        return self.input_bits

    def pruned(self) -> float:
        """Share of pruned weights."""
        return 0.0 if self.learns else self.sparsity

    def cost(self, inputs: int, outputs: int) -> float:
        """Nothing can be said of numbers without their blocks."""
        return 0.0

    def cost_of(self, subject: Subject) -> float:
        """Bit operations to expect of every multiplication, as often as it is done; pruned weights left out. Nothing
        can be said of a precision that is learned."""
        if self.learns:
            return 0.0
        view = self.seen(subject.blocks)
        return self.items_cost(view) + self.tail_cost(view, len(subject.outputs))

    def seen(self, blocks: tuple[Layout, ...]) -> ItemView:
        """What this network takes of the blocks; InputError where it wants more than there is."""
        return ItemView.of(blocks).taking(self.items, self.fields)

    def items_cost(self, view: ItemView) -> float:
        """Bit operations to expect up to what is made of all items: here of layers that each item goes through."""
        return view.items * self.dense_cost((view.fields, *self.each_widths), 0, self.input_bits)

    def tail_cost(self, view: ItemView, outputs: int) -> float:
        """Bit operations to expect behind what is made of all items."""
        first, behind = len(self.each_widths), (*self.tail_widths, outputs)
        found = self.dense_cost((self.summary_width(view), *behind), first, self.summary_bits())
        return found + self.dense_cost((view.beside, behind[0]), first, self.input_bits)

    def summary_width(self, view: ItemView) -> int:
        """How many numbers are made of all items."""
        return self.pooled_width * (self.places(view) if self.pool == "flatten" else 1)

    @property
    def pooled_width(self) -> int:
        """How many numbers there are of each item in the end."""
        return self.each_widths[-1]

    def places(self, view: ItemView) -> int:
        """How many items there are behind the shared layers."""
        return view.items

    @property
    def quantises_pool(self) -> bool:
        """Whether what is made of all items has a quantiser: a maximum, and items as they are, need none."""
        return self.pool in ("sum", "mean")

    def summary_bits(self) -> int:
        """Bits of each of them."""
        return self.pooled_bits if self.quantises_pool else self.activation_bits[len(self.each_widths) - 1]

    def dense_cost(self, sizes: Sequence[int], first: int, operand: int) -> float:
        """Bit operations of layers of these ``sizes``, the first of them layer ``first``, given ``operand`` bits."""
        count = len(sizes) - 1
        operands = (operand, *self.activation_bits[first : first + count - 1])
        return expected_operations(sizes, self.weight_bits[first : first + count], operands, self.sparsity)


class ItemSpace(PrecisionSpace):
    """The study's ``space`` for these families: each entry a dimension (a choice, a range, or a fixed value)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    each_depth: IntDimension = Field(default=Fixed(1), description="number of layers that all items share")
    each_width: IntDimension = Field(description="outputs, drawn for each layer that all items share")
    tail_depth: IntDimension = Field(default=Fixed(1), description="number of hidden layers behind the items")
    tail_width: IntDimension = Field(default=Fixed(16), description="neurons, drawn for each hidden layer of the tail")
    pool: Dimension = Field(default=Fixed("sum"), description="sum, mean or max over the items, or flatten")
    weight_bits: IntDimension = Field(description="drawn for each layer, the head included")
    activation_bits: IntDimension = Field(description="drawn for each layer but the head")
    pooled_bits: IntDimension = Field(default=Fixed(8), description="bits of a sum or mean of items")
    input_bits: IntDimension = Field(description="bits of the inputs")
    sparsity: FloatDimension = Field(default=Fixed(0.0), description="share of pruned weights")
    items: IntDimension = Field(default=Fixed(0), description="items that are used, the first ones; 0: all")
    fields: IntDimension = Field(default=Fixed(0), description="fields of an item that are used; 0: all")

    @field_validator("pool")
    @classmethod
    def _known(cls, pool: Parsed) -> Parsed:
        known = get_args(Pool)
        values = pool.values if not isinstance(pool, Fixed | Range) else (getattr(pool, "value", None),)
        if any(v not in known for v in values):
            raise ValueError(f"expected {', '.join(known)}, or a list of them")
        return pool


def drawn_layers(space: ItemSpace, choose: Choose) -> dict[str, object]:
    """Draw what all these families have: depths first, then each layer's width and bits."""
    each, tail = choose("each_depth", space.each_depth), choose("tail_depth", space.tail_depth)
    layers = range(each + tail)
    return {
        "each_widths": tuple(choose(f"each_width_{i}", space.each_width) for i in range(each)),
        "tail_widths": tuple(choose(f"tail_width_{i}", space.tail_width) for i in range(tail)),
        "pool": choose("pool", space.pool),
        "weight_bits": (
            *(choose(f"weight_bits_{i}", space.weight_bits) for i in layers),
            choose("weight_bits_head", space.weight_bits),
        ),
        "activation_bits": tuple(choose(f"activation_bits_{i}", space.activation_bits) for i in layers),
        "pooled_bits": choose("pooled_bits", space.pooled_bits),
        "input_bits": choose("input_bits", space.input_bits),
        "sparsity": choose("sparsity", space.sparsity),
        "items": choose("items", space.items),
        "fields": choose("fields", space.fields),
        **drawn_precision(space, choose),
    }
