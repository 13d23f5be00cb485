"""Sources as other people's exporters write them: any scales, functions of real numbers, batch normalisation."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from codesign.core.fixedpoint import FixedPoint
from codesign.graph.lowering import lower
from codesign.graph.nodes import CHANNELS_LAST, CODESIGN, QONNX
from codesign.graph.passes.folding import real_values
from codesign.testing.graphs import port_of_one_kind
from tests.graph.everywhere import design_for, equal_everywhere

KIND = FixedPoint(signed=True, integer_bits=3, fraction_bits=2)
DOMAINS = {
    **dict.fromkeys(("Quant", "BipolarQuant", "IntQuant", "Trunc", "MultiThreshold"), QONNX),
    **dict.fromkeys(("FixedPoint", "Table"), CODESIGN),
}


class Source:
    """Nodes one by one; each gives the name of its output. The input's name is ``x``."""

    def __init__(self, *shape: int, opset: int = 13, batch: int | str = "events") -> None:
        self.shape, self.opset, self.batch = shape, opset, batch
        self.nodes: list = []
        self.constants: list = []

    def constant(self, value, dtype=np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def node(self, op, *inputs, domain=None, **attributes) -> str:
        name = f"n{len(self.nodes)}"
        given = [i if isinstance(i, str) else self.constant(i) for i in inputs]
        domain = DOMAINS.get(op, "") if domain is None else domain
        self.nodes.append(helper.make_node(op, given, [name], name=f"{op}_{name}", domain=domain, **attributes))
        return name

    def quant(self, x, scale, bits, signed=1, zero=0.0, mode="ROUND", narrow=0) -> str:
        given = (np.float32(scale), np.float32(zero), np.float32(bits))
        return self.node("Quant", x, *given, signed=signed, narrow=narrow, rounding_mode=mode)

    def finish(self, output, *shape) -> bytes:
        graph = helper.make_graph(
            self.nodes, "source",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [self.batch, *self.shape])],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, [self.batch, *shape])],
            self.constants,
        )  # fmt: skip
        versions = {"": self.opset, QONNX: 1, CODESIGN: 1, CHANNELS_LAST: 1}
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(d, v) for d, v in versions.items()])
        model.ir_version = 8
        return model.SerializeToString()


def codes_of(kind, size, events, seed=0):
    """Its ends, and random ones."""
    rng = np.random.default_rng(seed)
    ends = np.array([[kind.minimum] * size, [kind.maximum] * size, [0] * size])
    return np.concatenate([ends, rng.integers(kind.minimum, kind.maximum + 1, (events, size))])


def lowered_design(content, kinds, order_only=False):
    """The design of a source whose inputs have these types, and how it was lowered."""
    port = port_of_one_kind(kinds[0], len(kinds)).port.model_copy(update={"types": tuple(kinds)})
    found = lower(content, port, order_only=order_only)
    onnx.checker.check_model(onnx.load_from_string(found.content))
    return design_for(found.content, list(kinds)), found


def equal_to_reals(content, kinds, codes, *, hardware=True, circuit=24, reals=None):
    """Codes of a lowered source, which every domain gives and real arithmetic too; AssertionError where one differs."""
    design, found = lowered_design(content, kinds)
    truth = equal_everywhere(design, codes, hardware=hardware, circuit=circuit)
    part = codes if reals is None else codes[:reals]
    values = design.inputs.values(part)
    exact = real_values(content, values)
    ours = design.outputs.values(truth[: len(part)])
    assert exact.shape == ours.shape
    wrong = [(i, j) for i, j in np.ndindex(*exact.shape) if exact[i, j] != ours[i, j]]
    assert not wrong, f"real arithmetic: {len(wrong)} differ, first {wrong[0]}"
    return design, found, truth
