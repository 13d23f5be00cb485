"""What reads one class of Keras layers: the contract, the readers that there are, and what they have in common.

Everything here runs in the process that holds Keras, on a layer that is built. A reader of one's own is named by an
entry point of the group ``codesign.layers``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.graph.quantiser import Overflow, RoundingMode
from codesign.importing.keras.graph_writer import Array, FixedPoints, GraphWriter, WrittenSignal

__all__ = ("LayerCall", "LayerReader", "Library", "numbers", "quantise", "read_layer", "types_of")

#: whose layers: hgq is Keras 3 with HGQ2, qkeras is Keras 2 with QKeras
Library: TypeAlias = Literal["hgq", "qkeras"]

#: HGQ2's names of what RoundingMode calls otherwise
_ROUNDINGS = {
    "TRN": RoundingMode.FLOOR,
    "RND": RoundingMode.RND,
    "RND_CONV": RoundingMode.ROUND,
    "TRN_ZERO": RoundingMode.DOWN,
    "RND_ZERO": RoundingMode.HALF_DOWN,
    "RND_INF": RoundingMode.HALF_UP,
}
_ACTIVATIONS = ("relu", "linear")


@dataclass(frozen=True)
class LayerCall:
    """A layer, the signals that enter it, what else it is called with, and the graph that is written."""

    layer: Any
    inputs: tuple[WrittenSignal, ...]
    graph: GraphWriter
    readers: Mapping[str, LayerReader]
    others: tuple[Any, ...] = ()
    named: Mapping[str, Any] | None = None

    @property
    def x(self) -> WrittenSignal:
        """The one signal that enters; UnsupportedError where there are several."""
        if len(self.inputs) != 1:
            raise UnsupportedError(f"takes {len(self.inputs)} signals, and one is read")
        return self.inputs[0]

    def quantised(self) -> tuple[WrittenSignal, ...]:
        """The signals that enter, each through its own quantiser of the layer's, where it has one."""
        if not getattr(self.layer, "enable_iq", False):
            return self.inputs
        quantisers = list(self.layer.iq) if len(self.inputs) > 1 else [self.layer.iq]
        if len(quantisers) == 1 and not hasattr(quantisers[0], "quantizer"):
            quantisers = list(quantisers[0])  # of a layer that may have several inputs, and has one
        return tuple(quantise(self.graph, x, q) for x, q in zip(self.inputs, quantisers, strict=True))

    def activated(self, x: WrittenSignal, activation: Any) -> WrittenSignal:
        """An activation without parameters; UnsupportedError for all but ReLU and none."""
        name = "linear" if activation is None else getattr(activation, "__name__", type(activation).__name__)
        if name not in _ACTIVATIONS:
            raise UnsupportedError(
                f"activation '{name}' of numbers that are not quantised has no exact hardware; use QUnaryFunctionLUT, "
                f"or one of {', '.join(_ACTIVATIONS)}"
            )
        return self.graph.relu(x) if name == "relu" else x

    def of(self, layer: Any, *inputs: WrittenSignal) -> WrittenSignal:
        """A layer that this one holds."""
        return read_layer(LayerCall(layer, inputs, self.graph, self.readers))


class LayerReader(ABC):
    """Reads one or several classes of Keras layers."""

    #: names of classes, of Keras, HGQ2, QKeras or one's own
    handles: ClassVar[tuple[str, ...]]
    #: in whose networks they are
    libraries: ClassVar[tuple[Library, ...]] = ("hgq",)

    def classes(self) -> Mapping[str, type]:
        """Classes of layers that no library has, by name: Keras is given them when it loads a file, and runs them for
        comparison. They are of the package that brings this reader, never of the file; Keras is imported in here."""
        return {}

    @abstractmethod
    def read(self, call: LayerCall) -> WrittenSignal:
        """Write the layer, its input quantisers included and its output quantiser not; what comes out.

        UnsupportedError: what has no exact hardware, without the layer's name.
        """


def read_layer(call: LayerCall) -> WrittenSignal:
    """Write a layer with all of its quantisers; UnsupportedError where no reader knows it."""
    name = type(call.layer).__name__
    if name not in call.readers:
        raise UnsupportedError("no reader for this class; one's own is an entry point codesign.layers")
    out = call.readers[name].read(call)
    layer = call.layer
    if getattr(layer, "enable_oq", False) and not getattr(layer, "__output_quantizer_handled__", False):
        out = quantise(call.graph, out, layer.oq)
    return out


def quantise(graph: GraphWriter, x: WrittenSignal, quantiser: Any) -> WrittenSignal:
    """Write a quantiser of HGQ2's, and the affine map behind it, of a power of two and a dyadic number."""
    types = _types_within(quantiser, x.shape)
    fitted = x if types is None else graph.fixed(x, types)
    if quantiser.affine is None:
        return fitted
    factor, offset = (float(v) for v in quantiser.affine)
    if not factor or not np.log2(abs(factor)).is_integer():
        raise UnsupportedError(f"a quantiser with a factor of {factor:g} behind it, which is no power of two")
    return graph.add(graph.multiply(fitted, np.array(factor)), np.array(offset))


def types_of(quantiser: Any, shape: Sequence[int]) -> FixedPoints | None:
    """The types of a built quantiser for a signal of a shape, (shape) each; None for one that does nothing."""
    if quantiser.affine is not None:
        raise UnsupportedError("a quantiser with an affine map; train without")
    return _types_within(quantiser, shape)


def _types_within(quantiser: Any, shape: Sequence[int]) -> FixedPoints | None:
    if quantiser.scaler is not None:
        raise UnsupportedError("a quantiser with a scaler; train without")
    inner = quantiser.quantizer
    if type(inner).__name__ == "DummyQuantizer":
        return None
    if not hasattr(inner, "kif") or not inner.built:
        raise UnsupportedError(f"a quantiser of kind {type(inner).__name__}; fixed point is read")
    rounding, overflow = str(inner.round_mode).upper().removeprefix("S_"), str(inner.overflow_mode).upper()
    if rounding not in _ROUNDINGS:
        raise UnsupportedError(f"a quantiser that rounds by {rounding}; {', '.join(_ROUNDINGS)} are read")
    k, i, f = (numbers(inner.bw_mapper.bw_to_x(v, (1, *shape)))[0].astype(np.int64) for v in inner.kif)
    return FixedPoints(k, i, f, Overflow.named(overflow), _ROUNDINGS[rounding])


def numbers(tensor: Any) -> Array:
    """A tensor as float64."""
    return np.asarray(tensor, dtype=np.float64)
