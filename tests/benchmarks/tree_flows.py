"""Boosted trees as hardware: the flow ``trees``, alkaid's tables, and alkaid with choices between numbers.


    python -m tests.benchmarks.tree_flows [--points 2x10,4x20,...] [--conifer PYTHON] [--output FILE]

For each depth and number of rounds a classifier of two classes by scikit-learn (16 inputs of 8 bits, synthetic, seed
0) becomes a design of 10-bit leaves, firmware for the target vu13p-360, and look-up tables, flip-flops and carries by
Yosys. Every one is compared with exact arithmetic. With ``--conifer``, an interpreter that has conifer, pybind11 and
scikit-learn, the same trees by conifer as well (:mod:`.conifer_trees`; it needs GHDL). Writes
``reports/reference/tree_flows.json`` after each point, and goes on with what is not there; prints a table.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.families.trees.branches import tree_of
from codesign.families.trees.tree_model import TreeModel
from codesign.flows.alkaid.alkaid_domain import Signals
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.base import Flow
from codesign.flows.trees.flow import Trees
from codesign.graph.domain import Domain
from codesign.graph.exact import Exact
from codesign.graph.reader import read_graph
from codesign.testing.graphs import kind_of, port_of_one_kind
from tests.benchmarks.conifer_trees import conifer_way
from tests.trees import ROOT, commit_of

__all__ = ("POINTS", "measured", "trained")

POINTS = tuple((depth, rounds) for rounds in (10, 30, 100) for depth in (2, 3, 4, 5, 6))
INPUTS, BITS, LEAF_BITS = 16, 8, 10
TARGET = "vu13p-360"
_SECONDS = 900.0
#: of each step of conifer's way
_CONIFER_SECONDS = 1200.0
#: the name of its way
CONIFER = "conifer, VHDL"


def trained(depth: int, rounds: int) -> TreeModel:
    """Trees of scikit-learn on codes of 8 bits, as values of step 1/32."""
    from sklearn.ensemble import GradientBoostingClassifier

    rng = np.random.default_rng(0)
    x = np.clip(np.round(rng.normal(size=(4000, INPUTS)) * 32), -128, 127) / 32
    y = x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + x[:, 3] - np.abs(x[:, 4]) + rng.normal(size=len(x)) / 2 > 0
    model = GradientBoostingClassifier(n_estimators=rounds, max_depth=depth, random_state=0).fit(x, y)
    trees = []
    for number, (one,) in enumerate(model.estimators_):
        t = one.tree_
        trees.append(
            tree_of(
                f"tree {number}",
                left=t.children_left.tolist(),
                right=t.children_right.tolist(),
                features=t.feature.tolist(),
                thresholds=t.threshold.tolist(),
                values=(t.value[:, 0, 0] * model.learning_rate).tolist(),
                leaves=(t.children_left < 0).tolist(),
                goes_left="<=",
                output=0,
            )
        )
    return TreeModel(
        kind="onnx",
        source=f"scikit-learn {version('scikit-learn')}",
        content=b"",
        objective="two classes",
        features=tuple(f"x{i}" for i in range(INPUTS)),
        outputs=("margin",),
        trees=tuple(trees),
        base=np.zeros(1),
        single=False,
    )


@contextmanager
def _choices() -> Iterator[None]:
    """alkaid without its form of a tree: choices between numbers."""
    own = Signals.decide
    Signals.decide = Domain.decide  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Signals.decide = own  # type: ignore[method-assign]


def measured(depth: int, rounds: int, choices: bool) -> dict[str, Any]:
    """One point: what each way takes."""
    design = trained(depth, rounds).design(port_of_one_kind(kind_of(BITS, True, 5), INPUTS), LEAF_BITS)
    found: dict[str, Any] = {"depth": depth, "rounds": rounds, "ways": {}}
    found["ways"]["trees"] = _way(Trees(), design)
    found["ways"]["alkaid"] = _way(Alkaid(), design)
    if choices:
        with _choices():
            found["ways"]["alkaid, choices between numbers"] = _way(Alkaid(), design)
    return found


def by_conifer(depth: int, rounds: int, python: str, cpp: bool) -> dict[str, Any]:
    """One point by conifer; where it ends in an error, or takes too long, the row says so."""
    model, port = trained(depth, rounds), port_of_one_kind(kind_of(BITS, True, 5), INPUTS)
    design = model.design(port, LEAF_BITS)
    codes, truth = _truth(design)
    with tempfile.TemporaryDirectory() as folder:
        try:
            return conifer_way(
                model.rounded(LEAF_BITS), design, codes, truth, python, TARGET, Path(folder), _CONIFER_SECONDS, cpp=cpp
            )
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as error:
            return {"not_measured": _why(error)}


def _why(error: Exception) -> str:
    """Why there is no row, without the paths of this machine."""
    if isinstance(error, subprocess.TimeoutExpired):
        tool = next((w for w in map(str, error.cmd) if w.startswith("codesign.")), str(error.cmd[0]))
        return f"{tool} was stopped after {error.timeout:g} s"
    return re.sub(r"\S*/([^/\s]+)", r"\1", " ".join(str(error).split()))[:300]


def _truth(design: Any) -> tuple[Any, Any]:
    """Codes that every way is tried with, and what exact arithmetic gives."""
    codes = probe_codes(design.inputs, 2000)
    return codes, design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))


def _way(flow: Flow, design: Any) -> dict[str, Any]:
    codes, truth = _truth(design)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        firmware = flow.compile(design, load_target(TARGET), Path(folder) / "firmware")
        seconds = time.process_time() - began
        compiled = {f.quantity: f.value for f in flow.figures(firmware)}
        synthesised = {f.quantity: f.value for f in flow.synthesise(firmware, Path(folder) / "yosys", _SECONDS)}
        differ = int((flow.predict(firmware, codes) != truth).any(axis=1).sum())
    return {
        "compiled": compiled,
        "yosys": synthesised,
        "events": len(codes),
        "events_that_differ": differ,
        "compile_seconds": round(seconds, 2),
    }


def _table(points: list[dict[str, Any]]) -> str:
    lines = [
        "| depth | rounds | way | LUT | carry | FF | latency, cycles | events that differ |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for p in points:
        for name, way in p["ways"].items():
            if "yosys" not in way:
                lines.append(f"| {p['depth']} | {p['rounds']} | {name} | {way['not_measured'][:60]} | | | | |")
                continue
            y = way["yosys"]
            lines.append(
                f"| {p['depth']} | {p['rounds']} | {name} | {y['lut']:.0f} | {y['carry']:.0f} | {y['ff']:.0f} | "
                f"{way['compiled']['latency_cycles']:.0f} | {way['events_that_differ']} of {way['events']} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Measure what is not there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", default=",".join(f"{d}x{r}" for d, r in POINTS))
    parser.add_argument("--output", type=Path, default=ROOT / "reports" / "reference" / "tree_flows.json")
    parser.add_argument("--conifer", help="an interpreter that has conifer, pybind11 and scikit-learn")
    parser.add_argument("--cpp", action="store_true", help="and its C++ back end, which takes a minute to compile")
    options = parser.parse_args()
    there = json.loads(options.output.read_text(encoding="utf-8"))["points"] if options.output.exists() else []
    for text in options.points.split(","):
        depth, rounds = (int(v) for v in text.split("x"))
        point = next((p for p in there if (p["depth"], p["rounds"]) == (depth, rounds)), None)
        if point is not None and ("yosys" in point["ways"].get(CONIFER, {}) or options.conifer is None):
            continue
        if point is None:
            point = measured(depth, rounds, choices=rounds <= 10)
            there.append(point)
        if options.conifer is not None:
            point["ways"][CONIFER] = by_conifer(depth, rounds, options.conifer, cpp=options.cpp)
        there.sort(key=lambda p: (p["rounds"], p["depth"]))
        record = {
            "commit": commit_of(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "target": TARGET,
            "inputs": INPUTS,
            "input_bits": BITS,
            "leaf_bits": LEAF_BITS,
            "tools": {"trained by": f"scikit-learn {version('scikit-learn')}", "yosys": version("pyosys"),
                      "alkaid": version("alkaid")},
            "points": there,
        }  # fmt: skip
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"depth {depth}, {rounds} rounds: done", flush=True)
    print(_table(there))


if __name__ == "__main__":
    main()
