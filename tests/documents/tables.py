"""Tables of a page that are made from a record, whole.

::

    <!--| trees in hardware -->
    ...
    <!--|/-->
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from statistics import mean, stdev
from typing import Any

from codesign.core.reading.yaml import read_yaml
from codesign.core.resources import locate
from codesign.flows.expected import REPEATED_FITS
from codesign.physics.detector import level1
from tests.documents.numbers import RECORDS

__all__ = ("TABLE", "TABLES", "fill_tables")

TABLE = re.compile(r"<!--\| (?P<name>[^>/]+?) -->\n.*?<!--\|/-->", re.DOTALL)


def fill_tables(text: str) -> str:
    """The page with each table as its record has it; ValueError, in one line, for a table that nobody makes."""
    return TABLE.sub(lambda found: f"<!--| {found['name']} -->\n{_made(found['name'])}\n<!--|/-->", text)


@cache
def _made(name: str) -> str:
    if name not in TABLES:
        raise ValueError(f"there is no table '{name}': expected one of {', '.join(TABLES)}")
    return TABLES[name]()


@cache
def _record(name: str) -> Any:
    return json.loads((RECORDS / name).read_text(encoding="utf-8"))


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _trees_in_hardware() -> str:
    ways = ("trees", "alkaid", "conifer, VHDL", "alkaid, choices between numbers")
    heads = ["depth", "rounds"]
    for way in ways:
        heads += ["flow `trees`" if way == "trees" else way, "latency"]
    rows = []
    for point in sorted(_record("tree_flows.json")["points"], key=lambda p: (p["rounds"], p["depth"])):
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
    return _table(heads, rows)


def _folded_and_unrolled() -> str:
    rows = _record("folding.json")["rows"]
    measured = {(r["kind"], r["items"], r["fields"], r["interval"]): r for r in rows if r.get("lut") is not None}
    made = []
    for (kind, items, fields, interval), folded in sorted(measured.items()):
        unrolled = measured.get((kind, items, fields, 1))
        if interval == 1 or unrolled is None:
            continue
        figures = [f"{r['lut']:,.0f}, {r['ff']:,.0f}, {r['latency_cycles']}" for r in (unrolled, folded)]
        ratio = f"{unrolled['lut'] / folded['lut']:.1f}"
        made.append([f"{kind} {items} x {fields}", figures[0], str(interval), figures[1], ratio])
    return _table(["network", "unrolled LUT, FF, latency", "interval", "folded LUT, FF, latency", "ratio"], made)


def _span(values: list[float]) -> str:
    low, high = (f"{end:,.0f}" for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _front_through_flows() -> str:
    rows: dict[str, dict[tuple[str, str], list[float]]] = {}
    proven: dict[str, str] = {}
    for result in _record("flows.json")["results"]:
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
    return _table(heads, made)


def _imported_and_traced() -> str:
    rows = []
    for name, row in _record("imports_keras.json").items():
        if direct := row.get("direct_alkaid"):
            ours = row["imported"]["alkaid"]
            costs = [f"{found['cost']:,.2f}" for found in (ours, direct)]
            clocks = [f"{found['latency_cycles']:.0f}" for found in (ours, direct)]
            rows.append([f"`{name}`", costs[0], clocks[0], costs[1], clocks[1]])
    return _table(["file", "imported: LUT by alkaid", "cycles", "traced by alkaid itself: LUT", "cycles"], rows)


def _studies_changed() -> str:
    """What each shipped study says otherwise than when it was searched."""
    rows = []
    for name, of in _record("studies.json").items():
        now = _plain(read_yaml(locate("search", name)))
        then = [_plain(run["study"]) for run in of["runs"]]
        for key in sorted({k for old in then for k in now | old if old.get(k) != now.get(k)}):
            was = " or ".join(dict.fromkeys(_written(old.get(key)) for old in then))
            rows.append([f"`{name}`", f"`{key}`", was, _written(now.get(key))])
    return _table(["study", "key", "as it was searched", "as it is shipped now"], rows)


def _plain(study: Any) -> dict[str, Any]:
    """Without what does not change a search; the items of lists apart."""
    found: dict[str, Any] = {}
    for key, value in study.items():
        if isinstance(value, list):
            found |= {f"{key}: {item['name'] if isinstance(item, dict) else item}": item for item in value}
        elif isinstance(value, dict):
            found |= {f"{key}.{inner}": of for inner, of in value.items()}
        elif key != "description":
            found[key] = value
    return found


def _written(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _families_by_flows() -> str:
    from tests.benchmarks import item_flows  # loads torch

    return item_flows.table(_record(item_flows.RECORD.name)).rstrip()


def _largest_designs() -> str:
    from tests.benchmarks import largest

    return largest.table(_record(largest.RECORD.name)).rstrip()


def _fits() -> str:
    from codesign.calibration import repeated_fits

    return repeated_fits.table(json.loads(REPEATED_FITS.read_text(encoding="utf-8"))).rstrip()


def _what_wrappers_add() -> str:
    rows = []
    for name, row in _record("wrappers.json")["wrappers"].items():
        sizes = [f"{row[part]['lut']:,.0f} / {row[part]['ff']:,.0f}" for part in ("network", "wrapped")]
        rows.append([name, *sizes, *(str(row["clocks"][part]) for part in ("network", "wrapped"))])
    return _table(["wrapper", "network: LUT / FF", "wrapped", "network: clocks", "wrapped"], rows)


def _jets_of_the_simulation() -> str:
    rows = []
    for tier, regions in _record("detector.json")["dijets"].items():
        for region, bins in regions.items() if isinstance(regions, dict) else ():
            row = [tier.upper() if tier != "offline" else tier, region]
            for some in ([b for b in bins if b["high"] <= _HARD], [b for b in bins if b["low"] >= _HARD]):
                row.append(_between([b["response"] for b in some]))
                row.append(_between([b["resolution"] / b["published"] for b in some if b["published"]]))
            rows.append(row)
    heads = [
        f"{what}, {where} {_HARD} GeV" for where in ("below", "above") for what in ("response", "over CMS' resolution")
    ]
    return _table(["jets", "region", *heads], rows)


#: pT in GeV from which on the simulation is meant to be right
_HARD = 50


def _between(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


#: rows and columns of the record of constituents, and what the page calls them
_JUDGED = {
    "JEDI-linear, constituents with their number, seed 1": "with the number of constituents",
    "JEDI-linear, constituents alone, seed 1": "constituents alone",
    "boosted trees, 32 hardest": "boosted trees, 16 features of the 32 hardest",
    "boosted trees, all constituents": "boosted trees, 16 features of all constituents",
}
_SAMPLES = {
    "test": "test split",
    "generated anew": "jets of another seed of the card",
    "published": "published jets",
}


def _constituents_judged() -> str:
    record = _record("constituents.json")
    rows = [
        [said, *("{accuracy:.3f} ± {error:.3f}".format(**of[s]) if s in of else "not judged" for s in _SAMPLES)]
        for name, said in _JUDGED.items()
        for of in [record["rows"][name]]
    ]
    return _table(["", *_SAMPLES.values()], rows)


def _constituents_and_trees() -> str:
    rows = []
    for name, said in _JUDGED.items():
        if beside := _record("constituents.json")["rows"][name].get("less the trees"):
            both = (beside[trees] for trees in ("32 hardest", "all constituents"))
            rows.append([said, *(f"{of['difference']:+.3f} ± {of['error']:.3f}" for of in both)])
    return _table(["less the trees on", "the 32 hardest", "all constituents"], rows)


#: what the others are compared with, and the words of a reading from the others' side
_MAIN = "autoencoder"
_TURNED = {"beats": "is beaten by", "is beaten by": "beats", "equals": "equals"}


def _anomaly_methods() -> str:
    record = _record("anomaly_rates.json")
    rates = [rate for rate in record["khz"] if any(rate in m["rates"] for m in record["methods"].values())]
    beside = {pair["other"]: pair["difference"] for pair in record["paired"] if pair["one"] == _MAIN}

    def first(name: str) -> float:
        return -float(record["methods"][name]["test"].get(f"tpr_mean_{rates[0]}", [0.0])[0])

    rows = []
    for name in sorted(record["methods"], key=first):
        test, row, read = record["methods"][name]["test"], [name], []
        for metric in (f"tpr_mean_{rate}" for rate in rates):
            row.append("{:.3f} ± {:.3f}".format(*test[metric][:2]) if metric in test else "not told")
            found = beside.get(name, {}).get(metric)
            read.append("-" if found is None else _TURNED[found["reading"]])
        rows.append([*row, "" if name == _MAIN else " / ".join(read)])
    return _table(
        ["method", *(f"{rate} ({record['khz'][rate]:.1f} kHz)" for rate in rates), f"beside the {_MAIN}"], rows
    )


def _constituents_designs() -> str:
    made = []
    for items, own in _record("constituents_bench.json")["items"].items():
        shown = [row for row in own["designs"] if "refused" not in row]
        for row in sorted(shown, key=lambda r: (r["side"], r["interval"], r["seed"], r["lut"])):
            side = {"codesign": "ours", "HGQ2 imported": "HGQ2, imported here"}.get(row["side"], row["side"])
            cells = [items, side, row["training"], str(row["seed"]), f"{row['training_seconds']:.0f}"]
            cells += [str(row["interval"]), f"{row['accuracy']:.4f} ± {row['accuracy_error']:.4f}"]
            made.append([*cells, *(f"{row[key]:,.0f}" for key in ("lut", "ff", "latency_ns"))])
    heads = ["items", "side", "training", "seed", "s of training", "interval", "accuracy", "LUT", "FF", "ns"]
    return _table(heads, made)


def _constituents_ratios() -> str:
    made = []
    for items, own in _record("constituents_bench.json")["items"].items():
        for name, found in own["summary"].items():
            ratio = f"{found['ratio']:.2f} ({found['least']:.2f} to {found['most']:.2f})" if found["reached"] else ""
            aim = f"{found['aim']:g}: {'met' if found['met'] else 'missed'}" if found["aim"] < 1 else ""
            made.append([items, name, f"{found['reached']} of {found['networks']}", ratio, aim])
    return _table(["items", "what beside what", "reached", "ratio of LUTs", "aim"], made)


def _item_prices() -> str:
    record, made = _record("item_prices.json"), []
    for row in record["rows"]:
        cells = [row["way"], str(row["seed"]), str(row["epochs"]), f"{row['training_seconds']:.0f}"]
        cells.append(f"{row['best']:.3f}")
        for level in record["levels"]:
            costs = [row[f"lut at {level:.2f}, interval {i}"] for i in (1, 9)]
            cells.append(" / ".join("" if cost is None else f"{cost:,}" for cost in costs))
        made.append(cells)
    return _table(["", "seed", "epochs", "s", "best", *(f"{level:.2f}" for level in record["levels"])], made)


def _studies_on_items() -> str:
    made = []
    for name, own in _record("item_studies.json")["studies"].items():
        for point in sorted(own["points"], key=lambda p: p["figures"]["lut (compiled)"]):
            figures = point["figures"]
            also = [f"{m} {of['value']:.3f}" for m, of in point["objectives"].items() if m != own["metric"]]
            cells = [name, own["metric"], f"{point['value']:.3f} ± {point['error']:.3f}", ", ".join(also)]
            cells += [f"{figures['lut (compiled)']:,.0f}", f"{figures['initiation_interval (compiled)']:.0f}"]
            cells += [f"{figures['latency_ns (compiled)']:.0f}", "in RTL" if point["exact"] else "no"]
            made.append(cells)
        for other, metrics in own["best"]["beside"].items():
            if (of := metrics.get(own["metric"])) is not None:
                less = f"best design less this: {of['difference']:+.3f} ± {of['error']:.3f}"
                made.append([name, own["metric"], f"{of['baseline']:.3f}", less, other, "", "", ""])
    return _table(["study", "metric", "test split", "", "LUT (compiled)", "interval", "ns", "exact"], made)


def _seed_rates() -> str:
    record, rows = _record("l1_rates.json"), []
    then = record["chosen by published rates"]["values"]
    now = json.loads(json.dumps(level1.CHOSEN_BY_RATES))
    changed = [part for part, value in now.items() if then.get(part) != value]
    for name, row in record["seeds"].items():
        known = row["published"]
        ratio = f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})" if "ratio" in row else "none fires"
        rates = [f"{of['khz']:.3g} ± {of['error']:.2g}" for of in (known, row)]
        said = row.get("reading", "not told")
        if any(part in name for part in changed):
            said += ", before the Level 1 of today"
        rows.append([f"`{name}`", *rates, ratio, said])
    return _table(["seed", "CMS, kHz", "here, kHz", "ratio", "the ratio is"], rows)


#: the names of the ranges in the record, and on the page
_RANGES = {
    "saturate magnitude": "saturate, magnitude (the default)",
    "wrap magnitude": "wrap",
    "saturate learned": "learned ranges of weights",
    "wrap learned": "both",
}


def _learned_ranges() -> str:
    summary = _record("learned_ranges.json")["summary"]
    budgets, runs = summary["budgets"], _record("peers.json")["peers"]["hgq2"]["runs"]
    rows = [
        [said, *(f"{value:.3f} ± {error:.3f}" for value, error in found["accuracy"]), _mean(found["training_seconds"])]
        for name, said in _RANGES.items()
        for found in [summary[name]]
    ]
    for side, said in (("codesign", "the default, longer (`peers.json`)"), ("hgq2", "HGQ2 (`peers.json`)")):
        best = [[_best_within(run[side]["points"], budget) for run in runs] for budget in budgets]
        seconds = _mean([run[side]["training_seconds"] for run in runs])
        rows.append([said, *(f"{mean(of):.3f} ± {stdev(of) / len(of) ** 0.5:.3f}" for of in best), seconds])
    return _table(["", *(f"{budget:,d} LUT" for budget in budgets), "s of training"], rows)


def _best_within(points: list[Mapping[str, Any]], budget: float) -> float:
    """Test accuracy of the point that is best on validation within so many LUTs by alkaid's cost."""
    return float(max((p for p in points if p["cost"] <= budget), key=lambda p: float(p["validation"]))["test"])


