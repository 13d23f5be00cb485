"""The process that holds QKeras: reads one file into a graph, and runs it on values.

``python -m codesign.importing.qkeras.qkeras_worker JOB.json``, as :mod:`codesign.importing.keras.keras_worker`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

from codesign.importing.keras.graph_writer import GraphWriter, WrittenSignal
from codesign.importing.keras.held_keras import HeldKeras, fixed_shapes
from codesign.importing.keras.keras_container import ConfigRules
from codesign.importing.keras.layer_reader import LayerReader
from codesign.importing.keras.layer_readers import readers_of
from codesign.importing.keras.layer_walk import LayerWalk
from codesign.importing.own_process import answer_job
from codesign.importing.qkeras.qkeras_layers import READERS
from codesign.importing.qkeras.qkeras_library import load_qkeras

__all__ = ("HELD_QKERAS", "HeldQKeras")

_QUANTISERS = {
    "quantized_bits", "quantized_relu", "quantized_tanh", "quantized_sigmoid", "quantized_po2", "quantized_relu_po2",
    "quantized_ulaw", "quantized_hswish", "binary", "ternary", "stochastic_binary", "stochastic_ternary", "bernoulli",
}  # fmt: skip
_FUNCTIONS = {
    "linear", "relu", "softmax", "sigmoid", "tanh", "elu", "selu", "softplus", "softsign", "swish", "gelu",
    "exponential", "hard_sigmoid", "leaky_relu", "hard_tanh", "smooth_sigmoid", "smooth_tanh", "binary_sigmoid",
    "binary_tanh",
}  # fmt: skip
_PARTS = {
    "QInitializer", "Clip", "PolynomialDecay", "ConstantSparsity", "Policy", "function", "L1", "L2", "L1L2",
    "Zeros", "Ones", "Constant", "GlorotUniform", "GlorotNormal", "HeNormal", "HeUniform", "LecunNormal",
    "LecunUniform", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Orthogonal",
    "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "__tuple__", "__passive_serialization__",
}  # fmt: skip
QKERAS_RULES = ConfigRules(
    "2.",
    "QKeras on Keras 2",
    ("keras", "tf_keras", "qkeras", "tensorflow_model_optimization", "builtins"),
    frozenset(_QUANTISERS | _PARTS),
    frozenset(_QUANTISERS | _FUNCTIONS),
    frozenset({"post_training_scale", "elements_per_scale", "min_po2_exponent", "max_po2_exponent"}),
)
#: what keeps the order of the scores and is cut at the end (codesign.importing.onnx_surgery.cut_ends)
_LAST = ("softmax", "sigmoid")


@cache
def qkeras_readers() -> dict[str, LayerReader]:
    """By name of a class, what reads it in a network of QKeras."""
    return readers_of("qkeras", READERS)


class HeldQKeras(HeldKeras):
    """Keras 2 with QKeras."""

    title = "QKeras"
    rules = QKERAS_RULES

    def readers(self) -> Mapping[str, LayerReader]:
        """By name of a class, what reads it."""
        return qkeras_readers()

    def library(self) -> tuple[Any, dict[str, Any], dict[str, str]]:
        """Keras 2, QKeras' classes, and versions."""
        return load_qkeras()

    def convert(self, model: Any) -> tuple[bytes, dict[str, Any]]:
        """The graph of a model, and the facts of it."""
        shapes = fixed_shapes(model.inputs)
        walk = LayerWalk(GraphWriter(), qkeras_readers())
        ends = _walked(model, [walk.graph.input(shape) for shape in shapes], walk)
        walk.finish()
        facts = {
            "layers": walk.layers,
            "inputs": [{"name": str(x.name), "shape": list(s)} for x, s in zip(model.inputs, shapes, strict=True)],
            "outputs": [list(e.shape) for e in ends],
            "read_as": [],
            "read_bare": [],
        }
        return walk.graph.finish(ends), facts

    def scored(self, model: Any) -> Any:
        """The model without what keeps the order at its ends."""
        return _scores_of(model)


HELD_QKERAS = HeldQKeras()


def _walked(model: Any, signals: list[WrittenSignal], walk: LayerWalk) -> list[WrittenSignal]:
    """What comes out of a network of layers, of networks among them, in Keras' order of execution."""
    from tensorflow import is_tensor, nest
    from tf_keras import Model

    known = {id(x): s for x, s in zip(model.inputs, signals, strict=True)}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            if node.is_input or not all(id(x) in known for x in nest.flatten(node.keras_inputs)):
                continue
            given = tuple(known[id(x)] for x in nest.flatten(node.keras_inputs))
            outputs = nest.flatten(node.outputs)
            if isinstance(node.layer, Model):
                found = _walked(node.layer, list(given), walk)
            else:
                seen = {id(x) for x in nest.flatten(node.keras_inputs)}
                others = tuple(a for a in node.call_args if id(a) not in seen and not isinstance(a, list | tuple))
                named = {
                    k: v for k, v in node.call_kwargs.items() if k != "training" and v is not None and not is_tensor(v)
                }
                walk.graph.within = str(node.layer.name)[:80]
                found = [walk.step(node.layer, given, tuple(outputs[0].shape)[1:], others, named)]
                if len(outputs) > 1:
                    walk.refuse(node.layer, f"gives {len(outputs)} signals, and layers of one are read")
                    found *= len(outputs)
            known |= {id(x): s for x, s in zip(outputs, found, strict=True)}
    return [known[id(x)] for x in nest.flatten(model.outputs)]


def _scores_of(model: Any) -> Any:
    from tensorflow import nest
    from tf_keras import Model
    from tf_keras.activations import linear

    ends = []
    for end in nest.flatten(model.outputs):
        while True:
            layer = end._keras_history.layer
            name = getattr(getattr(layer, "activation", None), "__name__", "")
            if type(layer).__name__ in ("Activation", "QActivation", "Softmax") and _is_last(layer, name):
                end = layer.input
                continue
            if name in _LAST and not isinstance(layer, Model):
                layer.activation = linear
            break
        ends.append(end)
    return Model(model.inputs, ends)


def _is_last(layer: Any, name: str) -> bool:
    if type(layer).__name__ == "QActivation":
        name = getattr(layer.quantizer, "__name__", "")
    return type(layer).__name__ == "Softmax" or name in _LAST


if __name__ == "__main__":
    sys.exit(answer_job(sys.argv[1:], HELD_QKERAS.work_on))
