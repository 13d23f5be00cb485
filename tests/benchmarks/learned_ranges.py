"""``python -m tests.benchmarks.learned_ranges``: what activations that wrap and weights with ranges of their own gain.

Each choice of ``overflow`` and ``weight_range`` of ``mlp-learned`` gives a front from one training a seed, at equal
epochs, on the jets on which HGQ2 was compared (``peers.json``: same card, number and split). Networks are chosen on the
validation split, judged on the test split through the firmware's integers, and counted by alkaid's cost in LUT.
``reports/reference/learned_ranges.json`` is written after each training; what is in it is not made again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from codesign.core.runfolder import write_atomically
from tests.benchmarks.learned_front import Bench
from tests.trees import ROOT

RECORD = ROOT / "reports" / "reference" / "learned_ranges.json"
#: overflow of activations, range of weights; the first is what the others are compared with
CHOICES = (("saturate", "magnitude"), ("wrap", "magnitude"), ("saturate", "learned"), ("wrap", "learned"))
#: budgets of LUT (alkaid's cost) at which the best network on validation is taken
BUDGETS = (150, 300, 600, 1200, 2400)


def at_budgets(rows: list[dict[str, Any]]) -> list[float | None]:
    """Test accuracy of the network that is best on validation within each budget; None where none is."""
    found: list[float | None] = []
    for budget in BUDGETS:
        within = [row for row in rows if row["lut"] <= budget]
        found.append(max(within, key=lambda row: row["validation"])["test"] if within else None)
    return found


def averaged(fronts: list[list[dict[str, Any]]]) -> list[list[float] | None]:
    """At each budget, the mean over seeds and the error of that mean; None where a seed has no network."""
    columns = zip(*(at_budgets(rows) for rows in fronts), strict=True)
    found: list[list[float] | None] = []
    for column in columns:
        values = [value for value in column if value is not None]
        spread = float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
        found.append([round(float(np.mean(values)), 4), round(spread, 4)] if len(values) == len(fronts) else None)
    return found


def summary(record: dict[str, Any]) -> dict[str, Any]:
    """Of each choice, and of HGQ2's networks of ``peers.json``, the accuracy at each budget, over the seeds."""
    peers = json.loads((ROOT / "reports" / "reference" / "peers.json").read_text())["peers"]["hgq2"]["runs"]
    found: dict[str, Any] = {"budgets": list(BUDGETS)}
    for overflow, weight_range in CHOICES:
        own = [e for e in record["fronts"] if (e["overflow"], e["weight_range"]) == (overflow, weight_range)]
        if own:
            found[f"{overflow} {weight_range}"] = {
                "accuracy": averaged([e["points"] for e in own]),
                "training_seconds": [e["training_seconds"] for e in own],
                "seeds": [e["seed"] for e in own],
            }
    hgq2 = [[point | {"lut": point["cost"]} for point in run["hgq2"]["points"]] for run in peers]
    found["hgq2"] = {"accuracy": averaged(hgq2), "seeds": [run["seed"] for run in peers]}
    return found


def main() -> None:
    """Make what is not there, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50000)
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--limit", type=int, default=12, help="networks compiled of each front")
    parser.add_argument("--output", type=Path, default=RECORD)
    given = parser.parse_args()
    torch.set_num_threads(1)
    record: dict[str, Any] = {"fronts": []}
    if given.output.is_file():
        record = json.loads(given.output.read_text())
    record |= {
        "events": given.events,
        "epochs": given.epochs,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "versions": {name: version(name) for name in ("torch", "brevitas", "alkaid")},
    }
    done = {(e["overflow"], e["weight_range"], e["seed"]) for e in record["fronts"]}
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench("jets-13tev", given.events, Path(folder))
        for seed in given.seeds:
            for overflow, weight_range in CHOICES:
                if (overflow, weight_range, seed) in done:
                    continue
                rows, seconds = bench.learned(
                    seed, given.limit, given.epochs, overflow=overflow, weight_range=weight_range
                )
                entry = {"overflow": overflow, "weight_range": weight_range, "seed": seed, "training_seconds": seconds}
                record["fronts"].append(entry | {"points": rows})
                record["summary"] = summary(record)
                write_atomically(given.output, (json.dumps(record, indent=1) + "\n").encode())
                print(overflow, weight_range, seed, seconds, [(r["lut"], r["test"]) for r in rows], flush=True)
    print(json.dumps(record["summary"], indent=1))


if __name__ == "__main__":
    main()
