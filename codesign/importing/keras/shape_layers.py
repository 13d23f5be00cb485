"""Structure, and layers that do nothing once a network is trained."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, quantise

__all__ = ("READERS",)


class Nothing(LayerReader):
    """Layers of training alone."""

    handles = (
        "InputLayer", "Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
        "ActivityRegularization", "Identity",
    )  # fmt: skip
    libraries = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """The signal itself."""
        return call.x


class Quantiser(LayerReader):
    """A quantiser that stands by itself."""

    handles = ("Quantizer",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """Of types for each element."""
        return quantise(call.graph, call.x, call.layer)


class Activation(LayerReader):
    """ReLU and none."""

    handles = ("Activation", "ReLU")
    libraries = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """UnsupportedError for other forms of ReLU."""
        layer = call.layer
        if type(layer).__name__ == "Activation":
            return call.activated(call.x, layer.activation)
        if layer.max_value is not None or layer.negative_slope or layer.threshold:
            raise UnsupportedError("a ReLU with a largest value, a slope or a threshold; use a plain one")
        return call.graph.relu(call.x)


class Flatten(LayerReader):
    """Row-major; the events' axis stays."""

    handles = ("Flatten",)
    libraries = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Channels first are moved last, as Keras does."""
        x = call.x
        if call.layer.data_format == "channels_first" and len(x.shape) > 1:
            x = call.graph.transpose(x, [*range(1, len(x.shape)), 0])
        return call.graph.reshape(x, (x.size,))


class Reshape(LayerReader):
    """To a shape without the events' axis, of which one length may be open."""

    handles = ("Reshape",)
    libraries = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """The open length is what is left."""
        shape = [int(n) for n in call.layer.target_shape]
        if -1 in shape:
            shape[shape.index(-1)] = call.x.size // prod(n for n in shape if n != -1)
        return call.graph.reshape(call.x, shape)


class Permute(LayerReader):
    """Axes counted from 1, behind the events'."""

    handles = ("Permute",)
    libraries = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """As numpy.transpose."""
        return call.graph.transpose(call.x, [int(a) - 1 for a in call.layer.dims])


class GetItem(LayerReader):
    """``x[...]`` with slices, whole numbers and dots."""

    handles = ("GetItem",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """UnsupportedError where it picks events, or by a mask or a list."""
        (key,) = call.others or ((call.named or {}).get("key"),)
        parts = list(key) if isinstance(key, tuple | list) else [key]
        if Ellipsis in parts:
            place = parts.index(Ellipsis)
            missing = len(call.x.shape) + 1 - (len(parts) - 1)
            parts[place : place + 1] = [slice(None)] * missing
        if not parts or parts[0] != slice(None):
            raise UnsupportedError(f"x[{key}] picks events")
        x, axis = call.x, 0
        for part in parts[1:]:
            x, axis = _pick(call, x, part, axis)
        return x


def _pick(call: LayerCall, x: WrittenSignal, part: Any, axis: int) -> tuple[WrittenSignal, int]:
    places = np.arange(x.shape[axis])
    if isinstance(part, slice):
        return call.graph.take(x, places[part], axis), axis + 1
    if isinstance(part, int) and not isinstance(part, bool):
        one = call.graph.take(x, places[[part]], axis)
        return call.graph.reshape(one, (*x.shape[:axis], *x.shape[axis + 1 :])), axis
    raise UnsupportedError(f"an index of kind {type(part).__name__}; slices and whole numbers are read")


class RepeatVector(LayerReader):
    """(n) to (times, n)."""

    handles = ("RepeatVector",)
    libraries = ("hgq", "qkeras")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Each element in its stead."""
        wide = call.graph.reshape(call.x, (1, *call.x.shape))
        return call.graph.take(wide, np.zeros(int(call.layer.n), np.int64), 0)


READERS: tuple[type[LayerReader], ...] = (
    Nothing, Quantiser, Activation, Flatten, Reshape, Permute, GetItem, RepeatVector,
)  # fmt: skip
