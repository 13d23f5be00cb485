"""``python -m tests.benchmarks.learned_front``: fronts of ``mlp-learned`` and of ``mlp`` on one split.

One training per seed gives a whole front of ``mlp-learned``; each point of ``mlp`` is a training of its own. Networks
are chosen on the validation split and judged on the test split, through the firmware's own integers, at budgets of
EBOPs and of LUT (the compiler's cost). Also the time of a step beside that of the same network in float32
(:mod:`tests.benchmarks.training_ways`). Writes ``reports/reference/learned.json``.
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
from statistics import mean
from typing import Any

import numpy as np
import torch

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.targets import load_target
from codesign.data.generated import generated_sample
from codesign.data.sample import Splits
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.learned_front import Checkpoint, checkpoints
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.flows.alkaid.flow import Alkaid
from codesign.training import export
from codesign.training.lesson import Subject
from codesign.training.loop import train
from tests.benchmarks.training_ways import training_step

ROOT = Path(__file__).resolve().parents[2]
BUDGETS = (300, 600, 1200, 2500, 5000)
LOSS = torch.nn.functional.cross_entropy

#: widths, bits of weights and activations, bits of inputs, sparsity: what a search finds useful in ``mlp``
MLP_POINTS = (
    ((16, 16), 3, 4, 0.9),
    ((32, 16), 3, 4, 0.9),
    ((32, 16), 3, 5, 0.8),
    ((32, 16), 4, 6, 0.85),
    ((64, 32), 3, 5, 0.9),
    ((64, 32), 4, 6, 0.9),
    ((64, 32, 32), 4, 6, 0.9),
    ((64, 32, 32), 4, 6, 0.85),
    ((64, 32, 32), 4, 6, 0.8),
    ((64, 32, 32), 4, 6, 0.7),
)


class Bench:
    """The sample, its split, and what is measured of a network."""

    def __init__(self, card: str, events: int, work: Path) -> None:
        self.sample = generated_sample(card, events)
        splits = Splits(0.6, 0.2, 0.2, 1)
        self.train, self.val, self.test = (self.sample.part(n, splits) for n in ("train", "validation", "test"))
        self.target, self.work, self.count = load_target("vu13p-360"), work, 0

    def inputs(self, bits: int) -> InputQuantisation:
        """The quantisation of the inputs, fitted on the training split."""
        return InputQuantisation.fit(self.train.x, self.sample.feature_names, self.sample.units, bits)

    def values(self, quantisation: InputQuantisation, part: Any) -> Any:
        """Values of a part on the inputs' grid."""
        return quantisation.port.values(quantisation.codes(part.x))

    def measured(self, network: Any, quantisation: InputQuantisation, ebops: float) -> dict[str, Any]:
        """Compile; accuracy from the firmware's integers on validation and test."""
        design = export.export(network, quantisation, self.sample.class_names)
        flow = Alkaid()
        self.count += 1
        firmware = flow.compile(design, self.target, self.work / str(self.count))
        row: dict[str, Any] = {"ebops": round(ebops), "lut": round(firmware.extra["lut"])}
        row["latency_cycles"] = firmware.latency_cycles
        for part in (self.val, self.test):
            codes = quantisation.codes(part.x)
            integers = flow.predict(firmware, codes)
            assert np.array_equal(integers, export.brevitas_codes(network, design, codes))
            right = design.outputs.values(integers).argmax(axis=1) == part.y
            row[part.name] = round(float(right.mean()), 4)
        return row

    def learned(self, seed: int, limit: int, epochs: int, **config: Any) -> tuple[list[dict[str, Any]], float]:
        """One front of ``mlp-learned``, each point compiled; and the seconds of its training."""
        chosen = LearnedMLPConfig(**({"widths": (64, 32, 32)} | config))
        base = self.inputs(chosen.input_bits)
        start = time.perf_counter()
        found: list[Checkpoint] = checkpoints(
            chosen,
            self.values(base, self.train),
            self.train.y,
            self.values(base, self.val),
            self.val.y,
            LOSS,
            outputs=len(self.sample.class_names),
            epochs=epochs,
            seed=seed,
            limit=limit,
        )
        seconds = time.perf_counter() - start
        rows = [self.measured(c.network, c.network.input_quantisation(base), c.ebops) for c in found]
        return rows, round(seconds, 1)

    def fixed(self, seed: int, epochs: int) -> tuple[list[dict[str, Any]], float]:
        """Points of ``mlp``, one training each."""
        rows, seconds = [], 0.0
        for widths, bits, inputs, sparsity in MLP_POINTS:
            config = MLPConfig(
                widths=widths,
                weight_bits=(bits,) * (len(widths) + 1),
                activation_bits=(bits,) * len(widths),
                input_bits=inputs,
                sparsity=sparsity,
            )
            base = self.inputs(inputs)
            start = time.perf_counter()
            torch.manual_seed(seed)
            network = MLP().build(config, Subject.of_sizes(self.train.x.shape[1], len(self.sample.class_names)))
            train(
                network,
                self.values(base, self.train),
                self.train.y,
                LOSS,
                epochs=epochs,
                batch=512,
                learning_rate=0.02,
                sparsity=sparsity,
                seed=seed,
            )
            seconds += time.perf_counter() - start
            ebops = config.cost(self.train.x.shape[1], len(self.sample.class_names))
            rows.append(self.measured(network.eval(), base, ebops))
        return rows, round(seconds, 1)


