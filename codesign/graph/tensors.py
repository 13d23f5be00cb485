"""Constant tensors of an ONNX file as exact float64 arrays; what is no finite number is refused by its name."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx

from codesign.core.errors import UnsupportedError
from codesign.graph.domain import Array

__all__ = ("Stored", "constant_of", "tensor_of")

#: elements of one constant
MOST_ELEMENTS = 1 << 26


@dataclass(frozen=True)
class Stored:
    """A constant: its exact values, and the type in which the file holds them."""

    values: Array
    kind: np.dtype[Any]


def _check(values: Any, name: str) -> Stored:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise UnsupportedError(f"tensor '{name}': {array.dtype} is no number; constants must be numbers")
    with np.errstate(invalid="ignore"):
        exact = array.astype(np.float64)
    if not np.isfinite(exact).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(exact))[0])
        raise UnsupportedError(f"tensor '{name}': {exact[place]} at {list(place)} is no finite number; train it again")
    if array.dtype.kind in "iu" and (np.abs(exact) > 2.0**53).any():
        exact = np.clip(exact, -(2.0**62), 2.0**62)  # the "to the end" of Slice
    return Stored(exact, array.dtype)


def tensor_of(tensor: onnx.TensorProto, name: str = "") -> Stored:
    """A tensor of the file; UnsupportedError for text, complex numbers, data in another file, or damage."""
    name = name or tensor.name
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise UnsupportedError(
            f"tensor '{name}': its data are in another file, which is not opened; save the model as one file "
            "(onnx.save with save_as_external_data=False)"
        )
    if tensor.data_type in (onnx.TensorProto.STRING, onnx.TensorProto.UNDEFINED):
        raise UnsupportedError(f"tensor '{name}': text is no number; constants must be numbers")
    if any(d < 0 for d in tensor.dims) or prod(tensor.dims) > MOST_ELEMENTS:
        raise UnsupportedError(f"tensor '{name}': shape {list(tensor.dims)} is too large for a network in firmware")
    try:
        values = onnx.numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
        raise UnsupportedError(f"tensor '{name}': damaged ({' '.join(str(error).split())[:120]})") from None
    return _check(values, name)


def constant_of(node: onnx.NodeProto, name: str) -> Stored:
    """The tensor of a Constant node, in each of the forms that ONNX gives it."""
    if len(node.attribute) != 1:
        raise UnsupportedError(f"{name}: a Constant with {len(node.attribute)} attributes instead of one value")
    attribute = node.attribute[0]
    match attribute.name:
        case "value":
            return tensor_of(attribute.t, node.output[0])
        case "value_float" | "value_floats":
            value = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            return _check(np.asarray(value, dtype=np.float32), node.output[0])
        case "value_int" | "value_ints":
            value = attribute.i if attribute.name == "value_int" else list(attribute.ints)
            return _check(np.asarray(value, dtype=np.int64), node.output[0])
        case "sparse_value":
            return _dense(attribute.sparse_tensor, node.output[0])
    raise UnsupportedError(f"{name}: a Constant as '{attribute.name}' is no number; constants must be numbers")


def _dense(sparse: onnx.SparseTensorProto, name: str) -> Stored:
    if any(d < 0 for d in sparse.dims) or prod(sparse.dims) > MOST_ELEMENTS:
        raise UnsupportedError(f"tensor '{name}': shape {list(sparse.dims)} is too large for a network in firmware")
    values, indices = tensor_of(sparse.values, name), tensor_of(sparse.indices, name)
    whole = np.zeros(tuple(sparse.dims))
    where = indices.values.astype(np.int64)
    try:
        if where.ndim == 1:
            whole.reshape(-1)[where] = values.values
        else:
            whole[tuple(where.T)] = values.values
    except (IndexError, ValueError):
        raise UnsupportedError(f"tensor '{name}': its sparse indices do not fit its shape") from None
    return Stored(whole, values.kind)
