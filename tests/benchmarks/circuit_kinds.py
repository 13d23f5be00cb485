"""What alkaid's count is worth for small unrolled circuits of each kind: items, tables, products; by Yosys.

    python -m tests.benchmarks.circuit_kinds [KIND ...]

Random networks of many sizes, as many of each kind as a fit needs and some more. Each row is kept in
``reports/reference/circuit_kinds.json`` as soon as it is measured, and not measured again; from it come the fits of
:mod:`codesign.calibration.repeated_fits`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import codesign
from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.graph.model_kind import kind_of_circuit
from tests.graph.item_networks import Network, network

__all__ = ("NUMBER", "RECORD", "circuit")

RECORD = Path(__file__).parents[2] / "reports" / "reference" / "circuit_kinds.json"
TARGET = "vu13p-360"
#: networks of each kind
NUMBER = 14
_ITEMS = ("deep set, sum", "deep set, max", "JEDI-linear", "conv1d", "conv1d, max", "mixer")
_LIMIT = 300.0


def circuit(kind: str, number: int) -> Design:
    """A random network: the larger its number, the larger it is."""
    place = number / (NUMBER - 1)
    if kind == "items":
        name = _ITEMS[number % len(_ITEMS)]
        return network(name, 4 + 2 * (number // 5), 3, seed=number, width=round(3 + 6 * place), outputs=4)
    made = Network(number, round(4 * 4**place), 4)
    x = made.block("x", fields := 6 + number % 7)
    if kind == "tables":
        for _ in range(1 + number % 2):
            x, fields = _bent(made, made.fitted(made.dense(x, fields, made.width), 6, signed=1)), made.width
        return made.design(made.dense(x, fields, 4))
    bits = 3 + number % 3
    a, b = (made.active(made.dense(x, fields, made.width), bits) for _ in range(2))
    both = made.fitted(made.node("Mul", a, b), 5)
    return made.design(made.head(both, made.width))


def _bent(made: Network, x: str) -> str:
    """A table of six bits: a curve that no line is."""
    codes = np.concatenate([np.arange(32), np.arange(-32, 0)])
    curve = np.rint(12 * np.tanh(codes * made.rng.uniform(0.05, 0.2)) + 3 * np.sin(codes / made.rng.uniform(3, 8)))
    return made.node("Table", made.node("Div", x, made.constant(made.grid[x])), made.constant(curve), k=1, i=5, f=0)


def measured(kind: str, number: int) -> dict[str, Any]:
    """Compiled and synthesised figures of one."""
    design, flow, start = circuit(kind, number), Alkaid(), time.process_time()
    assert kind_of_circuit(design) == kind
    with tempfile.TemporaryDirectory() as folder:
        settings = AlkaidSettings(modules="whole")
        try:
            firmware = flow.compile(design, load_target(TARGET), Path(folder) / "firmware", settings)
        except UnsupportedError as error:  # so small a random network may be constant
            return {"circuit": kind, "number": number, "refused": str(error)}
        found = {f.quantity: f.value for f in flow.synthesise(firmware, Path(folder) / "yosys", _LIMIT)}
        return {
            "circuit": kind, "number": number, "compiled_lut": round(firmware.extra["lut"], 1),
            "compiled_ff": firmware.extra["ff"], "lut": found["lut"], "ff": found["ff"], "dsp": found["dsp"],
            "cpu_seconds": round(time.process_time() - start, 1),
        }  # fmt: skip


def main() -> None:
    """Measure what is not in the record yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", default=["tables", "products", "items"])
    options = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.is_file() else {"codesign": codesign.__version__, "rows": []}
    there = {(row["circuit"], row["number"]) for row in record["rows"]}
    for number in range(NUMBER):
        for kind in options.kinds:
            if (kind, number) in there:
                continue
            row = measured(kind, number)
            print(row, flush=True)
            record["rows"].append(row)
            write_atomically(RECORD, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
