"""The readers of Keras layers that there are: ours, and those of entry points ``codesign.layers``."""

from __future__ import annotations

from collections.abc import Iterable
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
from codesign.importing.keras.layer_reader import LayerReader, Library

__all__ = ("readers", "readers_of")


@cache
def readers() -> dict[str, LayerReader]:
    """By name of a class, what reads it in a network of Keras 3: ours, and those of ``codesign.layers``."""
    return readers_of("hgq", ())


def readers_of(library: Library, more: Iterable[type[LayerReader]]) -> dict[str, LayerReader]:
    """By name of a class, what reads it in a network of a library: ours for all of Keras, ``more``, and those of entry
    points ``codesign.layers``; the last of a name is the one. UnsupportedError: a plug-in that is none."""
    rooms = (dense_layers, merge_layers, shape_layers, window_layers, table_layers, attention_layers, recurrent_layers)
    kinds: list[type[LayerReader]] = [kind for room in rooms for kind in room.READERS]
    kinds += more
    for entry in entry_points(group="codesign.layers"):
        kind = entry.load()
        if not isinstance(kind, type) or not issubclass(kind, LayerReader):
            raise UnsupportedError(f"the plug-in '{entry.value}' is no LayerReader of codesign.importing.keras")
        kinds.append(kind)
    return {name: kind() for kind in kinds if library in kind.libraries for name in kind.handles}
