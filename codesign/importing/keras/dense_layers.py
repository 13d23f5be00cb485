"""Products with weights: dense layers and einsums, batch normalisation folded into them."""

from __future__ import annotations

from string import ascii_letters

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import Array, WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, numbers

__all__ = ("READERS",)


def _add_bias(call: LayerCall, x: WrittenSignal, bias: Array | None) -> WrittenSignal:
    return x if bias is None or not bias.any() else call.graph.add(x, bias)


def _qbias(call: LayerCall) -> Array | None:
    return None if call.layer.qbias is None else numbers(call.layer.qbias)


class DenseReader(LayerReader):
    """QDense, and with batch normalisation."""

    handles = ("QDense", "QBatchNormDense")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Over the last axis."""
        (x,) = call.quantised()
        lead = ascii_letters[: len(x.shape)]
        out = call.graph.einsum(f"{lead}Y,YZ->{lead}Z", x, numbers(call.layer.qkernel))
        return call.activated(_add_bias(call, out, _qbias(call)), call.layer.activation)


class EinsumDense(LayerReader):
    """QEinsumDense, and with batch normalisation."""

    handles = ("QEinsumDense", "QEinsumDenseBatchnorm")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Any equation of a signal with weights, the events' axis first; dots in front."""
        (x,) = call.quantised()
        out = call.graph.einsum(_spell(call.layer.equation, x), x, numbers(call.layer.qkernel))
        return call.activated(_add_bias(call, out, _qbias(call)), call.layer.activation)


def _spell(equation: str, x: WrittenSignal) -> str:
    """An equation with letters in place of dots."""
    if "..." not in equation:
        return equation
    known = len(equation.partition(",")[0].replace("...", ""))
    more = [c for c in ascii_letters if c not in equation][: len(x.shape) + 1 - known]
    return equation.replace("...", "".join(more))


class BatchNormalization(LayerReader):
    """QBatchNormalization: a factor and a constant for each channel."""

    handles = ("QBatchNormalization",)

    def read(self, call: LayerCall) -> WrittenSignal:
        """With the moving mean and variance."""
        (x,) = call.quantised()
        layer = call.layer
        scale, offset = layer._scaler_and_offset()
        shape = tuple(int(n) for n in layer._shape)[1:]
        if len(shape) != len(x.shape):
            raise UnsupportedError(f"parameters of shape {shape} for a signal of shape {x.shape}")
        scaled = call.graph.multiply(x, numbers(layer.kq(scale)).reshape(shape))
        return _add_bias(call, scaled, numbers(layer.bq(offset)).reshape(shape))


READERS: tuple[type[LayerReader], ...] = (DenseReader, EinsumDense, BatchNormalization)
