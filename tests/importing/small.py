"""Small files of other people's kinds, written here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from codesign.graph.nodes import QONNX

__all__ = ("mlp", "model", "quant", "saved")

RNG = np.random.default_rng(3)


def model(
    nodes: Sequence[onnx.NodeProto],
    constants: dict[str, Any],
    shape: tuple[int | str, ...] = ("n", 4),
    outputs: Sequence[str] = ("y",),
    opset: int = 13,
    kind: int = TensorProto.FLOAT,
    domains: Sequence[str] = (QONNX,),
) -> onnx.ModelProto:
    """A model with the input ``x``."""
    tensors = [
        numpy_helper.from_array(
            v if isinstance(v, np.ndarray) and v.dtype.kind in "iu" else np.asarray(v, np.float32), name
        )
        for name, v in constants.items()
    ]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, None) for o in outputs],
        tensors,
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def quant(x: str, y: str, scale: str, bits: str = "four", domain: str = QONNX, **attributes: Any) -> onnx.NodeProto:
    """A Quant node."""
    given = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attributes
    return helper.make_node("Quant", [x, scale, "zero", bits], [y], f"quant_{y}", domain=domain, **given)


def mlp(
    ends: Sequence[onnx.NodeProto] = (),
    output: str = "s",
    scale: float = 0.25,
    own_input: bool = True,
    weights: float = 0.25,
    more: dict[str, Any] | None = None,
    **options: Any,
) -> onnx.ModelProto:
    """4-5-3, its input quantised where ``own_input``; ``ends`` make ``output`` of ``s``."""
    rng = np.random.default_rng(5)
    constants = {
        "zero": 0.0, "four": 4.0, "two": 2.0, "in": scale, "act": 0.5,
        "w1": rng.integers(-3, 4, (4, 5)) * weights, "w2": rng.integers(-3, 4, (5, 3)) * weights,
    }  # fmt: skip
    nodes = [
        *([quant("x", "q", "in")] if own_input else []),
        helper.make_node("MatMul", ["q" if own_input else "x", "w1"], ["h"], "first"),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        quant("r", "a", "act", signed=0),
        helper.make_node("MatMul", ["a", "w2"], ["s"], "second"),
        *ends,
    ]
    return model(nodes, constants | (more or {}), outputs=[output], **options)


def saved(made: onnx.ModelProto, path: Path) -> Path:
    """The model as a file."""
    onnx.save(made, path)
    return path
