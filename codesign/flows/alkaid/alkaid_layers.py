"""What each layer of a network adds to alkaid's circuit, which is compiled up to each layer as a whole of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from alkaid.codegen import RTLModel
from alkaid.trace import FVArray, HWConfig, to_pipeline, trace

from codesign.core.probes import probe_codes
from codesign.core.records import LayerCost, LayerCosts
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.flows.alkaid.alkaid_passes import optimise
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.rtl.firmware import Firmware

__all__ = ("layer_costs",)


def layer_costs(firmware: Firmware, stage_delay: float) -> LayerCosts:
    """Cost of the circuit up to where each next layer begins; the last is the firmware's own.

    Each is optimised, checked and pipelined like the whole. A layer's own share is the difference of two of them: what
    two layers have in common counts where it first appears.
    """
    design = firmware.design
    graph, kinds = read_graph(design.onnx), design.inputs.types
    values = design.inputs.values(probe_codes(design.inputs))
    truth = graph.signals(values, Exact())
    signal = FVArray.from_kif(
        np.array([[int(t.signed) for t in kinds]]),
        np.array([[t.integer_bits for t in kinds]]),
        np.array([[t.fraction_bits for t in kinds]]),
        HWConfig(1, -1, -1),
    )
    traced = graph.signals(signal, Signals())
    found = []
    for layer in graph.layers[1:]:
        circuit, _ = optimise(
            trace(signal, traced[layer.signal], optimize=False),
            lambda c, name=layer.signal: np.array_equal(  # type: ignore[misc]
                c.predict(np.ascontiguousarray(values), n_threads=1), truth[name].reshape(len(values), -1)
            ),
        )
        pipeline = to_pipeline(circuit, latency_cutoff=stage_delay, verbose=False)
        rtl = RTLModel(pipeline, Path("unwritten"), "part", ternary_fuse=False, print_latency=False)
        found.append(LayerCost(lut=float(circuit.cost), ff=int(rtl.reg_bits), latency_cycles=int(rtl.latency or 0)))
    whole = firmware.extra
    found.append(LayerCost(lut=whole["lut"], ff=whole["ff"], latency_cycles=firmware.latency_cycles))
    return LayerCosts(tool="alkaid", version=str(whole["alkaid"]), layers=found)
