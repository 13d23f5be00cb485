"""What is done to an ONNX graph on its way to a design: each function changes the model it is given, and says what."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from codesign.graph.nodes import QONNX, STANDARD
from codesign.importing.import_report import Change

__all__ = ("attribute", "consumers", "cut_ends", "drop_defaults", "name_domains", "node_name", "open_events", "prune")

#: names that QONNX' domain has had, and Brevitas' own, which leaves it out
_ALIASES = ("onnx.brevitas", "finn.custom_op.general", "brevitas", STANDARD)
_QONNX_OPERATORS = ("Quant", "IntQuant", "BipolarQuant", "Trunc", "MultiThreshold")
#: what keeps the order of its inputs: of the largest, and of each pair that it sees together
_ORDERED = ("Softmax", "LogSoftmax", "Sigmoid", "ArgMax", "TopK")


#: of a quantiser behind what is cut
_ROUNDED = "the quantiser behind a last {} is left out with it: it can only make scores equal that were not"


def drop_defaults(model: onnx.ModelProto) -> None:
    """Leave out inputs that have a value in the file, as older ones list their constants: they stay constants."""
    given = {t.name for t in model.graph.initializer} | {s.values.name for s in model.graph.sparse_initializer}
    kept = [i for i in model.graph.input if i.name not in given]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def name_domains(model: onnx.ModelProto) -> None:
    """Give QONNX' operators the domain that they have today; an operator of any other domain keeps its own."""
    versions = {o.domain: o.version for o in model.opset_import}
    found = [n for n in model.graph.node if n.op_type in _QONNX_OPERATORS and n.domain in (*_ALIASES, QONNX)]
    version = max((versions[n.domain] for n in found if n.domain != STANDARD and n.domain in versions), default=1)
    for node in found:
        node.domain = QONNX
    kept = [o for o in model.opset_import if o.domain not in (*_ALIASES[:-1], QONNX)]
    del model.opset_import[:]
    model.opset_import.extend(kept)
    if found:
        model.opset_import.append(helper.make_opsetid(QONNX, version))


def producers(model: onnx.ModelProto) -> dict[str, onnx.NodeProto]:
    """By tensor, the node that makes it."""
    return {name: node for node in model.graph.node for name in node.output if name}


def node_name(node: onnx.NodeProto) -> str:
    """What a node is called in messages."""
    return node.name or f"{node.op_type} of '{node.output[0]}'"


def cut_ends(model: onnx.ModelProto) -> list[Change]:
    """Leave out what ends an output without changing an order: Softmax, Sigmoid, ArgMax, TopK. The scores come out."""
    made, single, changes = producers(model), _single(model), []
    names: list[str] = []
    for output in model.graph.output:
        name = output.name
        while (node := made.get(name)) is not None:
            if (behind := _behind_quantisers(node, made, single)) is not None and _cut(behind) is not None:
                changes.append(Change(what="cut", where=node_name(node), how=_ROUNDED.format(behind.op_type)))
                node = behind
            if node.op_type in ("Identity", "Cast") and node.domain in (STANDARD, "ai.onnx"):
                name = node.input[0]
            elif (how := _cut(node)) is not None:
                changes.append(Change(what="cut", where=node_name(node), how=how))
                name = node.input[0]
            else:
                break
        names.append(name)
    names = list(dict.fromkeys(names))
    if names != [o.name for o in model.graph.output]:
        _set_outputs(model, names)
    return list(dict.fromkeys(changes))


def _behind_quantisers(
    node: onnx.NodeProto, made: Mapping[str, onnx.NodeProto], single: Collection[str]
) -> onnx.NodeProto | None:
    """What last quantisers round that have one scale for all outputs (of ``single``, tensors of one number)."""
    found: onnx.NodeProto | None = node
    while found is not None and (
        (found.op_type in ("QuantizeLinear", "DequantizeLinear") and found.domain in (STANDARD, "ai.onnx"))
        or (found.op_type in ("Quant", "IntQuant") and found.domain == QONNX)
    ):
        if not all(i in single for i in found.input[1:] if i):
            return None
        found = made.get(found.input[0])
    return None if found is node else found


def _single(model: onnx.ModelProto) -> set[str]:
    """Constants of one number."""
    found = {t.name for t in model.graph.initializer if prod(t.dims) == 1}
    for node in model.graph.node:
        if node.op_type == "Constant" and len(node.attribute) == 1:
            (given,) = node.attribute
            if given.name in ("value_float", "value_int") or (given.name == "value" and prod(given.t.dims) == 1):
                found.add(node.output[0])
    return found


