"""Tells QONNX' transformations what the project's own operator ``Table`` gives: the shape of its input."""

from __future__ import annotations

from functools import cache
from typing import Any

from qonnx.core.datatype import DataType
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import add_op_to_domain

from codesign.core.errors import UnsupportedError
from codesign.graph.nodes import CODESIGN

__all__ = ("know_tables",)


class Table_v1(CustomOp):
    """Its first version, by the name that QONNX looks up. Nobody runs it there: it is computed exactly instead."""

    def get_nodeattr_types(self) -> dict[str, tuple[str, bool, int]]:
        """The type of the codes."""
        return dict.fromkeys("kif", ("i", True, 0))

    def make_shape_compatible_op(self, model: Any) -> Any:
        """Of the shape of its input."""
        return super().make_const_shape_op(model.get_tensor_shape(self.onnx_node.input[0]))

    def infer_node_datatype(self, model: Any) -> None:
        """Nothing is known of it but that it is a number."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["FLOAT32"])

    def execute_node(self, context: Any, graph: Any) -> None:
        """UnsupportedError."""
        raise UnsupportedError(f"{self.onnx_node.name}: QONNX does not compute tables")

    def verify_node(self) -> None:
        """Nothing to say."""


@cache
def know_tables() -> None:
    """Make the operator known, once in a process."""
    add_op_to_domain(CODESIGN, Table_v1)
