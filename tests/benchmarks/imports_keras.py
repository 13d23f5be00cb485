"""``python -m tests.benchmarks.imports_keras [FILE ...]``: public networks of HGQ2 through the importer, row by row.

For each file of ``../shared/data/models`` (or ``$CODESIGN_DATA``), or those given: rows equal of rows tried between
Keras' own predict and the exact graph, alkaid's interpreter of the firmware, standard ONNX in onnxruntime, the C++
emulator, and, where it is small, the simulated RTL. Inputs beyond the model's own types are tried through declared
wider ones. ``--direct`` traces the file by alkaid itself beside it. The record is
``reports/reference/imports_keras.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.probes import probe_codes
from codesign.core.process import run_tool
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.handoff.emulator import build_emulator, load_emulator, write_emulator
from codesign.handoff.inference import Session, codes_model
from codesign.importing.declared import DeclaredField, DeclaredInputs
from codesign.importing.keras.keras_container import check
from codesign.importing.keras.keras_environment import KERAS
from codesign.importing.keras.keras_file import blocks_of, design_of_keras
from codesign.importing.keras.keras_process import KerasFacts, convert_keras, predict_keras
from codesign.importing.keras.layer_readers import readers
from codesign.verify.rtl import verify
from tests.benchmarks.handoff_record import put
from tests.graph.everywhere import exact_codes

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("CODESIGN_DATA") or ROOT.parent / "shared" / "data") / "models"
RECORD = ROOT / "reports" / "reference" / "imports_keras.json"
TARGET = "vu13p-240"
#: alkaid's cost up to which the RTL is simulated here
SMALL = 3000.0

Codes = NDArray[np.int64]


def wider(design: Design, bits: int = 2) -> DeclaredInputs:
    """Types that hold what the model's own do, and so many bits more at each end; some where there are none."""

    def name(kind: FixedPoint) -> str:
        width, integers = (kind.width + 2 * bits, kind.integer_bits + bits) if kind.width else (6, 2)
        return f"fixed<{width + (not kind.signed)},{integers + 1}>"

    fields = tuple(DeclaredField(name=f"x{i}", type=name(kind)) for i, kind in enumerate(design.inputs.types))
    return DeclaredInputs(fields=fields)


def rows(found: Codes | None, truth: Codes) -> list[int]:
    """Rows equal, of rows tried."""
    return [int((found == truth).all(axis=1).sum()) if found is not None else 0, len(truth)]


def keras_rows(file: Path, facts: KerasFacts, designs: list[tuple[Design, Codes]]) -> list[Codes]:
    """What Keras gives for the codes of each design, in one process; -2**62 for what is no code."""
    values = [blocks_of(design, facts, codes) for design, codes in designs]
    joined = [np.concatenate(parts) for parts in zip(*values, strict=True)]
    found = predict_keras(file, joined)
    out, start = [], 0
    for design, codes in designs:
        scaled = found[start : start + len(codes)] / design.outputs.lsbs
        whole = np.isfinite(scaled) & (scaled == np.rint(scaled))
        out.append(np.where(whole, scaled, -(2.0**62)).astype(np.int64))
        start += len(codes)
    return out


def imported(file: Path, work: Path, simulate: bool, emulate: bool) -> dict[str, Any]:
    """One file's row."""
    start = time.monotonic()
    graph, facts = convert_keras(file)
    design, _ = design_of_keras(graph, facts, None, file.name)
    wide, _ = design_of_keras(graph, facts, wider(design), file.name)
    codes, beyond = probe_codes(design.inputs), probe_codes(wide.inputs)
    row: dict[str, Any] = {
        "versions": facts.versions,
        "inputs": design.inputs.size,
        "input_bits": design.inputs.width,
        "outputs": design.outputs.size,
        "layers": len(facts.layers),
        "weights": sum(layer.weights for layer in facts.layers),
        "nonzero_weights": sum(layer.nonzero for layer in facts.layers),
        "seconds_to_convert": round(time.monotonic() - start, 1),
    }
    truth, far = exact_codes(design, codes), exact_codes(wide, beyond)
    ours, theirs = keras_rows(file, facts, [(design, codes), (wide, beyond)])
    row["keras_of_exact"], row["keras_of_exact_beyond_the_range"] = rows(ours, truth), rows(theirs, far)
    row["standard_onnx"] = tried(lambda: rows(onnx_rows(design, codes, work), truth))
    row["alkaid"] = tried(lambda: alkaid_row(design, codes, truth, work, simulate))
    if emulate:
        row["emulator"] = tried(lambda: rows(emulator_rows(design, codes, work), truth))
    return row


