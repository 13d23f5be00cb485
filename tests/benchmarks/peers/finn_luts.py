"""Inside FINN's environment: FINN's own estimate of LUTs for its HLS layers, the kind of figure FINNAS searches with.

One line in: a job, JSON with ``sizes`` (inputs, hidden layers, outputs), ``bits`` (of all weights and activations),
``input_bits``, ``part`` and ``initiation_interval``. One line out: ``lut`` and ``dsp`` summed over layers. The RTL
layers, which can be written and simulated without Vitis, have no such estimate: FINN says 0. So the HLS layers are made
for their estimate alone, with the thresholds in the matrix units, as FINN's build does by default. It looks at sizes
and types only; the weights are drawn, which settles the width of accumulators.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from itertools import pairwise
from typing import Any

import numpy as np

from codesign.flows.finn.backend import graph_of, load_finn


def layers(sizes: list[int], bits: int, input_bits: int) -> list[dict[str, Any]]:
    """A network of this layout, as the layers of integers that the flow hands to FINN."""
    rng, found = np.random.default_rng(0), []
    low, high = -(1 << (input_bits - 1)), (1 << (input_bits - 1)) - 1
    for place, (size, following) in enumerate(pairwise(sizes)):
        weights = rng.integers(1 - (1 << (bits - 1)), 1 << (bits - 1), (size, following))
        ends = np.stack([weights * low, weights * high])
        least, most = int(ends.min(axis=0).sum(axis=0).min()), int(ends.max(axis=0).sum(axis=0).max())
        layer: dict[str, Any] = {"size": size, "weights": weights, "accumulator": (least, most)}
        if place < len(sizes) - 2:
            steps = np.linspace(0, most, (1 << bits) + 1).astype(int)[1:-1]
            layer |= {"thresholds": np.tile(steps, (following, 1)), "bottom": 0}
        found.append(layer)
        low, high = 0, (1 << bits) - 1
    return found


def estimated(job: dict[str, Any]) -> dict[str, float]:
    """LUT and DSP of the HLS layers of a layout."""
    from finn.analysis.fpgadataflow.res_estimation import res_estimation
    from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
        InferQuantizedMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.thresholding import InferThresholdingLayer
    from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth
    from finn.transformation.fpgadataflow.set_folding import SetFolding
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from qonnx.custom_op.registry import getCustomOp
    from qonnx.transformation.general import GiveUniqueNodeNames
    from qonnx.transformation.infer_datatypes import InferDataTypes

    edge = 1 << (job["input_bits"] - 1)
    model = graph_of(layers(job["sizes"], job["bits"], job["input_bits"]), (-edge, edge - 1))
    model = model.transform(InferQuantizedMatrixVectorActivation()).transform(InferThresholdingLayer())
    for node in model.graph.node:
        getCustomOp(node).set_nodeattr("preferred_impl_style", "hls")
    model = model.transform(MinimizeAccumulatorWidth()).transform(InferDataTypes())
    model = model.transform(SpecializeLayers(job["part"])).transform(GiveUniqueNodeNames())
    model = model.transform(SetFolding(job["initiation_interval"], mvau_wwidth_max=10**6))
    found = res_estimation(model.transform(GiveUniqueNodeNames()), job["part"]).values()
    return {name.lower(): float(sum(layer[name] for layer in found)) for name in ("LUT", "DSP")}


def main() -> None:
    """Answer until the input ends. FINN prints to standard output, so answers go out on a copy of it."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="codesign-finn-") as scratch:
        os.environ["FINN_BUILD_DIR"] = scratch
        load_finn()
        for line in sys.stdin:
            try:
                answer: dict[str, Any] = estimated(json.loads(line))
            except Exception as error:  # whatever FINN raises costs this candidate only
                answer = {"failed": f"{type(error).__name__}: {' '.join(str(error).split())}"}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
