"""``python -m tests.benchmarks.imports_brevitas``: a row for each usual kind of network of Brevitas' examples.

Each is built (``tests/importing/brevitas_kinds.py``), imported as a module, compared with its own forward, improved,
and compiled with alkaid, whose interpreter is compared with the graph on the same rows. Writes
``reports/reference/imports_brevitas.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from codesign import __version__
from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.errors import CodesignError
from codesign.core.figures import Fidelity, find
from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.graph.passes.improvement import improve
from codesign.importing.imports import compared_import
from tests.importing.brevitas_kinds import KINDS, Kind, built

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "reports" / "reference" / "imports_brevitas.json"
TARGET = "vu13p-360"


def compiled(design: Design, codes: Any, truth: Any) -> dict[str, Any]:
    """Rows on which alkaid's interpreter equals the graph, and what alkaid counts."""
    flow = plugins.load(Flow, "alkaid")
    with tempfile.TemporaryDirectory() as folder:
        firmware = flow.compile(design, load_target(TARGET), Path(folder), probe=codes)
        figures = flow.figures(firmware)
        found = {"alkaid": int((flow.predict(firmware, codes) == truth).all(axis=1).sum())}
    for quantity in ("lut", "latency_cycles"):
        figure = find(figures, quantity, Fidelity.COMPILED)
        found |= {quantity: None if figure is None else figure.value}
    return found


def row_of(kind: Kind) -> dict[str, Any]:
    """What becomes of one kind."""
    start = time.perf_counter()
    module, example = built(kind)
    try:
        found = compared_import(module, example_input=example)
    except CodesignError as error:
        return {"taken": False, "why": " ".join(str(error).split())}
    (agreement,) = found.imported.report.agreement
    design = found.imported.design()
    smaller = improve(design)
    row = {
        "taken": True, "runner": agreement.runner, "rows": agreement.tried, "equal": agreement.equal,
        "explained": agreement.explained, "largest_gap": agreement.largest_gap,
        **compiled(design, found.codes, found.outputs),
        "improved": compiled(smaller.design, found.codes, found.outputs),
        "steps": [s.step for s in smaller.savings],
    }  # fmt: skip
    assert np.array_equal(smaller.design.outputs.types, design.outputs.types)
    return row | {"seconds": round(time.perf_counter() - start, 2)}


def main() -> None:
    """Measure every kind, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=RECORD)
    options = parser.parse_args()
    rows = {name: row_of(kind) for name, kind in KINDS.items()}
    taken = sum(row["taken"] for row in rows.values())
    record = {"codesign": __version__, "target": TARGET, "kinds": len(rows), "taken": taken, "rows": rows}
    options.output.write_text(json.dumps(record, indent=1) + "\n")
    print(f"{taken} of {len(rows)} kinds taken: {options.output}")


if __name__ == "__main__":
    main()
