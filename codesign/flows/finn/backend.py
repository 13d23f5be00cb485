"""FINN's own part of the flow: integer layers to a dataflow graph, folded, estimated, executed, written as RTL.

Runs inside FINN's environment only (:mod:`codesign.flows.finn.finn_worker`); nothing else imports it.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("compile_layers", "execute", "graph_of", "load_finn")

Codes = NDArray[np.int64]
_DOMAIN = "finn.custom_op.fpgadataflow"


def load_finn() -> str:
    """Import FINN without Vivado's simulator; returns its version. It works in the folder ``$FINN_BUILD_DIR``."""
    from importlib.metadata import version

    import finn.xsi

    finn.xsi.SimEngine = None  # else FINN looks for Vivado's simulator, which is not needed here
    return version("finn-plus")


def _datatype(low: int, high: int, least: int = 2) -> Any:
    """FINN's narrowest integer type that holds ``low`` to ``high``, with at least ``least`` bits."""
    from qonnx.core.datatype import DataType

    if low >= 0:
        return DataType[f"UINT{max(least, int(high).bit_length())}"]
    bits = 1 + max(int(high).bit_length(), int(-low - 1).bit_length())
    return DataType[f"INT{max(least, bits)}"]


def graph_of(layers: list[dict[str, Any]], input_range: tuple[int, int]) -> Any:
    """Layers of integers as a graph in FINN's dialect: MatMul and MultiThreshold, every tensor with its type."""
    from onnx import TensorProto, helper
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.basic import qonnx_make_model

    nodes: list[Any] = []
    width = layers[0]["size"]
    inputs = helper.make_tensor_value_info("codes", TensorProto.FLOAT, [1, width])
    values, types, constants, current = [], {"codes": _datatype(*input_range)}, {}, "codes"
    for index, layer in enumerate(layers):
        name = f"layer{index}"
        if layer.get("weights") is not None:
            weights = layer["weights"]
            constants[f"{name}_weights"] = weights
            # at least two bits, and signed: what the RTL multiplier takes
            types[f"{name}_weights"] = _datatype(min(-1, int(weights.min())), int(weights.max()))
            nodes.append(helper.make_node("MatMul", [current, f"{name}_weights"], [f"{name}_sum"]))
            current, width = f"{name}_sum", weights.shape[1]
            values.append(helper.make_tensor_value_info(current, TensorProto.FLOAT, [1, width]))
            types[current] = _datatype(*layer["accumulator"])
        if layer.get("thresholds") is not None:
            thresholds, bottom = layer["thresholds"], int(layer["bottom"])
            constants[f"{name}_thresholds"] = thresholds
            types[f"{name}_thresholds"] = _datatype(int(thresholds.min()), int(thresholds.max()))
            if types[current].signed() and not types[f"{name}_thresholds"].signed():
                types[f"{name}_thresholds"] = _datatype(-1, int(thresholds.max()))
            kind = _datatype(bottom, bottom + thresholds.shape[1], 1)
            nodes.append(
                helper.make_node(
                    "MultiThreshold",
                    [current, f"{name}_thresholds"],
                    [f"{name}_codes"],
                    domain="qonnx.custom_op.general",
                    out_dtype=kind.name,
                    out_bias=float(bottom),
                    out_scale=1.0,
                    data_layout="NC",
                )
            )
            current = f"{name}_codes"
            types[current] = kind
            values.append(helper.make_tensor_value_info(current, TensorProto.FLOAT, [1, width]))
    output = next(v for v in values if v.name == current)
    values.remove(output)
    graph = helper.make_graph(nodes, "codesign", [inputs], [output], value_info=values)
    model = ModelWrapper(qonnx_make_model(graph, producer_name="codesign"))
    for name, constant in constants.items():
        model.set_initializer(name, constant.astype(np.float32))
    for name, kind in types.items():
        model.set_tensor_datatype(name, kind)
        if not name.endswith(("_weights", "_thresholds")):
            model.set_tensor_layout(name, ["N", "C"])
    return model


def _dataflow(model: Any, part: str, target_cycles: int) -> Any:
    """Layers as FINN's hardware layers in their RTL variants, folded for ``target_cycles`` between two events."""
    from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
        InferQuantizedMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.thresholding import InferThresholdingLayer
    from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth
    from finn.transformation.fpgadataflow.minimize_weight_bit_width import MinimizeWeightBitWidth
    from finn.transformation.fpgadataflow.set_folding import SetFolding
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
    from qonnx.custom_op.registry import getCustomOp
    from qonnx.transformation.general import GiveUniqueNodeNames
    from qonnx.transformation.infer_datatypes import InferDataTypes

    model = model.transform(InferThresholdingLayer()).transform(InferQuantizedMatrixVectorActivation())
    strange = sorted({node.op_type for node in model.graph.node if node.domain != _DOMAIN})
    if strange:
        raise NotImplementedError(f"FINN has no hardware for {', '.join(strange)}")
    for node in model.graph.node:
        getCustomOp(node).set_nodeattr("preferred_impl_style", "rtl")
    model = model.transform(MinimizeAccumulatorWidth())
    _hold_a_product(model)
    model = model.transform(InferDataTypes())
    model = model.transform(RoundAndClipThresholds()).transform(InferDataTypes())
    model = model.transform(MinimizeWeightBitWidth())
    _sign_weights(model)
    model = model.transform(InferDataTypes())
    model = model.transform(SpecializeLayers(part)).transform(GiveUniqueNodeNames())
    high_level = [node.name for node in model.graph.node if not node.op_type.endswith("_rtl")]
    if high_level:
        raise NotImplementedError(f"FINN has no RTL, only C++ for Vitis HLS, for {', '.join(high_level)}")
    return model.transform(SetFolding(target_cycles, mvau_wwidth_max=10**6)).transform(GiveUniqueNodeNames())