def _cut(node: onnx.NodeProto) -> str | None:
    """Why this node may be left out at the end; None where it may not."""
    if node.op_type not in _ORDERED or node.domain not in (STANDARD, "ai.onnx"):
        return None
    axis = next((a.i for a in node.attribute if a.name == "axis"), {"ArgMax": 0, "TopK": -1}.get(node.op_type, 1))
    if node.op_type != "Sigmoid" and axis == 0:
        return None  # it would compare events
    if node.op_type == "Sigmoid":
        return "a last Sigmoid is left out: it rises, so that the order stays, and 0.5 is 0"
    if node.op_type in ("ArgMax", "TopK"):
        largest = next((a.i for a in node.attribute if a.name == "largest"), 1)
        which = "largest" if largest else "smallest"
        return f"a last {node.op_type} is left out: the scores come out, of which the {which} are chosen after it"
    return f"a last {node.op_type} is left out: the order of the scores stays"


def _set_outputs(model: onnx.ModelProto, names: list[str]) -> None:
    infos = {v.name: v for v in (*model.graph.value_info, *model.graph.output)}
    ports = []
    for name in names:
        port = onnx.ValueInfoProto()
        if name in infos:
            port.CopyFrom(infos[name])
        else:
            port.CopyFrom(helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        ports.append(port)
    del model.graph.output[:]
    model.graph.output.extend(ports)
    prune(model)


def prune(model: onnx.ModelProto) -> None:
    """Remove nodes and tensors that no output depends on; inputs stay."""
    made = producers(model)
    needed: set[str] = set()
    waiting = [o.name for o in model.graph.output]
    while waiting:
        name = waiting.pop()
        if name in needed:
            continue
        needed.add(name)
        if name in made:
            waiting.extend(i for i in made[name].input if i)
    nodes = [n for n in model.graph.node if needed.intersection(n.output)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for kind in ("initializer", "value_info"):
        container = getattr(model.graph, kind)
        kept = [t for t in container if t.name in needed]
        del container[:]
        container.extend(kept)


def open_events(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> list[Change]:
    """Let the graph take any number of events, where it was exported for one.

    ``shapes``: of every tensor, with 1 for the events. A Reshape whose shape was computed, or that names the number of
    events, gets a constant one.
    """
    changes = []
    made = producers(model)
    given = {t.name for t in model.graph.initializer}
    for port in model.graph.input:
        if port.name not in given and port.type.tensor_type.shape.dim:
            port.type.tensor_type.shape.dim[0].Clear()
            port.type.tensor_type.shape.dim[0].dim_param = "events"
    for index, node in enumerate(model.graph.node):
        if node.op_type != "Reshape" or node.domain not in (STANDARD, "ai.onnx") or node.output[0] not in shapes:
            continue
        if node.input[0] in given:  # a weight
            continue
        name = f"codesign_shape_{index}"
        target = np.array([0, *shapes[node.output[0]][1:]], dtype=np.int64)
        computed = node.input[1] if len(node.input) > 1 and node.input[1] in made else None
        model.graph.initializer.append(numpy_helper.from_array(target, name))
        if computed is not None and made[computed].op_type != "Constant":
            changes.append(
                Change(what="folded", where=node_name(node), how=f"its shape, computed as '{computed}', is constant")
            )
        del node.input[1:]
        node.input.append(name)
        for attribute in [a for a in node.attribute if a.name in ("allowzero", "shape")]:
            node.attribute.remove(attribute)
    for port in model.graph.output:
        shape = shapes.get(port.name)
        if shape is not None:
            kind = port.type.tensor_type.elem_type or onnx.TensorProto.FLOAT
            port.CopyFrom(helper.make_tensor_value_info(port.name, kind, ["events", *shape[1:]]))
    del model.graph.value_info[:]
    prune(model)
    return changes


def consumers(model: onnx.ModelProto, tensor: str) -> Iterator[onnx.NodeProto]:
    """The nodes that take a tensor."""
    return (n for n in model.graph.node if tensor in n.input)


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    """A node's attribute, or its default."""
    for found in node.attribute:
        if found.name == name:
            value = helper.get_attribute_value(found)
            return value.decode(errors="replace") if isinstance(value, bytes) else value
    return default
