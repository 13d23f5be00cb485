"""Tables of firmware: what designs take through each flow, folded, wrapped, and beside others' designs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from codesign.flows.expected import REPEATED_FITS
from tests.documents.table_rows import record_of, table_of


def trees_in_hardware() -> str:
    ways = ("trees", "alkaid", "conifer, VHDL", "alkaid, choices between numbers")
    heads = ["depth", "rounds"]
    for way in ways:
        heads += ["flow `trees`" if way == "trees" else way, "latency"]
    rows = []
    for point in sorted(record_of("tree_flows.json")["points"], key=lambda p: (p["rounds"], p["depth"])):
        row = [str(point["depth"]), str(point["rounds"])]
        for way in ways:
            found: Mapping[str, Any] = point["ways"].get(way, {})
            counted = found.get("yosys") if found.get("events_that_differ") == 0 else None
            if counted is None:
                row += ["", ""]
                continue
            row.append(" / ".join(f"{counted[key]:,.0f}" for key in ("lut", "carry", "ff")))
            row.append(f"{found['compiled']['latency_cycles']:.0f}")
        rows.append(row)
    return table_of(heads, rows)


def folded_and_unrolled() -> str:
    rows = record_of("folding.json")["rows"]
    measured = {(r["kind"], r["items"], r["fields"], r["interval"]): r for r in rows if r.get("lut") is not None}
    made = []
    for (kind, items, fields, interval), folded in sorted(measured.items()):
        unrolled = measured.get((kind, items, fields, 1))
        if interval == 1 or unrolled is None:
            continue
        figures = [f"{r['lut']:,.0f}, {r['ff']:,.0f}, {r['latency_cycles']}" for r in (unrolled, folded)]
        ratio = f"{unrolled['lut'] / folded['lut']:.1f}"
        made.append([f"{kind} {items} x {fields}", figures[0], str(interval), figures[1], ratio])
    return table_of(["network", "unrolled LUT, FF, latency", "interval", "folded LUT, FF, latency", "ratio"], made)


def _span(values: list[float]) -> str:
    low, high = (f"{end:,.0f}" for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def front_through_flows() -> str:
    rows: dict[str, dict[tuple[str, str], list[float]]] = {}
    proven: dict[str, str] = {}
    for result in record_of("flows.json")["results"]:
        asked = result["settings"].get("initiation_interval")
        name = result["flow"] + (f", interval of {asked} asked" if asked else "")
        found = rows.setdefault(name, {})
        proven[name] = result["verified"]["proven"]
        for figure in result["figures"]:
            found.setdefault((figure["quantity"], figure["fidelity"]), []).append(figure["value"])
    wanted = (
        ("initiation_interval", "simulated"),
        ("latency_cycles", "simulated"),
        ("lut", "synthesised"),
        ("dsp", "synthesised"),
    )
    made = []
    for name, found in rows.items():
        how = proven[name] if proven[name].endswith("simulation") else f"{proven[name]} simulation"
        made.append([name, how, *(_span(found[key]) if key in found else "" for key in wanted)])
    heads = ["flow", "proven in", "interval, cycles", "latency, cycles (simulated)", "LUT (Yosys)", "DSP (Yosys)"]
    return table_of(heads, made)


def imported_and_traced() -> str:
    rows = []
    for name, row in record_of("imports_keras.json").items():
        if direct := row.get("direct_alkaid"):
            ours = row["imported"]["alkaid"]
            costs = [f"{found['cost']:,.2f}" for found in (ours, direct)]
            clocks = [f"{found['latency_cycles']:.0f}" for found in (ours, direct)]
            rows.append([f"`{name}`", costs[0], clocks[0], costs[1], clocks[1]])
    return table_of(["file", "imported: LUT by alkaid", "cycles", "traced by alkaid itself: LUT", "cycles"], rows)


def families_by_flows() -> str:
    from tests.benchmarks import item_flows  # loads torch

    return item_flows.table(record_of(item_flows.RECORD.name)).rstrip()


def largest_designs() -> str:
    from tests.benchmarks import largest

    return largest.table(record_of(largest.RECORD.name)).rstrip()


def fits() -> str:
    from codesign.calibration import repeated_fits

    return repeated_fits.table(json.loads(REPEATED_FITS.read_text(encoding="utf-8"))).rstrip()


def what_wrappers_add() -> str:
    rows = []
    for name, row in record_of("wrappers.json")["wrappers"].items():
        sizes = [f"{row[part]['lut']:,.0f} / {row[part]['ff']:,.0f}" for part in ("network", "wrapped")]
        rows.append([name, *sizes, *(str(row["clocks"][part]) for part in ("network", "wrapped"))])
    return table_of(["wrapper", "network: LUT / FF", "wrapped", "network: clocks", "wrapped"], rows)


def constituents_designs() -> str:
    made = []
    for items, own in record_of("constituents_bench.json")["items"].items():
        shown = [row for row in own["designs"] if "refused" not in row]
        for row in sorted(shown, key=lambda r: (r["side"], r["interval"], r["seed"], r["lut"])):
            side = {"codesign": "ours", "HGQ2 imported": "HGQ2, imported here"}.get(row["side"], row["side"])
            cells = [items, side, row["training"], str(row["seed"])]
            cells += [f"{row['training_seconds']:.0f}", str(row["epochs"])]
            cells += [str(row["interval"]), f"{row['accuracy']:.4f} ± {row['accuracy_error']:.4f}"]
            made.append([*cells, *(f"{row[key]:,.0f}" for key in ("lut", "ff", "latency_ns"))])
    heads = ["items", "side", "training", "seed", "s of training", "epochs", "interval", "accuracy", "LUT", "FF", "ns"]
    return table_of(heads, made)


def constituents_ratios() -> str:
    made = []
    for items, own in record_of("constituents_bench.json")["items"].items():
        for name, found in own["summary"].items():
            ratio = f"{found['ratio']:.2f} ({found['least']:.2f} to {found['most']:.2f})" if found["reached"] else ""
            aim = f"{found['aim']:g}: {'met' if found['met'] else 'missed'}" if found["aim"] < 1 else ""
            made.append([items, name, f"{found['reached']} of {found['networks']}", ratio, aim])
    return table_of(["items", "what beside what", "reached", "ratio of LUTs", "aim"], made)