def _sign_weights(model: Any) -> None:
    """Weights of a signed type of at least two bits: what the RTL multiplier takes, also where none is negative."""
    from qonnx.core.datatype import DataType
    from qonnx.custom_op.registry import getCustomOp

    for node in model.graph.node:
        if node.op_type.startswith("MVAU"):
            layer = getCustomOp(node)
            kind = layer.get_input_datatype(1)
            signed = f"INT{max(2, int(kind.bitwidth()) + int(not kind.signed()))}"
            layer.set_nodeattr("weightDataType", signed)
            model.set_tensor_datatype(node.input[1], DataType[signed])


def _hold_a_product(model: Any) -> None:
    """Accumulators as wide as one product of their operands' types, which the RTL demands whatever the weights are."""
    from qonnx.core.datatype import DataType
    from qonnx.custom_op.registry import getCustomOp

    for node in model.graph.node:
        if node.op_type.startswith("MVAU"):
            layer = getCustomOp(node)
            given, weights = layer.get_input_datatype(0), layer.get_input_datatype(1)
            least = int(given.bitwidth()) + int(weights.bitwidth()) - int(given.signed())
            if layer.get_accumulator_datatype().bitwidth() < least:
                layer.set_nodeattr("accDataType", f"INT{least}")
                layer.set_nodeattr("outputDataType", f"INT{least}")
                model.set_tensor_datatype(node.output[0], DataType[f"INT{least}"])


def _estimates(model: Any, part: str) -> dict[str, Any]:
    """FINN's own figures: cycles and resources of each layer, the slowest layer, and the sum of all cycles."""
    from finn.analysis.fpgadataflow.dataflow_performance import dataflow_performance
    from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
    from finn.analysis.fpgadataflow.res_estimation import res_estimation
    from finn.transformation.fpgadataflow.annotate_cycles import AnnotateCycles

    performance = model.transform(AnnotateCycles()).analysis(dataflow_performance)
    return {
        "cycles": model.analysis(exp_cycles_per_layer),
        "resources": {
            name: {key: float(value) for key, value in found.items()}
            for name, found in res_estimation(model, part).items()
        },
        "initiation_interval": int(performance["max_cycles"]),
        "latency_cycles": int(performance["critical_path_cycles"]),
    }


def _folding(model: Any) -> list[dict[str, Any]]:
    """How each layer was folded, and its types."""
    from qonnx.custom_op.registry import getCustomOp

    found = []
    for node in model.graph.node:
        layer = getCustomOp(node)
        entry: dict[str, Any] = {"name": node.name, "kind": node.op_type, "PE": int(layer.get_nodeattr("PE"))}
        entry["bits"] = int(layer.get_output_datatype().bitwidth())
        if node.op_type == "MVAU_rtl":
            weights = model.get_initializer(node.input[1])
            kind = layer.get_input_datatype(1)
            entry |= {
                "SIMD": int(layer.get_nodeattr("SIMD")),
                "weight_bits": int(kind.bitwidth()),
                "activation_bits": int(layer.get_input_datatype(0).bitwidth()),
                # as FINN's code generation decides it: one value less lets more products into one DSP
                "narrow": bool(weights.min() != kind.min()),
            }
        found.append(entry)
    return found


def execute(model: Any, integers: Codes) -> Codes:
    """Run integers (events, n) through FINN's own execution of its hardware layers, all events at once."""
    from copy import deepcopy

    from finn.core.onnx_exec import execute_onnx
    from finn.transformation.fpgadataflow.set_exec_mode import SetExecMode
    from qonnx.custom_op.registry import getCustomOp

    model = deepcopy(model).transform(SetExecMode("cppsim"))
    names = [model.graph.input[0].name]
    for node in model.graph.node:
        getCustomOp(node).set_nodeattr("numInputVectors", [len(integers)])
        names.append(node.output[0])
    for name in names:
        model.set_tensor_shape(name, [len(integers), model.get_tensor_shape(name)[1]])
    found = execute_onnx(model, {names[0]: integers.astype(np.float32)})[names[-1]]
    result = np.rint(found).astype(np.int64)
    if not np.array_equal(result, found):
        raise ValueError("FINN's execution gave values that are no integers")
    return np.asarray(result)


