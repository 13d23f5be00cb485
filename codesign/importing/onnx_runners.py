"""An ONNX file's own execution: by onnxruntime, by QONNX' executor, and once more in float64.

Only files that the reader took are run: one flat graph of bounded size, of operators that are known by name.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codesign.core.errors import InputError
from codesign.graph.nodes import CHANNELS_LAST, QONNX
from codesign.importing.channels_first import channels_first
from codesign.importing.onnx_operators import qonnx_operators

__all__ = ("Run", "constants_of", "float64_runner", "runners_of")

#: the inputs (events, ...) in the order of the graph to its outputs (events, ...)
Run: TypeAlias = Callable[[list[NDArray[np.float64]]], list[NDArray[np.float64]]]
#: rows that are run one by one, and must come out as they do all together
_ALONE = 4


def runners_of(model: onnx.ModelProto) -> dict[str, Run]:
    """By name and version, what runs this file as its makers do; ONNX' reference where QONNX' executor cannot."""
    if not any(n.domain in (QONNX, CHANNELS_LAST) for n in model.graph.node):
        return {f"onnxruntime {version('onnxruntime')}": _by_events(_onnxruntime, model, _onnxruntime)}
    model, reference = channels_first(model), partial(_reference, kind=np.float32)
    if _executes(model):
        return {f"qonnx {version('qonnx')}": _by_events(_qonnx, model, reference)}
    return {f"onnx-reference {version('onnx')}": _by_events(reference, model, reference)}


def float64_runner(model: onnx.ModelProto) -> Run:
    """The file in float64: ONNX' reference implementation, and QONNX' own functions."""
    return _by_events(_float64, channels_first(model), _float64)


def _executes(model: onnx.ModelProto) -> bool:
    """Whether QONNX' executor takes this file: not all that QONNX says, such as a width for each element."""
    batch = _batch(model) or 1
    one = _for(model, batch)
    given = {t.name for t in one.graph.initializer}
    shapes = [[d.dim_value for d in p.type.tensor_type.shape.dim] for p in one.graph.input if p.name not in given]
    try:
        _qonnx(one)([np.zeros(shape) for shape in shapes])
    except Exception:  # of any kind
        return False
    return True


def _batch(model: onnx.ModelProto) -> int | None:
    """The number of events that the file was exported for; None where it is open."""
    given = {t.name for t in model.graph.initializer}
    dims = [d for i in model.graph.input if i.name not in given for d in i.type.tensor_type.shape.dim[:1]]
    return max((d.dim_value for d in dims if d.HasField("dim_value") and d.dim_value > 0), default=None)


