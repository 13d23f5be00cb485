"""Inside Keras' environment: ``record.py NETWORKS RECORDED`` converts small networks and keeps what Keras gives.

Each becomes one ``.npz`` of plain numbers: the graph, the facts as JSON, input codes of the model's own types and of
wider ones, and Keras' outputs for both. The tests of the default suite read these, and need no Keras.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np


def record(file: Path) -> dict[str, np.ndarray]:
    """One network."""
    from codesign.core.probes import probe_codes
    from codesign.importing.keras.held_keras import predict
    from codesign.importing.keras.keras_file import blocks_of, design_of_keras
    from codesign.importing.keras.keras_process import KerasFacts
    from codesign.importing.keras.keras_worker import HGQ
    from tests.benchmarks.imports_keras import wider

    with tempfile.TemporaryDirectory() as work:
        model, checked, versions = HGQ.load(file, Path(work))
    graph, facts = HGQ.convert(model)
    told = {"versions": versions, "keras_version": checked.keras_version, "backend": checked.backend, **facts}
    facts = KerasFacts.model_validate_json(json.dumps(told))
    kept = {"graph": np.frombuffer(graph, np.uint8), "facts": np.frombuffer(json.dumps(told).encode(), np.uint8)}
    design, _ = design_of_keras(graph, facts)
    wide, _ = design_of_keras(graph, facts, wider(design))
    for name, one in (("own", design), ("wide", wide)):
        codes = probe_codes(one.inputs)
        codes = np.concatenate([codes[: 3 + 2 * one.inputs.size], codes[-1200:-1000], codes[-100:]])
        values = {f"in{i}": v for i, v in enumerate(blocks_of(one, facts, codes))}
        kept |= {f"{name}_codes": codes.astype(np.int32), f"{name}_outputs": predict(model, values)}
    return kept


def main() -> None:
    """Record every network of a folder."""
    from codesign.importing.keras.keras_library import load_keras

    load_keras()
    for file in sorted(Path(sys.argv[1]).glob("*.keras")):
        np.savez_compressed(Path(sys.argv[2]) / f"{file.stem}.npz", **record(file))
        print(file.stem, flush=True)


if __name__ == "__main__":
    main()
