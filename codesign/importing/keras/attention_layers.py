"""Attention: projections, products of two signals, a softmax of tables."""

from __future__ import annotations

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, quantise

__all__ = ("READERS",)


class MultiHeadAttention(LayerReader):
    """QMultiHeadAttention, without a mask; projections of weights or of tables."""

    handles = ("QMultiHeadAttention", "QMultiHeadAttentionT")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Of query, value and key; fewer are those before."""
        query, value, key = _three(call)
        return attend(call, query, value, key)


class LinformerAttention(LayerReader):
    """QLinformerAttention: keys and values are projected along the items first."""

    handles = ("QLinformerAttention", "QLinformerAttentionT")

    def read(self, call: LayerCall) -> WrittenSignal:
        """Of query, value and key; fewer are those before."""
        query, value, key = _three(call)
        layer = call.layer
        return attend(call, query, call.of(layer._lin_v_proj, value), call.of(layer._lin_k_proj, key))


def _three(call: LayerCall) -> tuple[WrittenSignal, WrittenSignal, WrittenSignal]:
    named = {name: given for name, given in (call.named or {}).items() if given is not None and given is not False}
    if unknown := sorted(set(named) - {"query", "value", "key", "training"}):
        raise UnsupportedError(f"attention with {', '.join(unknown)}; without masks it is read")
    if not 1 <= len(call.inputs) <= 3:
        raise UnsupportedError(f"attention of {len(call.inputs)} signals")
    query = call.inputs[0]
    value = call.inputs[1] if len(call.inputs) > 1 else query
    return query, value, call.inputs[2] if len(call.inputs) > 2 else value


def attend(call: LayerCall, query: WrittenSignal, value: WrittenSignal, key: WrittenSignal) -> WrittenSignal:
    """The attention itself, its last quantiser included."""
    layer, graph = call.layer, call.graph
    if float(layer._inverse_sqrt_key_dim) != 1:
        raise UnsupportedError("attention that scales its query; HGQ2 scales inside the softmax")
    queries, keys, values = (
        call.of(dense, x)
        for dense, x in ((layer._query_dense, query), (layer._key_dense, key), (layer._value_dense, value))
    )
    scores = graph.einsum_of_signals(layer._dot_product_equation, keys, queries)
    weights = call.of(layer._softmax, scores)
    out = call.of(layer._output_dense, graph.einsum_of_signals(layer._combine_equation, weights, values))
    return quantise(graph, out, layer.oq) if layer.enable_oq else out


READERS: tuple[type[LayerReader], ...] = (MultiHeadAttention, LinformerAttention)