def _by_events(
    prepare: Callable[[onnx.ModelProto], Run], model: onnx.ModelProto, quick: Callable[[onnx.ModelProto], Run]
) -> Run:
    """Run all events at once where that gives the same as one by one; else one by one.

    A file of batch 1 may reshape its first axis: then only single events mean what its maker meant. ``quick``: what
    runs many of them in short time, and must give the same on the first ones. A file of a larger batch that does not
    take another number of events is run on as many as it names. InputError where nothing runs it.
    """
    batch = _batch(model)
    fixed = batch == 1

    def run(inputs: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        events = len(inputs[0])
        alone: list[list[NDArray[np.float64]]] = []
        try:
            if fixed and events:
                one = prepare(_for(model, 1))
                alone = [one([x[i : i + 1] for x in inputs]) for i in range(min(_ALONE, events))]
            together = prepare(_for(model, events))(inputs)
            if all(len(t) == events for t in together) and _same(alone, together):
                return together
        except Exception:  # noqa: S110, of any kind: whoever runs it finds shapes that are meant for one event
            pass
        try:
            if batch is not None and batch > 1:
                return _in_batches(prepare(_for(model, batch)), inputs, batch)
            one = quick(_for(model, 1))
            rows = [one([x[i : i + 1] for x in inputs]) for i in range(events)]
            whole = [np.concatenate([np.atleast_1d(row[k])[None] for row in rows]) for k in range(len(rows[0]))]
            if all(
                _alike(w[i], np.atleast_1d(a)) for i, row in enumerate(alone) for w, a in zip(whole, row, strict=True)
            ):
                return whole
            one = prepare(_for(model, 1))  # its sums round another way, and a quantiser made more of it
            rows = [one([x[i : i + 1] for x in inputs]) for i in range(events)]
            return [np.concatenate([np.atleast_1d(row[k]) for row in rows]) for k in range(len(rows[0]))]
        except InputError:
            raise
        except Exception as error:  # of any kind
            said = " ".join(str(error).split())[:200]
            raise InputError(f"nothing here runs this file, so that it cannot be compared ({said})") from None

    return run


def _in_batches(run: Run, inputs: list[NDArray[np.float64]], batch: int) -> list[NDArray[np.float64]]:
    """``batch`` events at a time, the last ones filled up with copies of the last."""
    events = len(inputs[0])
    places = np.minimum(np.arange(-(-events // batch) * batch), events - 1).reshape(-1, batch)
    found = [run([x[place] for x in inputs]) for place in places]
    for head in found[0]:
        if not len(head.shape) or len(head) != batch:
            raise ValueError(f"{batch} events give an output of shape {list(head.shape)}")
    return [np.concatenate([part[k] for part in found])[:events] for k in range(len(found[0]))]


def _same(alone: list[list[NDArray[np.float64]]], together: list[NDArray[np.float64]]) -> bool:
    """Whether the first events come out alone as they do together."""
    return all(_alike(t[i : i + 1], a) for i, row in enumerate(alone) for t, a in zip(together, row, strict=True))


def _alike(found: NDArray[np.float64], alone: NDArray[np.float64]) -> bool:
    """Whether two runs of one event differ by what sums of float32 in another order do, at most.

    It tells a file that means something else of many events from one that means the same; what comes out is compared
    with the design without any tolerance.
    """
    if found.shape != alone.shape:
        found = found.reshape(alone.shape) if found.size == alone.size else np.full(alone.shape, np.nan)
    most = np.abs(alone[np.isfinite(alone)]).max(initial=0.0)
    return bool(np.allclose(found, alone, rtol=1e-5, atol=1e-5 * most, equal_nan=True))


def _for(model: onnx.ModelProto, events: int) -> onnx.ModelProto:
    """The model for so many events; what it says of the shapes in between is forgotten."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    del copy.graph.quantization_annotation[:]
    given = {t.name for t in copy.graph.initializer}
    for port in copy.graph.input:
        if port.name not in given and port.type.tensor_type.shape.dim:
            port.type.tensor_type.shape.dim[0].Clear()
            port.type.tensor_type.shape.dim[0].dim_value = events
    for port in copy.graph.output:
        port.type.tensor_type.ClearField("shape")
    return copy


def _feeds(model: onnx.ModelProto, inputs: Iterable[NDArray[Any]], kind: type[Any] | None = None) -> dict[str, Any]:
    given = {t.name for t in model.graph.initializer}
    ports = [i for i in model.graph.input if i.name not in given]
    kinds = [kind or helper.tensor_dtype_to_np_dtype(p.type.tensor_type.elem_type) for p in ports]
    return {p.name: x.astype(k) for p, x, k in zip(ports, inputs, kinds, strict=True)}


def _onnxruntime(model: onnx.ModelProto) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # its fusions round otherwise than the operators that the file names
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors are of many types
        said = " ".join(str(error).split())[:200]
        raise InputError(f"onnxruntime does not run this file, so nothing could be compared with it ({said})") from None

    def run(inputs: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        return [np.asarray(y, dtype=np.float64) for y in session.run(None, _feeds(model, inputs))]

    return run


def _qonnx(model: onnx.ModelProto) -> Run:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    def run(inputs: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrapped = ModelWrapper(model).transform(InferShapes(), make_deepcopy=True, cleanup=False)
            found = execute_onnx(wrapped, _feeds(model, inputs))
        return [np.asarray(found[o.name], dtype=np.float64) for o in model.graph.output]

    return run


# ------------------------------------------------------------------------------------------------------------- float64
def _float64(model: onnx.ModelProto) -> Run:
    return _reference(_in_float64(model), np.float64)


def _in_float64(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with every float32 tensor in float64."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        _double(tensor)
    for node in copy.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                _double(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
            elif node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
                numbers = np.asarray(
                    attribute.f if attribute.name == "value_float" else list(attribute.floats), dtype=np.float64
                )
                attribute.CopyFrom(helper.make_attribute("value", numpy_helper.from_array(numbers)))
    for port in (*copy.graph.input, *copy.graph.output):
        if port.type.tensor_type.elem_type == TensorProto.FLOAT:
            port.type.tensor_type.elem_type = TensorProto.DOUBLE
    return copy


def _double(tensor: TensorProto) -> None:
    if tensor.data_type == TensorProto.FLOAT:
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float64), tensor.name))


def _reference(model: onnx.ModelProto, kind: type[Any]) -> Run:
    from onnx.reference import ReferenceEvaluator

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if not any(o.domain == QONNX for o in copy.opset_import):
        copy.opset_import.append(helper.make_opsetid(QONNX, 1))
    for opset in copy.opset_import:
        if opset.domain == QONNX:
            opset.version = 1
    evaluator = ReferenceEvaluator(copy, new_ops=qonnx_operators())

    def run(inputs: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
        with np.errstate(all="ignore"):
            return [np.asarray(y, dtype=np.float64) for y in evaluator.run(None, _feeds(model, inputs, kind))]

    return run


def constants_of(model: onnx.ModelProto) -> dict[str, NDArray[np.float64]]:
    """Every tensor that does not depend on the inputs, in float64; those of the file alone where they cannot be run."""
    doubled = _in_float64(model)
    found = {t.name: numpy_helper.to_array(t) for t in doubled.graph.initializer if t.data_type != TensorProto.STRING}
    known, nodes = set(found), []
    for node in doubled.graph.node:
        if all(name in known for name in node.input if name):
            nodes.append(node)
            known.update(o for o in node.output if o)
    wanted = [o for n in nodes for o in n.output if o]
    if wanted:
        outputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in wanted]
        graph = helper.make_graph(nodes, "constants", [], outputs, doubled.graph.initializer)
        alone = helper.make_model(graph, opset_imports=doubled.opset_import, ir_version=doubled.ir_version)
        with contextlib.suppress(Exception):  # of any kind: the reader says what is wrong with it
            for name, value in zip(wanted, _reference(alone, np.float64)([]), strict=True):
                found[name] = value
    return {name: np.asarray(v, dtype=np.float64) for name, v in found.items()}
