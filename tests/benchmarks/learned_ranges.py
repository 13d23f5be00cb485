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
from tests.benchmarks.peers.fronts import lut_ratio
from tests.trees import ROOT

RECORD = ROOT / "reports" / "reference" / "learned_ranges.json"
#: overflow of activations, range of weights; the first is what the others are compared with
CHOICES = (("saturate", "magnitude"), ("wrap", "magnitude"), ("saturate", "learned"), ("wrap", "learned"))
#: accuracy from which on networks are of use to a trigger
ABOVE = 0.675


def front_of(rows: list[dict[str, Any]], above: float = 0.0) -> tuple[Any, Any]:
    """LUT and test accuracy of the networks that are best on validation, rising in LUT."""
    kept, best = [], -1.0
    for row in sorted(rows, key=lambda r: (r["lut"], -r["validation"])):
        if row["validation"] > best:
            best = row["validation"]
            kept.append(row)
    kept = [r for r in kept if r["test"] >= above] or kept[-1:]
    return np.array([float(r["lut"]) for r in kept]), np.array([r["test"] for r in kept])


def summary(record: dict[str, Any]) -> dict[str, Any]:
    """LUT beside the first choice and beside HGQ2 at equal accuracy above :data:`ABOVE`, and the best accuracies."""
    peers = json.loads((ROOT / "reports" / "reference" / "peers.json").read_text())["peers"]["hgq2"]["runs"]
    hgq2 = {run["seed"]: [p | {"lut": p["cost"]} for p in run["hgq2"]["points"]] for run in peers}
    fronts = {(e["overflow"], e["weight_range"], e["seed"]): e["points"] for e in record["fronts"]}
    found = {}
    for choice in CHOICES:
        seeds = [s for o, w, s in fronts if (o, w) == choice]
        each: dict[str, list[float]] = {"to_first": [], "to_hgq2": []}
        for seed in seeds:
            ours = front_of(fronts[*choice, seed], ABOVE)
            for name, other in (("to_first", fronts.get((*CHOICES[0], seed))), ("to_hgq2", hgq2.get(seed))):
                if other is not None and np.isfinite(ratio := lut_ratio(ours, front_of(other, ABOVE))):
                    each[name].append(round(ratio, 3))
        best = [max(p["test"] for p in fronts[*choice, s]) for s in seeds]
        found[" ".join(choice)] = {
            "lut_ratio_to_saturating": each["to_first"],
            "lut_ratio_to_hgq2": each["to_hgq2"],
            "best_accuracy": [round(b, 4) for b in best],
            "seeds": seeds,
        }
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
        "accuracy_above": ABOVE,
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