def tried(step: Any) -> Any:
    """A step's result, or the one line in which it was refused."""
    try:
        return step()
    except CodesignError as error:
        return {"refused": str(error)[:300]}


def onnx_rows(design: Design, codes: Codes, work: Path) -> Codes:
    """Standard ONNX in onnxruntime."""
    return Session(codes_model(design)).run(codes.astype(np.int32))["output_codes"].astype(np.int64)


def emulator_rows(design: Design, codes: Codes, work: Path) -> Codes:
    """The C++ emulator, compiled."""
    emulator = load_emulator(build_emulator(write_emulator(design, "imported", work / "emulator")))
    return emulator.predict(codes).astype(np.int64)


def alkaid_row(design: Design, codes: Codes, truth: Codes, work: Path, simulate: bool) -> dict[str, Any]:
    """The firmware of the flow alkaid: its interpreter, cost and latency; small ones simulated."""
    flow, start = Alkaid(), time.monotonic()
    firmware = flow.compile(design, load_target(TARGET), work / "firmware")
    figures = {f.quantity: f.value for f in flow.figures(firmware)}
    row: dict[str, Any] = {
        "rows": rows(flow.predict(firmware, codes), truth),
        "cost": round(float(firmware.extra["lut"]), 2),
        "latency_cycles": figures["latency_cycles"],
        "notes": list(firmware.notes),
        "target": TARGET,
        "alkaid": version("alkaid"),
        "seconds": round(time.monotonic() - start, 1),
    }
    if simulate and row["cost"] <= SMALL:
        verdict = verify(firmware, codes[-500:], {"exact": truth[-500:]}, work / "simulation")
        row["rtl"] = {"exact": verdict.exact, "events": 500, "latency_cycles": verdict.latency_cycles}
    return row


def direct(file: Path, work: Path) -> dict[str, Any]:
    """alkaid's own trace of the Keras model, in Keras' environment, with the pipeline of the same target: once with the
    types of the import's inputs, once with those that it finds."""
    graph, facts = convert_keras(file)
    design, _ = design_of_keras(graph, facts, None, file.name)
    kinds = [[int(t.signed), t.integer_bits, t.fraction_bits] for t in design.inputs.types]
    (work / "kinds.json").write_text(json.dumps(kinds))
    check(file, work / "direct", readers())
    copy = next(p for p in (work / "direct.keras", work / "direct.h5") if p.exists())
    script = ROOT / "tests" / "benchmarks" / "imports_direct.py"
    delay = load_target(TARGET).stage_delay
    command = [sys.executable, "-P", script, copy, work / "direct.json", str(delay), work / "kinds.json"]
    run_tool(command, work, 1200, KERAS.variables(), name="alkaid on Keras")
    found: dict[str, Any] = json.loads((work / "direct.json").read_text())
    return found | {"target": TARGET}


def main() -> None:
    """Import the files and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--direct", action="store_true", help="alkaid's direct trace alone")
    parser.add_argument("--simulate", action="store_true", help="simulate the RTL of small ones")
    parser.add_argument("--emulate", action="store_true", help="compile the C++ emulator: minutes for large ones")
    parser.add_argument("-o", "--output", type=Path, default=RECORD)
    options = parser.parse_args()
    for file in options.files or [*sorted(DATA.glob("*.keras")), *sorted(DATA.glob("da4ml*.h5"))]:
        with tempfile.TemporaryDirectory() as folder:
            if options.direct:
                found, part = tried(lambda: direct(file, Path(folder))), "direct_alkaid"  # noqa: B023
            else:
                found, part = tried(lambda: imported(file, Path(folder), options.simulate, options.emulate)), "imported"  # noqa: B023
        print(file.name, json.dumps(found), flush=True)
        put(found, file.name, part, path=options.output)


if __name__ == "__main__":
    main()
