"""What kind of model a graph is, for what was calibrated on one kind says nothing of another."""

from __future__ import annotations

from typing import Literal, TypeAlias

from codesign.core.design import Design
from codesign.core.reading.onnx import onnx_model
from codesign.graph.ensemble import ML

__all__ = ("CircuitKind", "ModelKind", "kind_of_circuit", "kind_of_model")

ModelKind: TypeAlias = Literal["network", "trees"]
#: what a network's circuit is, unrolled as a whole: "network" where it is fully connected. "repeated": a module for
#: each item; "folded": items take turns
CircuitKind: TypeAlias = Literal["network", "trees", "items", "tables", "products", "repeated", "folded"]

_TABLES = frozenset({"Table", "Sigmoid", "Tanh", "Exp", "Log", "Reciprocal", "Sqrt", "Rsqrt", "Erf", "Softplus", "Sin",
                     "Cos", "HardSigmoid", "HardSwish", "Softsign", "Elu", "Selu", "Mish", "Gelu", "Celu"})  # fmt: skip
_PRODUCTS = frozenset({"Mul", "MatMul", "Gemm", "Div", "Einsum"})
_ITEMS = frozenset({"Conv", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"})


def kind_of_model(design: Design) -> ModelKind | None:
    """Trees alone, a network without any, or None: something of both."""
    domains = {node.domain for node in onnx_model(design.onnx).graph.node}
    if ML not in domains:
        return "network"
    return "trees" if domains == {ML} else None


def kind_of_circuit(design: Design) -> CircuitKind | None:
    """Of a design that is unrolled as a whole; a network that is several of these is the last of them, as listed."""
    kind = kind_of_model(design)
    if kind != "network":
        return kind
    graph = onnx_model(design.onnx).graph
    constants = {tensor.name for tensor in graph.initializer}
    signals = {value.name for value in graph.input} - constants
    found: CircuitKind = "network"
    order: tuple[CircuitKind, ...] = ("network", "items", "tables", "products")
    for node in graph.node:
        seen = [name for name in node.input if name in signals]
        if not seen:
            continue
        signals.update(node.output)
        if (node.op_type in _PRODUCTS and len(seen) > 1) or node.op_type in ("Pow", "ReduceSumSquare"):
            now: CircuitKind = "products"
        elif node.op_type in _TABLES:
            now = "tables"
        elif node.op_type in _ITEMS or node.op_type.startswith("Reduce"):
            now = "items"
        else:
            continue
        found = max(found, now, key=order.index)
    return found
