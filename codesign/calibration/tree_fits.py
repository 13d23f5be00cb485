"""Calibration of boosted trees: what the flows' own counts of look-up tables are worth beside Yosys' netlist.


    python -m codesign.calibration.tree_fits WORK [--seconds S] [--output TABLE]

Ensembles of the family ``trees``, spread over depths, rounds, bits and outputs, on the training problem of
:mod:`codesign.calibration.plan`; each compiled by the flows ``trees`` and ``alkaid`` for UltraScale+. What is measured
stays in WORK, and the same command goes on. Writes the table, and the fits that :mod:`codesign.flows.expected` ships.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from codesign.calibration.fit import judge
from codesign.calibration.plan import FEATURES, events
from codesign.calibration.table import text
from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.families.trees.config import TreesConfig
from codesign.families.trees.family import BoostedTrees
from codesign.flows.base import Flow
from codesign.flows.expected import TREE_FITS
from codesign.graph.cost import graph_cost
from codesign.tasks.heads import LossObjective
from codesign.training.lesson import Budget, Fold, FoldTarget, Lesson, Subject

__all__ = ("TreeMember", "fits_of_trees", "main", "table_of_trees", "tree_plan")

_FLOWS = ("trees", "alkaid")
_TARGET = "vu13p-360"
_MEMBERS, _TRAINED_ON, _TIMEOUT = 60, 4000, 600.0
_PREDICTORS = (("compiled", "lut", "lut"), ("compiled", "ff", "ff"), ("analytic", "ebops", "lut"))
_SHIPPED = ("networks", "low", "high", "spearman", "error_fitted", "slope", "intercept", "band")


@dataclass(frozen=True)
class TreeMember:
    """One ensemble of the plan: 5 outputs are classes, 2 are two classes, 1 is a number."""

    number: int
    config: TreesConfig
    outputs: int

    def design(self) -> Design:
        """Grow it."""
        x, y = events()
        objective = LossObjective("squared" if self.outputs == 1 else "cross-entropy")
        subject = Subject.of_sizes(FEATURES, self.outputs, objective)
        target: FoldTarget = y
        if self.outputs < 5:
            target = x[:, 0] * x[:, 1] + x[:, 2] if self.outputs == 1 else (y > 2).astype(np.int64)
        inputs = InputQuantisation.fit(x, subject.inputs, ("1",) * FEATURES, self.config.input_bits)
        values, head = inputs.port.values(inputs.codes(x)), subject.heads[0].name
        folds = [Fold(values[part], {head: target[part]}) for part in (slice(_TRAINED_ON), slice(_TRAINED_ON, None))]
        family, lesson = BoostedTrees(), Lesson(subject, inputs, *folds)
        rounds = self.config.rounds or 1
        files = family.fit(self.config.training(), lesson, Budget(rounds, 1, 1.0), self.number)
        return family.pick(files, self.config, lesson).design()


def tree_plan(members: int = _MEMBERS) -> list[TreeMember]:
    """Always the same ensembles: any first part of them covers all sizes."""
    rng, found = np.random.default_rng(5), []
    for number in range(members):
        depth, outputs = int(rng.integers(2, 7)), (5, 2, 1)[int(rng.integers(0, 3))]
        most = min(60.0, 6000 / (1 << depth) / (5 if outputs == 5 else 1))
        rounds = int(np.exp(rng.uniform(np.log(2), np.log(max(3.0, most)))))
        config = TreesConfig(
            depth=depth, rounds=rounds, input_bits=int(rng.integers(4, 11)), leaf_bits=int(rng.integers(3, 11)),
            pruning=float(rng.choice([0, 0.3])), learning_rate=float(rng.choice([0.1, 0.3])),
        )  # fmt: skip
        found.append(TreeMember(number, config, outputs))
    return found


def _measure(one: TreeMember, folder: Path) -> dict[str, Any]:
    """Compile with each flow anew; Yosys' figures are kept."""
    record = folder / "yosys.json"
    kept = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    if not (folder / "design.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        one.design().save(folder)
    design, measured = Design.load(folder), {}
    for name in _FLOWS:
        flow = plugins.load(Flow, name)
        firmware = flow.compile(design, load_target(_TARGET), folder / name / "firmware")
        measured[f"compiled-{name}"] = {f.quantity: f.value for f in flow.figures(firmware)}
        if name not in kept:
            found = flow.synthesise(firmware, folder / name / "yosys", _TIMEOUT)
            kept[name] = {f.quantity: f.value for f in found}
            write_atomically(record, (json.dumps(kept) + "\n").encode())
        measured[f"synthesised-{name}"] = kept[name]
    costs = {
        "expected": one.config.cost(FEATURES, one.outputs),
        "ebops": graph_cost(design).bit_operations,
    }
    return (
        {"name": f"trees-{one.number:03d}", "config": one.config.record(), "outputs": one.outputs}
        | costs
        | {"measured": measured}
    )


def table_of_trees(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The table of what was measured, and what each predictor is worth."""
    predictors = []
    for flow in _FLOWS:
        for stage, quantity, aim in _PREDICTORS:
            pairs = np.array([(_give(row, stage, flow, quantity), row["measured"][f"synthesised-{flow}"][aim])
                              for row in rows], dtype=np.float64)  # fmt: skip
            judged = asdict(judge(pairs[:, 0], pairs[:, 1], same_unit=quantity == aim))
            predictors.append(
                {"predictor": {"stage": stage, "quantity": quantity}, "flow": flow, "family": "xcup", "quantity": aim,
                 "fidelity": "synthesised", "tool": "yosys"} | judged
            )  # fmt: skip
    least = min(row["measured"]["compiled-trees"]["lut"] / row["expected"] for row in rows)
    versions = {name: version(name) for name in ("alkaid", "pyosys", "scikit-learn")}
    return {"ensembles": list(rows), "target": _TARGET, "versions": versions, "predictors": predictors,
            "least_lut_by_expected_cost": round(least, 4)}  # fmt: skip


def _give(row: dict[str, Any], stage: str, flow: str, quantity: str) -> float:
    return float(row[quantity] if stage == "analytic" else row["measured"][f"compiled-{flow}"][quantity])


def fits_of_trees(made: dict[str, Any]) -> list[dict[str, Any]]:
    """What the package ships of a table."""
    return [
        {"flow": p["flow"], "kind": "trees"}
        | {key: p[key] for key in ("family", "quantity", "fidelity", "tool", *_SHIPPED)}
        for p in made["predictors"]
        if p["predictor"]["stage"] == "compiled"
    ]


def main() -> None:
    """Measure the plan's ensembles that are not measured yet, for at most so many seconds; write table and fits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path, help="where designs and firmware go; the same folder goes on")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no ensemble after this time")
    parser.add_argument("--output", type=Path, help="write the table here, and the fits")
    options = parser.parse_args()
    start, rows = time.monotonic(), []
    for one in tree_plan():
        folder = options.work / f"{one.number:03d}"
        if (folder / "yosys.json").is_file() or time.monotonic() - start < options.seconds:
            rows.append(_measure(one, folder))
            print(rows[-1]["name"], flush=True)
    if options.output is not None:
        made = table_of_trees(rows)
        write_atomically(options.output, text(made).encode())
        write_atomically(TREE_FITS, (json.dumps(fits_of_trees(made), indent=1) + "\n").encode())
        print(f"{len(rows)} ensembles: {options.output}")


if __name__ == "__main__":
    main()