def at_budgets(rows: list[dict[str, Any]], cost: str) -> dict[str, Any]:
    """For each budget the network that is best on validation, and its accuracy on test."""
    found = {}
    for budget in BUDGETS:
        affordable = [r for r in rows if r[cost] <= budget]
        if affordable:
            best = max(affordable, key=lambda r: r["validation"])
            found[str(budget)] = {cost: best[cost], "validation": best["validation"], "test": best["test"]}
    return found


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", default="jets-13tev")
    parser.add_argument("--events", type=int, default=25000)
    parser.add_argument("--epochs", type=int, default=1200, help="of a front of mlp-learned")
    parser.add_argument("--mlp-epochs", type=int, default=100, help="of each point of mlp")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--limit", type=int, default=16, help="networks compiled of each front")
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "learned.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    report: dict[str, Any] = {
        "card": arguments.card,
        "events": arguments.events,
        "epochs": {"mlp-learned": arguments.epochs, "mlp": arguments.mlp_epochs},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "versions": {name: version(name) for name in ("torch", "brevitas", "alkaid")},
        "step_milliseconds": training_step()["milliseconds_per_step"],
        "fronts": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.card, arguments.events, Path(folder))
        runs: dict[str, Callable[[int], tuple[list[dict[str, Any]], float]]] = {
            "mlp-learned": lambda seed: bench.learned(seed, arguments.limit, arguments.epochs),
            "mlp": lambda seed: bench.fixed(seed, arguments.mlp_epochs),
        }
        for family, run in runs.items():
            for seed in arguments.seeds:
                rows, seconds = run(seed)
                entry = {"family": family, "seed": seed, "training_seconds": seconds, "points": rows}
                entry |= {f"at_{cost}": at_budgets(rows, cost) for cost in ("ebops", "lut")}
                report["fronts"].append(entry)
                lines = {b: f"{p['test']:.4f}" for b, p in entry["at_lut"].items()}
                print(f"{family:12} seed {seed}: {seconds:6.1f} s, test accuracy at LUT {lines}", flush=True)
    error = mean(np.sqrt(p["test"] * (1 - p["test"]) / len(bench.test)) for e in report["fronts"] for p in e["points"])
    report["statistical_error_of_test"] = round(float(error), 4)
    if arguments.output.is_file():  # of tests.benchmarks.learned_choices
        report |= {k: v for k, v in json.loads(arguments.output.read_text()).items() if k == "choices"}
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")
    print(f"step: {report['step_milliseconds']}; wrote {arguments.output}")


if __name__ == "__main__":
    main()