def _mean(values: list[float]) -> str:
    return f"{mean(values):.0f}"


def _choices_of_learned_precision() -> str:
    rows = []
    for name, row in _record("learned.json")["choices"]["table"].items():
        if "difference" in row["test_at_lut"]:
            moved = (row[key]["difference"] for key in ("test_at_lut", "test_hypervolume_lut"))
            rows.append([name, *(f"{of['mean']:+.3f} ± {of['deviation']:.3f}" for of in moved)])
    return _table(["instead of the default", "accuracy at budgets of LUTs", "hypervolume"], rows)


def _families_of(study: str) -> Callable[[], str]:
    def made() -> str:
        families = _record("families.json")["studies"][study]["searches"]["1"]["families"]
        rows = [
            [
                f"`{name}`",
                *(str(of[key]) for key in ("trials", "points_on_the_front")),
                *(f"{of[key]:.4f}" for key in ("hypervolume_without_it", "hypervolume_alone")),
                f"{of['processor_seconds']:.0f}",
            ]
            for name, of in families.items()
        ]
        heads = ["trials", "points on the front", "hypervolume without it", "of it alone", "processor seconds"]
        return _table(["family", *heads], rows)

    return made


def _refused_draws() -> str:
    record = _record("search.json")["refused"]
    ways = {"as_it_comes": "as it comes", "refused": "as a search draws", "told_as_failed": "told that they failed"}
    spaces = ("width", "jet-tagger", "l1-anomaly", "hlt-jet-energy")
    rows = [
        [f"`{sampler}`, {said}", *(f"{record[space][sampler][way]['mean']:.0%}" for space in spaces)]
        for sampler in ("random", "nsga2", "tpe")
        for way, said in ways.items()
        if way in record["width"][sampler]
    ]
    return _table(["sampler", "`width` 1 to 40, above 20 refused", *(f"`{name}`" for name in spaces[1:])], rows)


TABLES: dict[str, Callable[[], str]] = {
    "choices of learned precision": _choices_of_learned_precision,
    "constituents judged": _constituents_judged,
    "constituents and trees": _constituents_and_trees,
    "jets of the simulation": _jets_of_the_simulation,
    "families of jet-tagger-all": _families_of("jet-tagger-all"),
    "families of l1-anomaly-all": _families_of("l1-anomaly-all"),
    "learned ranges": _learned_ranges,
    "refused draws": _refused_draws,
    "trees in hardware": _trees_in_hardware,
    "imported and traced by alkaid itself": _imported_and_traced,
    "the front through the flows": _front_through_flows,
    "studies that changed since": _studies_changed,
    "families on items by flows": _families_by_flows,
    "the largest designs": _largest_designs,
    "fits by kind of circuit": _fits,
    "what wrappers add": _what_wrappers_add,
    "methods of the anomaly trigger": _anomaly_methods,
    "rates of Level-1 seeds": _seed_rates,
    "folded and unrolled": _folded_and_unrolled,
    "designs on constituents beside HGQ2": _constituents_designs,
    "LUTs on constituents beside HGQ2": _constituents_ratios,
    "what prices of items gain": _item_prices,
    "studies on items": _studies_on_items,
}
