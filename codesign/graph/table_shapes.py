"""Tells QONNX' transformations what the project's own operators give: the shape of their input."""

from __future__ import annotations

from functools import cache
from typing import Any

from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import add_op_to_domain

from codesign.core.errors import UnsupportedError
from codesign.graph.nodes import CODESIGN

__all__ = ("know_own_operators",)


class _Own(CustomOp):
    """An operator of the project's own domain. Nobody runs it there: it is computed exactly instead."""

    def make_shape_compatible_op(self, model: Any) -> Any:
        """Of the shape of its input."""
        return super().make_const_shape_op(model.get_tensor_shape(self.onnx_node.input[0]))

    def infer_node_datatype(self, model: Any) -> None:
        """Nothing is known of it but that it is a number."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["FLOAT32"])

    def execute_node(self, context: Any, graph: Any) -> None:
        """UnsupportedError."""
        raise UnsupportedError(f"{self.onnx_node.name}: QONNX does not compute {self.onnx_node.op_type}")

    def verify_node(self) -> None:
        """Nothing to say."""


class Table_v1(_Own):
    """Its first version, by the name that QONNX looks up."""

    def get_nodeattr_types(self) -> dict[str, tuple[str, bool, int]]:
        """The type of the codes."""
        return dict.fromkeys("kif", ("i", True, 0))


class FixedPoint_v1(_Own):
    """Likewise; its types are inputs."""

    def get_nodeattr_types(self) -> dict[str, tuple[str, bool, str]]:
        """What becomes of a code beyond its type, and how one between two is rounded."""
        return {"overflow": ("s", True, "WRAP"), "rounding_mode": ("s", True, "FLOOR")}

    def make_shape_compatible_op(self, model: Any) -> Any:
        """Whatever keeps a shape, which nobody may know yet."""
        node = self.onnx_node
        return helper.make_node("Cast", inputs=[node.input[0]], outputs=[node.output[0]], to=TensorProto.FLOAT)


@cache
def know_own_operators() -> None:
    """Make the operators known, once in a process."""
    add_op_to_domain(CODESIGN, Table_v1)
    add_op_to_domain(CODESIGN, FixedPoint_v1)
