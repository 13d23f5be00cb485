"""Inside Keras' environment: ``imports_direct.py MODEL RESULT.json STAGE_DELAY KINDS.json``, alkaid's own trace.

``KINDS.json`` holds the type (k, i, f) of each element of the flat input: those of the design that is compared with.
The trace is made twice, for these types and for those that alkaid finds by itself.
"""

from __future__ import annotations

import json
import sys
from math import prod
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    """Trace, optimise as alkaid does by default, and count rows equal to Keras' own."""
    from codesign.importing.keras.keras_library import load_keras

    keras, classes, _ = load_keras()
    model = keras.saving.load_model(sys.argv[1], custom_objects=classes, compile=False, safe_mode=True)
    kinds = json.loads(Path(sys.argv[4]).read_text())
    record = traced(model, kinds, kinds) | {"types_found_by_alkaid": traced(model, None, kinds)}
    Path(sys.argv[2]).write_text(json.dumps(record))


def traced(model: Any, declared: list[list[int]] | None, kinds: list[list[int]]) -> dict[str, Any]:
    """Cost, latency, and rows equal on the codes of ``kinds``."""
    from alkaid.codegen import RTLModel
    from alkaid.converter import trace_model
    from alkaid.trace import HWConfig, to_pipeline, trace

    from codesign.core.fixedpoint import FixedPoint, Port
    from codesign.core.probes import probe_codes
    from codesign.flows.alkaid.keras_tracer import declare_inputs
    from codesign.importing.keras.held_keras import predict

    shapes = [tuple(int(n) for n in x.shape[1:]) for x in model.inputs]
    circuit = trace(*trace_model(model, HWConfig(1, -1, -1), inputs=declare_inputs(shapes, declared)))
    types = tuple(FixedPoint(signed=bool(k), integer_bits=i, fraction_bits=f) for k, i, f in kinds)
    port = Port(name="x", types=types, labels=tuple(f"x{i}" for i in range(len(types))))
    values = probe_codes(port) * port.lsbs
    parts = np.split(values, np.cumsum([prod(s) for s in shapes])[:-1], axis=1)
    given = {f"in{i}": p.reshape(len(p), *s) for i, (p, s) in enumerate(zip(parts, shapes, strict=True))}
    ours = np.asarray(circuit.predict(values, n_threads=1)).reshape(len(values), -1)
    theirs = predict(model, given)
    pipeline = to_pipeline(circuit, latency_cutoff=float(sys.argv[3]), verbose=False)
    rtl = RTLModel(pipeline, Path(sys.argv[2]).parent / "rtl", "net", print_latency=False)
    return {
        "cost": round(float(circuit.cost), 2),
        "latency_cycles": int(rtl.latency),
        "rows": [int((ours == theirs).all(axis=1).sum()), len(ours)],
    }


if __name__ == "__main__":
    main()
