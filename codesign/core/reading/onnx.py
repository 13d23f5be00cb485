"""ONNX models in bounds: their structure is checked before anything walks, folds or runs them.

A parsed model has no depth (protobuf bounds it, and a graph within a node is refused), keeps its tensors in itself, and
its tensors, the computed ones too, are of a known and bounded size. Only such a model is given to onnxruntime.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import onnx
from google.protobuf.message import DecodeError, Message
from onnx import AttributeProto, ModelProto, NodeProto, SparseTensorProto, TensorProto, helper

from codesign.core.errors import InputError
from codesign.core.reading.functions import inline
from codesign.core.reading.limits import GRAPH_NODES, GRAPH_PRODUCTS, GRAPH_VALUES, MODEL_BYTES

__all__ = ("STANDARD", "onnx_model", "standard_model")

#: what bundles' standard ONNX is made of: no loop, no function, nothing drawn, read or written
STANDARD = frozenset(
    {
        "Abs", "Add", "Cast", "Ceil", "Clip", "Concat", "Constant", "Div", "Flatten", "Floor", "Gather", "Gemm",
        "Greater", "GreaterOrEqual", "Identity", "MatMul", "Max", "Min", "Mul", "ReduceMax", "ReduceSum", "Relu",
        "Reshape", "Round", "Sign", "Sub", "Transpose", "Where",
    }
)  # fmt: skip
#: of QONNX, for the sizes only: their outputs are as large as their operands together
_LIKE_SUM = ("FixedPoint", "Quant", "IntQuant", "BipolarQuant", "Trunc")
#: of QONNX and of ours, likewise: as large as their first operand
_LIKE_FIRST = ("MultiThreshold", "Table")
_PLAIN = (
    AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.STRING, AttributeProto.TENSOR, AttributeProto.FLOATS,
    AttributeProto.INTS, AttributeProto.STRINGS, AttributeProto.SPARSE_TENSOR,
)  # fmt: skip
#: bytes of an element, and where they lie if not in ``raw_data``, with the values that one element takes there
_ELEMENTS = {
    TensorProto.FLOAT: (4, "float_data"),
    TensorProto.DOUBLE: (8, "double_data"),
    TensorProto.INT8: (1, "int32_data"),
    TensorProto.INT16: (2, "int32_data"),
    TensorProto.INT32: (4, "int32_data"),
    TensorProto.INT64: (8, "int64_data"),
    TensorProto.UINT8: (1, "int32_data"),
    TensorProto.UINT16: (2, "int32_data"),
    TensorProto.UINT32: (4, "uint64_data"),
    TensorProto.UINT64: (8, "uint64_data"),
    TensorProto.BOOL: (1, "int32_data"),
    TensorProto.FLOAT16: (2, "int32_data"),
    TensorProto.BFLOAT16: (2, "int32_data"),
}
_OPSET = 17


def onnx_model(content: bytes, source: str = "the ONNX model", *, functions: bool = False) -> ModelProto:
    """Parse a model, and check that it is one flat graph that holds all of its own tensors, of bounded size.

    With ``functions``, those that the file brings along are written out; without, they are refused.
    InputError: no ONNX, a graph or function within a node, tensors in other files, a tensor that announces more than it
    holds, more nodes, tensors or products than there may be. Which operators there are is the caller's to check.
    """
    if len(content) > MODEL_BYTES:
        raise InputError(f"{source}: has {len(content)} bytes, at most {MODEL_BYTES} are read")
    try:
        model = onnx.load_from_string(content)
        _must_be_text(model)
    except (DecodeError, ValueError, TypeError):
        raise InputError(f"{source}: not an ONNX file") from None
    graph = model.graph
    if len(graph.node) > GRAPH_NODES:
        raise InputError(f"{source}: a graph of {len(graph.node)} nodes, at most {GRAPH_NODES} are read")
    if functions and not model.training_info:
        model = inline(model, source)
        graph = model.graph
    if model.functions or model.training_info:
        raise InputError(f"{source}: has functions of its own, which are not read: export it with them inlined")
    if graph.sparse_initializer:
        raise InputError(f"{source}: has sparse tensors, which are not read: export it with dense ones")
    for tensor in graph.initializer:
        _check_tensor(tensor, source)
    for index, node in enumerate(graph.node):
        _check_node(node, f"{source}: {node.name or f'{node.op_type} number {index}'}")
    _check_sizes(model, source)
    return model


def standard_model(content: bytes, source: str, operators: Collection[str] = STANDARD) -> bytes:
    """The same, of these operators of standard ONNX alone: what may be given to onnxruntime. Returns ``content``.

    InputError names the first other operator, and a tensor whose size is not known before the model runs.
    """
    model = onnx_model(content, source)
    for index, node in enumerate(model.graph.node):
        where = f"{source}: {node.name or f'{node.op_type} number {index}'}"
        if node.domain not in ("", "ai.onnx") or node.op_type not in operators:
            raise InputError(f"{where}: operator '{node.op_type}' is none that codesign writes: not run")
    if extra := [o.domain for o in model.opset_import if o.domain not in ("", "ai.onnx")]:
        raise InputError(f"{source}: uses operators of '{extra[0]}', which codesign does not write: not run")
    inferred = _shapes(model, source)
    for node in model.graph.node:
        for name in node.output:
            if name and name not in inferred:
                raise InputError(
                    f"{source}: the size of '{name}' ({node.op_type}) is not known before it runs: not run"
                )
    return content


def _must_be_text(message: Message) -> None:
    """ValueError where a text in a message is no UTF-8: protobuf takes it, and gives bytes in its place."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for inner in (value,) if isinstance(value, Message) else value:
                _must_be_text(inner)
        elif field.type == field.TYPE_STRING:
            for text in (value,) if isinstance(value, str | bytes) else value:
                if isinstance(text, bytes):
                    raise ValueError("a text that is no UTF-8")


