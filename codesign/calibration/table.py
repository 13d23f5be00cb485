"""The calibration's table: every network with what was measured of it, and what each predictor is worth.

A predictor is compared with what comes closer to the chip on the same FPGA: Yosys' netlist on UltraScale+, which no
open tool places; nextpnr's placed and routed design on ECP5 and Nexus.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.calibration.fit import judge, spearman
from codesign.calibration.measure import FINN, RECORD, TARGETS
from codesign.calibration.plan import Member
from codesign.tools.nextpnr_family import FAMILIES

__all__ = ("PUBLISHED", "fits", "table", "text")

#: what others report of their estimates, to compare with
PUBLISHED = {
    "FINNAS (arXiv 2609.16367)": "Spearman 0.854 between FINN's estimate of LUTs and what Vivado found",
    "rule4ml (arXiv 2408.05314)": "a regression from a network's structure to Vitis' figures, errors of 10 to 30 %",
    "JEDI-linear, published post-route designs on VU13P": "20 designs: LUT/cost of alkaid 1.05 +- 0.04, Spearman "
    "0.997; the designs' checkpoints are in no public package, so they are not rebuilt here",
    "HGQ with da4ml on OpenML's jets, 76.9 %, post-route on VU13P (arXiv 2507.04535)": "12,250 LUT published; "
    "rebuilt from the authors' checkpoint by tests.benchmarks.published (published.json)",
}

#: of a fit, what the package ships
_SHIPPED = ("networks", "low", "high", "spearman", "error_fitted", "slope", "intercept", "band")
_ENOUGH = 10
#: FINN's estimates and what they are compared with: stage, quantity -> quantity, fidelity and tool of the other
_OF_FINN = (
    ("analytic", "ebops", "lut", "synthesised", "yosys"),
    ("compiled", "lut", "lut", "synthesised", "yosys"),
    ("compiled", "dsp", "dsp", "synthesised", "yosys"),
    ("compiled", "latency_cycles", "latency_cycles", "simulated", "verilator"),
)


def table(work: Path, members: Sequence[Member]) -> dict[str, Any]:
    """The table of what is in ``work``; networks that are not measured yet are absent."""
    records = [
        json.loads((work / m.name / RECORD).read_text(encoding="utf-8"))
        for m in sorted(members, key=lambda m: m.number)
        if (work / m.name / RECORD).is_file()
    ]
    rows = [_row(record) for record in records]
    return {
        "networks": rows,
        "targets": TARGETS,
        "versions": {name: version(name) for name in ("alkaid", "pyosys", *_packages())},
        "predictors": _predictors(rows),
        "published": PUBLISHED,
    }


def text(made: dict[str, Any]) -> str:
    """A table as JSON, one network or predictor a line."""
    parts = []
    for key, value in made.items():
        lines = ",\n  ".join(json.dumps(v) for v in value) if isinstance(value, list) else ""
        parts.append(f' "{key}": ' + (f"[\n  {lines}\n ]" if lines else json.dumps(value)))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def fits(made: dict[str, Any]) -> list[dict[str, Any]]:
    """What the package ships of a table: the fits of the compiler's own figures, of one quantity to the same one."""
    return [
        {key: p[key] for key in ("family", "quantity", "fidelity", "tool", *_SHIPPED)}
        for p in made["predictors"]
        if p["predictor"]["stage"] == "compiled"
        and p["predictor"]["quantity"] == p["quantity"]
        and p["family"] in TARGETS
    ]


def _packages() -> list[str]:
    return [family.package.replace("_", "-") for family in FAMILIES.values()]


def _row(record: dict[str, Any]) -> dict[str, Any]:
    """One network: the figures of each measurement, and the reason of what failed."""
    measured, failed, seconds = {}, {}, {}
    for stage, found in record["measured"].items():
        seconds[stage] = found["seconds"]
        if "failed" in found:
            failed[stage] = found["failed"]
        else:
            measured[stage] = {f["quantity"]: f["value"] for f in found["figures"]}
    row = {key: record[key] for key in ("name", "config", "stage_delay", "ebops")}
    return row | {"measured": measured, "failed": failed, "seconds": seconds}


def _predictors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for family in TARGETS:
        truth, tool = ("placed", FAMILIES[family].tool) if family in FAMILIES else ("synthesised", "yosys")
        given: list[tuple[str, str, str]] = [("analytic", "ebops", "lut"), ("compiled", "lut", "lut")]
        given.append(("compiled", "ff", "ff"))
        if truth == "placed":
            given.append(("configured", "stage_delay", "fmax"))
            given += [("synthesised", "lut", "lut"), ("synthesised", "ff", "ff")]
        found += [_predictor(rows, family, *one, truth, tool) for one in given]
    for stage, quantity, aim, truth, tool in _OF_FINN:
        found.append(_predictor(rows, FINN, stage, quantity, aim, truth, tool))
    return [predictor for predictor in found if predictor is not None]


def _predictor(
    rows: list[dict[str, Any]], family: str, stage: str, quantity: str, aim: str, truth: str, tool: str
) -> dict[str, Any] | None:
    """One predictor, judged by the networks that have both figures above 0; None where they are too few."""
    pairs = [(_value(r, stage, family, quantity), _value(r, truth, family, aim)) for r in rows]
    networks = [r["name"].rpartition("-")[0] for r, p in zip(rows, pairs, strict=True) if all(p)]
    both = np.array([p for p in pairs if all(p)], dtype=float)
    if len(both) < _ENOUGH:
        return None
    judged = judge(both[:, 0], both[:, 1], same_unit=quantity == aim)
    return (
        {"predictor": {"stage": stage, "quantity": quantity}, "family": family, "quantity": aim}
        | {"fidelity": truth, "tool": tool}
        | asdict(judged)
        | {"spearman_within": _within(both, networks)}
    )


def _within(both: NDArray[np.float64], networks: Sequence[str]) -> dict[str, float]:
    """Rank correlation of (given, found) within each family of networks: not all count bit operations alike."""
    members = {name: both[[n == name for n in networks]] for name in dict.fromkeys(networks)}
    return {name: spearman(part[:, 0], part[:, 1]) for name, part in members.items() if len(part) >= _ENOUGH}


def _value(row: dict[str, Any], stage: str, family: str, quantity: str) -> float | None:
    if stage in ("analytic", "configured"):
        return float(row[quantity])
    found = row["measured"].get(f"{stage}-{family}", {}).get(quantity)
    return None if found is None else float(found)
