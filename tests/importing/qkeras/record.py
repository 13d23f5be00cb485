"""Inside QKeras' environment: ``record.py NETWORKS RECORDED`` reads small networks and keeps what QKeras gives.

Each becomes one ``.npz`` of plain numbers: the graph, the facts as JSON, input codes and QKeras' outputs. The tests of
the default suite read these, and need no TensorFlow.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

#: of the inputs where a network has no quantiser of its own there
TYPES = "fixed<8,3>"


def record(file: Path) -> dict[str, np.ndarray]:
    """One network."""
    from codesign.core.probes import probe_codes
    from codesign.importing.declared import DeclaredInputs
    from codesign.importing.keras.held_keras import predict
    from codesign.importing.keras.keras_process import KerasFacts
    from codesign.importing.qkeras.qkeras_file import design_of_qkeras
    from codesign.importing.qkeras.qkeras_worker import HELD_QKERAS

    with tempfile.TemporaryDirectory() as work:
        model, checked, versions = HELD_QKERAS.load(file, Path(work))
    graph, facts = HELD_QKERAS.convert(model)
    told = {"versions": versions, "keras_version": checked.keras_version, "backend": checked.backend, **facts}
    facts = KerasFacts.model_validate_json(json.dumps(told))
    kept = {"graph": np.frombuffer(graph, np.uint8), "facts": np.frombuffer(json.dumps(told).encode(), np.uint8)}
    scores = HELD_QKERAS.scored(model)

    def run(inputs: list[np.ndarray]) -> list[np.ndarray]:
        return [predict(scores, {f"in{i}": v for i, v in enumerate(inputs)})]

    imported = design_of_qkeras(graph, facts, file.name, {"QKeras 0.9.0": run}, DeclaredInputs(type=TYPES))
    inputs = imported.made.inputs
    codes = probe_codes(inputs)
    codes = np.concatenate([codes[: 3 + 2 * inputs.size], codes[-400:-100], codes[-100:]])
    return kept | {"codes": codes.astype(np.int16), "outputs": imported.runners["QKeras 0.9.0"](codes)}


def main() -> None:
    """Record every network of a folder."""
    from codesign.importing.qkeras.qkeras_library import load_qkeras

    load_qkeras()
    for file in sorted(Path(sys.argv[1]).iterdir()):
        np.savez_compressed(Path(sys.argv[2]) / f"{file.stem}.npz", **record(file))
        print(file.stem, flush=True)


if __name__ == "__main__":
    main()
