"""``python -m tests.benchmarks.emulator``: events per second of the C++ emulator beside hls4ml's C simulation
and onnxruntime.

One design, one core, one run; prints JSON, which also goes into ``reports/reference/handoff.json``. Every rate is the
median of several calls on the same codes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.probes import probe_codes
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.handoff.emulator import build_emulator, load_emulator, write_emulator
from codesign.handoff.inference import Session, codes_model
from codesign.training.lesson import Subject
from tests.benchmarks.handoff_record import put
from tests.benchmarks.hls4ml_csim import HlsSimulation

#: widths, bits and sparsity: a small tagger, one of the size that a search ends with, and one without any zero
NETWORKS: dict[str, dict[str, Any]] = {
    "32-16": {"widths": (32, 16), "bits": 4, "sparsity": 0.5},
    "64-32-32": {"widths": (64, 32, 32), "bits": 6, "sparsity": 0.8},
    "64-32-32 dense": {"widths": (64, 32, 32), "bits": 8, "sparsity": 0.0},
}


def design(widths: tuple[int, ...], bits: int, sparsity: float) -> Design:
    """An untrained network of 16 inputs and 5 outputs whose smallest weights are zero."""
    import torch

    from codesign.core.fixedpoint import InputQuantisation
    from codesign.families.mlp.config import MLPConfig
    from codesign.families.mlp.family import MLP
    from codesign.training import export

    torch.manual_seed(1)
    x = np.random.default_rng(1).normal(size=(4000, 16)).astype(np.float32)
    config = MLPConfig(
        widths=widths, weight_bits=(bits,) * (len(widths) + 1), activation_bits=(bits,) * len(widths), input_bits=8
    )
    quantisation = InputQuantisation.fit(x, tuple(f"x{i}" for i in range(16)), ("1",) * 16, 8)
    network = MLP().build(config, Subject.of_sizes(16, 5))
    with torch.no_grad():
        for linear in network.linears:
            size = linear.weight.abs()
            linear.weight[size < size.quantile(sparsity)] = 0.0
    network.calibrate(torch.as_tensor(quantisation.port.values(quantisation.codes(x)), dtype=torch.float32))
    network.fold()
    return export.export(network.eval(), quantisation, ("g", "q", "w", "z", "t"))


def _rate(predict: Callable[[NDArray[Any]], NDArray[Any]], codes: NDArray[Any], repeats: int) -> float:
    predict(codes[:1000])
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        predict(codes)
        seconds.append(time.perf_counter() - start)
    return len(codes) / median(seconds)


def emulator_rate(made: Design, work: Path, events: int = 200_000, repeats: int = 5) -> dict[str, Any]:
    """Events per second of the emulator's two interfaces and of hls4ml's C simulation, and whether all are equal."""
    low, high = made.inputs.bounds
    drawn = np.random.default_rng(2).integers(low, high, (events, made.inputs.size), endpoint=True)
    codes = np.concatenate([probe_codes(made.inputs), drawn])
    start = time.perf_counter()
    emulator = load_emulator(build_emulator(write_emulator(made, "bench", work / "emulator")))
    built = time.perf_counter() - start
    start = time.perf_counter()
    csim = HlsSimulation(made, work / "hls")
    csim_built = time.perf_counter() - start
    narrow = codes.astype(np.int32)  # what a user of the C symbol holds
    expected = made.outputs.codes(read_graph(made.onnx).run(made.inputs.values(codes), Exact()))
    session = Session(codes_model(made))

    def onnx(x: NDArray[Any]) -> NDArray[Any]:
        return session.run(x)["output_codes"]

    equal = all(np.array_equal(p(codes), expected) for p in (emulator.predict, emulator.predict_any, csim.predict))
    equal = equal and np.array_equal(onnx(narrow), expected)
    # the conversion from codes to what hls4ml takes, and back, is no part of the simulation
    values = np.ascontiguousarray(made.inputs.values(codes))
    rates = {
        "emulator_batch": _rate(emulator.predict, narrow, repeats),
        "emulator_any": _rate(emulator.predict_any, narrow, repeats),
        "onnxruntime": _rate(onnx, narrow, repeats),
        "hls4ml_csim": _rate(csim.values, values, min(repeats, 3)),
    }
    return {
        "events": len(codes),
        "equal": equal,
        "events_per_second": {name: round(rate) for name, rate in rates.items()},
        "batch_over_hls4ml": round(rates["emulator_batch"] / rates["hls4ml_csim"], 1),
        "batch_over_onnxruntime": round(rates["emulator_batch"] / rates["onnxruntime"], 1),
        "any_over_hls4ml": round(rates["emulator_any"] / rates["hls4ml_csim"], 1),
        "build_seconds": {"emulator": round(built, 2), "hls4ml_csim": round(csim_built, 2)},
    }


def main() -> None:
    """Print the record of every network as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    found = {}
    for name, shape in NETWORKS.items():
        with tempfile.TemporaryDirectory(prefix="codesign-bench-") as work:
            found[name] = emulator_rate(design(**shape), Path(work), options.events)
    machine = {"python": platform.python_version(), "architecture": platform.machine(), "cores_used": 1}
    versions = {name: version(name) for name in ("codesign", "hls4ml")}
    record = {"machine": machine, "versions": versions, "networks": found}
    put(record, "emulator")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
