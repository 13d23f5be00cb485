"""Inside HGQ2's environment: a published Keras checkpoint through alkaid; writes Verilog and ``rebuilt.json``."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"

import hgq  # noqa: F401  # registers its layers
import keras
import numpy as np
from alkaid.codegen import RTLModel
from alkaid.converter import trace_model
from alkaid.trace import HWConfig, to_pipeline, trace


def main() -> None:
    """``rebuild.py CHECKPOINT FOLDER``."""
    model = keras.models.load_model(sys.argv[1], compile=False)
    folder = Path(sys.argv[2])
    circuit = trace(*trace_model(model, HWConfig(1, -1, -1)))
    x = np.random.default_rng(0).normal(size=(4000, model.input_shape[1])).astype(np.float32)
    ours = np.asarray(circuit.predict(x.astype(float), n_threads=1)).reshape(len(x), -1)
    theirs = np.asarray(model.predict(x, batch_size=len(x), verbose=0))
    pipeline = to_pipeline(circuit, latency_cutoff=4, verbose=False)
    rtl = RTLModel(pipeline, folder, "net", ternary_fuse=False, print_latency=False)
    rtl.write()
    record = {
        "ebops": float(sum(float(layer.ebops) for layer in model.layers if hasattr(layer, "ebops"))),
        "cost": float(circuit.cost),
        "latency_cycles": int(rtl.latency),
        "equal": float((ours == theirs).all(axis=1).mean()),
    }
    (folder / "rebuilt.json").write_text(json.dumps(record))


if __name__ == "__main__":
    main()
