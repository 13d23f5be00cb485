"""Calibration of circuits that are not fully connected: what alkaid's count of look-up tables is worth beside Yosys'
netlist, one fit for each kind: a module for each item, folded, and unrolled as a whole on items, with tables, or with
products.

    python -m codesign.calibration.repeated_fits RECORD ...

Each RECORD is what ``tests.benchmarks.folding`` or ``tests.benchmarks.circuit_kinds`` measured. Writes the fits that
:mod:`codesign.flows.expected` ships.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from codesign.calibration.fit import judge
from codesign.core.runfolder import write_atomically
from codesign.flows.expected import REPEATED_FITS

__all__ = ("fits_of_items", "main", "table")

_SHIPPED = ("networks", "low", "high", "spearman", "error_fitted", "slope", "intercept", "band")
_KINDS = ("repeated", "folded", "items", "tables", "products")
#: what is written of a circuit: a fit needs ten of a kind
_LEAST = 10


def fits_of_items(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fits of each kind of circuit of which enough was measured."""
    found = []
    for kind in _KINDS:
        own = [r for r in rows if _circuit(r) == kind and "refused" not in r]
        for quantity in ("lut", "ff") if len(own) >= _LEAST else ():
            pairs = np.array([(r[f"compiled_{quantity}"], r[quantity]) for r in own], dtype=np.float64)
            judged = asdict(judge(pairs[:, 0], pairs[:, 1], same_unit=True))
            about = {"kind": kind, "family": "xcup", "quantity": quantity, "fidelity": "synthesised", "tool": "yosys"}
            found.append(about | {key: judged[key] for key in _SHIPPED})
    return found


def _circuit(row: dict[str, Any]) -> str:
    """The kind of a circuit that was measured."""
    if "circuit" in row:
        return str(row["circuit"])
    return "repeated" if row["asked"] == 1 else "folded"


def table(fits: Sequence[dict[str, Any]]) -> str:
    """What each is worth, as the documentation shows it."""
    heads = ("kind of circuit", "networks", "LUT that alkaid counts", "error of LUT, left out", "of FF")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for fit in fits:
        if fit["quantity"] == "lut":
            (other,) = (f for f in fits if (f["kind"], f["quantity"]) == (fit["kind"], "ff"))
            cells = (fit["kind"], fit["networks"], f"{fit['low']:,.0f} to {fit['high']:,.0f}",
                     f"{fit['error_fitted']:.0%}", f"{other['error_fitted']:.0%}")  # fmt: skip
            lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    """Write the fits of a record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path, nargs="+")
    records = [json.loads(path.read_text(encoding="utf-8")) for path in parser.parse_args().record]
    made = fits_of_items([row for record in records for row in record["rows"]])
    write_atomically(REPEATED_FITS, (json.dumps(made, indent=1) + "\n").encode())
    print(table(made))


if __name__ == "__main__":
    main()