def _check_node(node: NodeProto, where: str) -> None:
    for attribute in node.attribute:
        if attribute.type not in _PLAIN or attribute.ref_attr_name or attribute.g.node or attribute.graphs:
            raise InputError(f"{where}: '{attribute.name}' is a graph within a node (a loop or a branch): not read")
        if attribute.type == AttributeProto.TENSOR:
            _check_tensor(attribute.t, where)
        if attribute.type == AttributeProto.SPARSE_TENSOR:
            _check_sparse(attribute.sparse_tensor, where)


def _check_tensor(tensor: TensorProto, source: str) -> None:
    where = f"{source}: tensor '{tensor.name}'"
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise InputError(f"{where} lies in another file, which is not opened: save the model with its tensors inside")
    if tensor.data_type not in _ELEMENTS:
        raise InputError(f"{where} holds neither numbers nor bits")
    width, field = _ELEMENTS[tensor.data_type]
    if any(d < 0 for d in tensor.dims) or len(tensor.dims) > 16:
        raise InputError(f"{where} has the shape {list(tensor.dims)[:17]}")
    elements = math.prod(tensor.dims)
    here = len(tensor.raw_data) / width if tensor.HasField("raw_data") else len(getattr(tensor, field))
    if here != elements:
        raise InputError(f"{where} announces {elements} numbers and holds {here:g}: the file is damaged")


def _check_sparse(tensor: SparseTensorProto, where: str) -> None:
    if any(d < 0 for d in tensor.dims) or math.prod(tensor.dims) > GRAPH_VALUES:
        raise InputError(f"{where}: a sparse tensor of shape {list(tensor.dims)[:17]}")
    _check_tensor(tensor.values, where)
    _check_tensor(tensor.indices, where)


def _check_sizes(model: ModelProto, source: str) -> None:
    """Refuse a graph whose small tensors are blown up by broadcasting, as far as their sizes are known here."""
    shapes = _shapes(model, source)
    values = sum(math.prod(shape) for shape in shapes.values())
    if values > GRAPH_VALUES:
        raise InputError(f"{source}: its tensors have {values} elements for one event, at most {GRAPH_VALUES} are run")
    products = 0
    for node in model.graph.node:
        if node.op_type in ("MatMul", "Gemm") and len(node.output) == 1 and len(node.input) >= 2:
            first = shapes.get(node.input[0], (1,)) or (1,)
            transposed = any(a.name == "transA" and a.i for a in node.attribute)
            inner = first[0] if transposed else first[-1]
            products += inner * math.prod(shapes.get(node.output[0], (1,)))
    if products > GRAPH_PRODUCTS:
        raise InputError(f"{source}: takes {products} products for one event, at most {GRAPH_PRODUCTS} are run")


def _shapes(model: ModelProto, source: str) -> dict[str, tuple[int, ...]]:
    """The shapes of all tensors for one event, as far as ONNX can tell them."""
    graph = model.graph
    copy = ModelProto()
    copy.ir_version = model.ir_version or 8
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")] or [_OPSET]
    copy.opset_import.append(helper.make_opsetid("", versions[0]))
    copy.graph.name = "sizes"
    given = {tensor.name for tensor in graph.initializer}
    copy.graph.initializer.extend(graph.initializer)
    for value in graph.input:
        if value.name not in given:
            copy.graph.input.append(_one_event(value, source))
    copy.graph.output.extend(onnx.ValueInfoProto(name=value.name) for value in graph.output)
    for node in graph.node:
        copied = copy.graph.node.add()
        copied.CopyFrom(node)
        copied.domain = ""
        if node.op_type in _LIKE_SUM:
            del copied.attribute[:]
            copied.op_type = "Sum"
            operands = [name for name in node.input if name]
            del copied.input[:]
            copied.input.extend(operands)
        elif node.op_type in _LIKE_FIRST:
            del copied.attribute[:], copied.input[1:]
            copied.op_type = "Identity"
    try:
        inferred = onnx.shape_inference.infer_shapes(copy, check_type=False, strict_mode=False, data_prop=True)
    except Exception as error:  # onnx's own errors are of several types
        raise InputError(f"{source}: its shapes do not fit ({' '.join(str(error).split())[:200]})") from None
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output):
        if value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            known = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims)
            if all(d >= 0 for d in known[1:]):
                shapes[value.name] = tuple(abs(d) for d in known)
    return shapes


def _one_event(value: Any, source: str) -> Any:
    """A graph's input with one event; only its first axis may be of unknown length."""
    copied = onnx.ValueInfoProto()
    copied.CopyFrom(value)
    dims = copied.type.tensor_type.shape.dim
    if len(dims) > 16 or any(not d.HasField("dim_value") or d.dim_value < 0 for d in list(dims)[1:]):
        raise InputError(f"{source}: input '{value.name[:80]}' has an axis of unknown length beside that of the events")
    if dims:
        dims[0].ClearField("dim_param")
        dims[0].dim_value = 1
    return copied
