"""Calibration of networks on items: what alkaid's count of look-up tables is worth beside Yosys' netlist, one fit for
networks with a module for each item, and one for folded ones.

    python -m codesign.calibration.repeated_fits RECORD

RECORD is what ``tests.benchmarks.folding`` measured. Writes the fits that :mod:`codesign.flows.expected` ships.
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

__all__ = ("fits_of_items", "main")

_SHIPPED = ("networks", "low", "high", "spearman", "error_fitted", "slope", "intercept", "band")
#: what is written of a circuit: a fit needs ten of a kind
_LEAST = 10


def fits_of_items(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fits of each kind of circuit of which enough was measured."""
    found = []
    for kind, own in (
        ("repeated", [r for r in rows if r["asked"] == 1]),
        ("folded", [r for r in rows if r["asked"] > 1]),
    ):
        for quantity in ("lut", "ff") if len(own) >= _LEAST else ():
            pairs = np.array([(r[f"compiled_{quantity}"], r[quantity]) for r in own], dtype=np.float64)
            judged = asdict(judge(pairs[:, 0], pairs[:, 1], same_unit=True))
            about = {"kind": kind, "family": "xcup", "quantity": quantity, "fidelity": "synthesised", "tool": "yosys"}
            found.append(about | {key: judged[key] for key in _SHIPPED})
    return found


def main() -> None:
    """Write the fits of a record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("record", type=Path)
    record = json.loads(parser.parse_args().record.read_text(encoding="utf-8"))
    made = fits_of_items(record["rows"])
    write_atomically(REPEATED_FITS, (json.dumps(made, indent=1) + "\n").encode())
    for fit in made:
        print(
            f"{fit['kind']}, {fit['quantity']}: {fit['networks']} networks, error {fit['error_fitted']:.1%}, left out"
        )


if __name__ == "__main__":
    main()
