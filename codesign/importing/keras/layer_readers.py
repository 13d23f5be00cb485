"""The readers of Keras layers that there are: ours, and those of entry points ``codesign.layers``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from codesign.core.errors import UnsupportedError
from codesign.importing.keras import (
    attention_layers,
    dense_layers,
    merge_layers,
    recurrent_layers,
    shape_layers,
    table_layers,
    window_layers,
)
from codesign.importing.keras.layer_reader import LayerReader

__all__ = ("readers",)


@cache
def readers() -> dict[str, LayerReader]:
    """By name of a class, what reads it: ours, and those of entry points ``codesign.layers``."""
    rooms = (dense_layers, merge_layers, shape_layers, window_layers, table_layers, attention_layers, recurrent_layers)
    kinds: list[type[LayerReader]] = [kind for room in rooms for kind in room.READERS]
    for entry in entry_points(group="codesign.layers"):
        kind = entry.load()
        if not isinstance(kind, type) or not issubclass(kind, LayerReader):
            raise UnsupportedError(f"the plug-in '{entry.value}' is no LayerReader of codesign.importing.keras")
        kinds.append(kind)
    return {name: kind() for kind in kinds for name in kind.handles}