def _write_rtl(model: Any, part: str, clock_ns: float, folder: Path) -> list[dict[str, Any]]:
    """Width converters and FIFOs put in, and the RTL of every layer written into ``folder``; what to instantiate.

    A FIFO holds one event, whole: without Vivado FINN cannot size them by simulation, and no chain needs more.
    """
    from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
    from finn.transformation.fpgadataflow.insert_fifo import InsertFIFO
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from finn.util.settings import get_settings
    from qonnx.custom_op.registry import getCustomOp
    from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames

    model = model.transform(InsertDWC()).transform(SpecializeLayers(part)).transform(GiveUniqueNodeNames())
    for node in model.graph.node:
        layer = getCustomOp(node)
        layer.set_nodeattr("outFIFODepths", [max(2, int(np.prod(layer.get_folded_output_shape()[:-1])))])
        depths = list(layer.get_nodeattr("inFIFODepths"))
        depths[0] = max(2, int(np.prod(layer.get_folded_input_shape()[:-1])))
        layer.set_nodeattr("inFIFODepths", depths)
    first, last = getCustomOp(model.graph.node[0]), getCustomOp(model.graph.node[-1])
    first.set_nodeattr("inFIFODepths", [2, *list(first.get_nodeattr("inFIFODepths"))[1:]])
    last.set_nodeattr("outFIFODepths", [2])
    model = model.transform(InsertFIFO(create_shallow_fifos=True)).transform(SpecializeLayers(part))
    model = model.transform(GiveUniqueNodeNames()).transform(GiveReadableTensorNames())
    model = model.transform(PrepareIP(part, clock_ns))
    folder.mkdir(parents=True, exist_ok=True)
    library = Path(get_settings().finn_rtllib)
    shared: set[Path] = set()
    modules = []
    for node in model.graph.node:
        layer = getCustomOp(node)
        made = Path(layer.get_nodeattr("code_gen_dir_ipgen"))
        kind = node.op_type.removesuffix("_rtl")
        entry: dict[str, Any] = {
            "name": node.name,
            "kind": kind,
            "module": layer.get_nodeattr("gen_top_module"),
            "input_bits": int(layer.get_instream_width_padded()),
            "output_bits": int(layer.get_outstream_width_padded()),
            "sources": [],
            "data": [],
        }
        for name in layer.get_rtl_file_list(abspath=True):
            path = Path(name)
            # FINN's gauge for sizing FIFOs, the inner product of another family, and the bus that rewrites parameters
            if path.is_relative_to(library):
                shared.add(path)
            else:
                entry["sources"].append(path.name)
                shutil.copyfile(path, folder / path.name)
        if kind == "MVAU":
            wrapper = next(made.glob("*_memstream_wrapper.v"))
            memory = f"{node.name}_weights.dat"
            text = wrapper.read_text(encoding="utf-8").replace(str(made / "memblock.dat"), memory)
            (folder / wrapper.name).write_text(text, encoding="utf-8")
            shutil.copyfile(made / "memblock.dat", folder / memory)
            shared |= {library / "memstream/hdl/memstream.sv", library / "memstream/hdl/memstream_axi.sv"}
            shared.add(library / "axi/hdl/axilite.sv")
            entry |= {"memory": wrapper.stem, "weight_stream_bits": int(layer.get_instream_width_padded(1))}
            entry["sources"].append(wrapper.name)
            entry["data"].append(memory)
        if kind == "StreamingDataWidthConverter":
            entry["bits"] = [int(layer.get_instream_width()), int(layer.get_outstream_width())]
            entry["beats"] = int(np.prod(layer.get_folded_input_shape()[:-1]))
        if kind == "Thresholding":
            for path in sorted(made.glob("*.dat")):
                shutil.copyfile(path, folder / path.name)
                entry["data"].append(path.name)
        modules.append(entry)
        shutil.rmtree(made, ignore_errors=True)
    for path in shared:
        shutil.copyfile(path, folder / path.name)
    modules.append({"kind": "library", "sources": sorted(path.name for path in shared), "data": []})
    return modules


def compile_layers(
    layers: list[dict[str, Any]],
    input_range: tuple[int, int],
    part: str,
    clock_ns: float,
    target_cycles: int,
    folder: Path,
) -> dict[str, Any]:
    """Fold and estimate layers, and write ``dataflow.onnx`` and the RTL (``folder/rtl``)."""
    from qonnx.custom_op.registry import getCustomOp

    graph = graph_of(layers, input_range)
    graph.save(str(folder / "integers.onnx"))
    model = _dataflow(graph, part, target_cycles)
    model.save(str(folder / "dataflow.onnx"))
    last = getCustomOp(model.graph.node[-1])
    first = getCustomOp(model.graph.node[0])
    kind, given = last.get_output_datatype(), first.get_input_datatype(0)
    return {
        "estimates": _estimates(model, part),
        "folding": _folding(model),
        "modules": _write_rtl(model, part, clock_ns, folder / "rtl"),
        "input": {"bits": int(given.bitwidth()), "parallel": int(first.get_folded_input_shape()[-1])},
        "output": {
            "bits": int(kind.bitwidth()),
            "signed": bool(kind.signed()),
            "parallel": int(last.get_folded_output_shape()[-1]),
        },
    }
