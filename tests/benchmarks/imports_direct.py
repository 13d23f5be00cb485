"""Inside Keras' environment: ``imports_direct.py MODEL RESULT.json STAGE_DELAY``, alkaid's own trace."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    """Trace, optimise as alkaid does by default, and count rows equal to Keras' own."""
    from codesign.importing.keras.keras_library import load_keras

    keras, classes, _ = load_keras()
    from alkaid.codegen import RTLModel
    from alkaid.converter import trace_model
    from alkaid.trace import HWConfig, to_pipeline, trace

    model = keras.saving.load_model(sys.argv[1], custom_objects=classes, compile=False, safe_mode=True)
    circuit = trace(*trace_model(model, HWConfig(1, -1, -1)))
    rng = np.random.default_rng(0)
    shapes = [tuple(x.shape[1:]) for x in model.inputs]
    values = [rng.normal(size=(2000, *shape)).astype(np.float32) for shape in shapes]
    flat = np.concatenate([v.reshape(len(v), -1) for v in values], axis=1).astype(np.float64)
    ours = np.asarray(circuit.predict(flat, n_threads=1)).reshape(len(flat), -1)
    theirs = np.asarray(model.predict(values if len(values) > 1 else values[0], batch_size=1000, verbose=0))
    pipeline = to_pipeline(circuit, latency_cutoff=float(sys.argv[3]), verbose=False)
    rtl = RTLModel(pipeline, Path(sys.argv[2]).parent / "rtl", "net", print_latency=False)
    record = {
        "cost": round(float(circuit.cost), 2),
        "latency_cycles": int(rtl.latency),
        "rows": [int((ours == theirs.reshape(len(ours), -1)).all(axis=1).sum()), len(ours)],
    }
    Path(sys.argv[2]).write_text(json.dumps(record))


if __name__ == "__main__":
    main()
