"""QONNX' clean-up of an exported graph, to the same graph, in a fraction of its time.

:func:`qonnx.util.cleanup.cleanup_model` folds one constant at a time: for each it copies the model, infers every shape
anew and starts a session of onnxruntime; then it renames tensors one by one, each in a pass over the graph. Here the
constants that the exporter writes are folded in one pass and the tensors renamed in another. What is left to fold, and
all else, is done by QONNX' own transformations. ``tests/graph/test_clean.py`` compares the bytes.
"""

from __future__ import annotations

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.quant_constant_folding import FoldTransposeIntoQuantInit

from codesign.graph.nodes import CODESIGN
from codesign.graph.table_shapes import know_own_operators

__all__ = ("clean_model",)

_DOMAIN = "qonnx.custom_op.general"
#: of these, Brevitas leaves the domain out; those that stay although all they take is constant
_QONNX, _KEPT = (
    ("Quant", "Trunc", "BipolarQuant"),
    ["Quant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear", "FixedPoint"],
)


def clean_model(exported: ModelProto) -> ModelProto:
    """The clean graph of an exporter's, which is changed on the way."""
    for node in exported.graph.node:
        if node.op_type in _QONNX:
            node.domain = _DOMAIN
    if any(node.domain == CODESIGN for node in exported.graph.node):
        know_own_operators()
    model = ModelWrapper(exported).transform(InferShapes(), make_deepcopy=False)
    _fold_constant_nodes(model)
    left = [n for n in model.graph.node if n.op_type not in _KEPT]
    given = {i.name for i in model.graph.initializer}
    if any(given.issuperset(n.input) for n in left):
        model = model.transform(FoldConstants(exclude_op_types=_KEPT), make_deepcopy=False)
    if any(n.op_type == "Transpose" for n in left):
        model = model.transform(FoldTransposeIntoQuantInit(), make_deepcopy=False)
    model = model.transform(GiveUniqueNodeNames(), make_deepcopy=False)
    _name_readably(model.graph)
    return model.model


def _fold_constant_nodes(model: ModelWrapper) -> None:
    """Turn Constant nodes into initialisers, one for each place that takes it, as QONNX wants parameters to be."""
    graph = model.graph
    uses: dict[str, list[tuple[NodeProto, int]]] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            uses.setdefault(name, []).append((node, place))
    outputs = {o.name for o in graph.output}
    folded = [n for n in graph.node if _is_value(n) and n.output[0] not in outputs]
    infos = {i.name: i for i in graph.value_info}
    for number, node in enumerate(folded):
        name, tensor = node.output[0], node.attribute[0].t
        graph.value_info.remove(infos[name])
        for copy, (user, place) in enumerate(uses.get(name, ())):
            own = name if copy == 0 else f"folded_{number}_{copy}"
            user.input[place] = own
            given = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), own)
            graph.initializer.append(given)
            graph.value_info.append(_info(given))
            if copy:
                model.set_tensor_datatype(own, model.get_tensor_datatype(name))
        graph.node.remove(node)


def _is_value(node: NodeProto) -> bool:
    return node.op_type == "Constant" and [a.name for a in node.attribute] == ["value"]


def _info(tensor: TensorProto) -> ValueInfoProto:
    return onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))


def _name_readably(graph: GraphProto) -> None:
    """Name tensors after the node that makes or takes them, as QONNX' ``GiveReadableTensorNames`` does."""
    given = {i.name for i in graph.initializer}
    names: dict[str, str] = {}
    for node in graph.node:
        names |= {name: f"{node.name}_out{place}" for place, name in enumerate(node.output)}
        parameters = [name for name in node.input if name in given]
        names |= {name: f"{node.name}_param{place}" for place, name in enumerate(parameters)}
    for what, ports in (("global_in", graph.input), ("global_out", graph.output)):
        names |= {port.name: f"{what}_{place}" if place else what for place, port in enumerate(ports)}
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    for container in (graph.input, graph.output, graph.value_info, graph.initializer):
        for tensor in container:
            tensor.name = names.get(tensor.name, tensor.name)
    for annotation in graph.quantization_annotation:
        annotation.tensor_name = names.get(annotation.tensor_name, annotation.tensor_name)
