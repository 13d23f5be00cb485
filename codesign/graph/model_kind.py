"""What kind of model a graph is, for what was calibrated on one kind says nothing of another."""

from __future__ import annotations

from typing import Literal, TypeAlias

from codesign.core.design import Design
from codesign.core.reading.onnx import onnx_model
from codesign.graph.ensemble import ML

__all__ = ("ModelKind", "kind_of_model")

ModelKind: TypeAlias = Literal["network", "trees"]


def kind_of_model(design: Design) -> ModelKind | None:
    """Trees alone, a network without any, or None: something of both."""
    domains = {node.domain for node in onnx_model(design.onnx).graph.node}
    if ML not in domains:
        return "network"
    return "trees" if domains == {ML} else None
