"""hls4ml writes a project, in a process of its own: it prints, warns and keeps state.

``python -m codesign.flows.hls4ml.build REQUEST.json`` reads what :mod:`codesign.flows.hls4ml.flow` asks for,
writes the project, and says in ``result.json`` beside it what hls4ml made of each layer.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

__all__ = ("RESULT",)

RESULT = "result.json"
_STRATEGY = {"latency": "Latency", "resource": "Resource", "distributed_arithmetic": "distributed_arithmetic"}


def _configuration(model: Any, request: dict[str, Any]) -> dict[str, Any]:
    import hls4ml

    # 48 bits hold any accumulator that float32 tools could have checked (24 bits), wherever its point is; every type
    # that matters is set below
    made: dict[str, Any] = hls4ml.utils.config_from_onnx_model(
        model, granularity="name", backend="Vitis", default_precision="fixed<48,24>"
    )
    strategy, reuse = _STRATEGY[request["strategy"]], request["reuse_factor"]
    made["Model"] |= {"Strategy": strategy, "ReuseFactor": reuse}
    layers = made["LayerName"]
    layers[model.graph.input[0].name]["Precision"] = {"result": request["input"]}
    for index, kind in enumerate(request["dense"]):
        # hls4ml turns a MatMul by a constant into a Dense layer of this name; a result whose type is given here would
        # keep the bias out of it
        made_so = {
            "Precision": {"accum": _name(kind), "result": "auto"},
            "Strategy": strategy,
            "ReuseFactor": reuse,
        }
        layers[f"MatMul_{index}"] = layers[f"Dense_MatMul_{index}"] = made_so
    return made


def _name(kind: dict[str, Any]) -> str:
    """hls4ml's name of a fixed-point type."""
    return f"{'' if kind['signed'] else 'u'}fixed<{kind['width']},{kind['integer']}>"


def _narrow(graph: Any, kinds: list[dict[str, Any]]) -> None:
    """Give every result the type that interval arithmetic found: hls4ml's own is that of any weights.

    A result that saturates is left: hls4ml made a quantiser that follows without a ReLU part of its matrix.
    """
    for layer, kind in zip((x for x in graph.get_layers() if x.class_name == "Dense"), kinds, strict=True):
        precision = layer.get_output_variable().type.precision
        if precision.saturation_mode.name != "WRAP":
            continue
        precision.width, precision.integer, precision.signed = kind["width"], kind["integer"], kind["signed"]


def _layers(graph: Any) -> list[dict[str, Any]]:
    made = []
    for layer in graph.get_layers():
        if layer.class_name == "Dense":
            accumulator = layer.get_attr("accum_t")
            made.append(
                {
                    "name": layer.name,
                    "inputs": int(layer.get_attr("n_in")),
                    "outputs": int(layer.get_attr("n_out")),
                    "strategy": str(layer.get_attr("strategy")),
                    "reuse_factor": int(layer.get_attr("reuse_factor")),
                    "accumulator": str(accumulator.precision),
                    "result": str(layer.get_output_variable().type.precision),
                }
            )
    return made


def _mend_distributed_arithmetic() -> None:
    """Find a layer's predecessor as the rest of hls4ml does.

    hls4ml 1.3's pass for distributed arithmetic takes the names of tensors for names of layers, which holds for its
    Keras front end only: with ONNX it stops with "has input ... which is not in the model".
    """
    from hls4ml.backends.vivado.passes import distributed_arithmetic

    distributed_arithmetic.get_input_layers = lambda node: [node.get_input_node()]


def _mend_scales() -> None:
    """Keep the scales of a matrix's inputs before it, where they are.

    hls4ml 1.3 moves them behind the matrix whenever their shape lets it, as with a square matrix, whose outputs they
    then scale. Moving is right only for a scale that all inputs share.
    """
    import numpy as np
    from hls4ml.model.layers import ApplyAlpha
    from hls4ml.model.optimizer.passes.move_scales import ScaleDownMatMul

    matches = ScaleDownMatMul.match

    def mend(self: Any, node: Any) -> bool:
        if not matches(self, node):
            return False
        signal, weights = (node.get_input_node(name) for name in node.inputs)
        if not isinstance(signal, ApplyAlpha) or isinstance(weights, ApplyAlpha):
            return True
        return len(np.unique(signal.weights["scale"].data_unquantized)) == 1

    ScaleDownMatMul.match = mend


def _main() -> None:
    warnings.simplefilter("ignore")
    import hls4ml
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.util.cleanup import cleanup_model

    path = Path(sys.argv[1])
    request = json.loads(path.read_text(encoding="utf-8"))
    if request["strategy"] == "distributed_arithmetic":
        _mend_distributed_arithmetic()
    _mend_scales()
    model = cleanup_model(ModelWrapper(request["model"]))
    graph = hls4ml.converters.convert_from_onnx_model(
        model,
        hls_config=_configuration(model, request),
        output_dir=request["folder"],
        project_name=request["name"],
        backend="Vitis",
        io_type=request["io"],
        part=request["part"],
        clock_period=request["clock_ns"],
    )
    _narrow(graph, request["dense"])
    graph.write()
    scalings = sum(layer.class_name == "ApplyAlpha" for layer in graph.get_layers())
    result = {"version": hls4ml.__version__, "layers": _layers(graph), "scalings": scalings}
    path.with_name(RESULT).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    _main()
