"""Tables of searches and trainings: studies, samplers, families, choices of learned precision."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from statistics import mean, stdev
from typing import Any

from codesign.core.reading.yaml import read_yaml
from codesign.core.resources import locate
from tests.documents.table_rows import record_of, table_of


def studies_changed() -> str:
    """What each shipped study says otherwise than when it was searched."""
    rows = []
    for name, of in record_of("studies.json").items():
        now = _plain(read_yaml(locate("search", name)))
        then = [_plain(run["study"]) for run in of["runs"]]
        for key in sorted({k for old in then for k in now | old if old.get(k) != now.get(k)}):
            was = " or ".join(dict.fromkeys(_written(old.get(key)) for old in then))
            rows.append([f"`{name}`", f"`{key}`", was, _written(now.get(key))])
    return table_of(["study", "key", "as it was searched", "as it is shipped now"], rows)


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


def item_prices() -> str:
    record, made = record_of("item_prices.json"), []
    for row in record["rows"]:
        cells = [row["way"], str(row["seed"]), str(row["epochs"]), f"{row['training_seconds']:.0f}"]
        cells.append(f"{row['best']:.3f}")
        for level in record["levels"]:
            costs = [row[f"lut at {level:.2f}, interval {i}"] for i in (1, 9)]
            cells.append(" / ".join("" if cost is None else f"{cost:,}" for cost in costs))
        made.append(cells)
    return table_of(["", "seed", "epochs", "s", "best", *(f"{level:.2f}" for level in record["levels"])], made)


def studies_on_items() -> str:
    made = []
    for name, own in record_of("item_studies.json")["studies"].items():
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
    return table_of(["study", "metric", "test split", "", "LUT (compiled)", "interval", "ns", "exact"], made)


#: the names of the ranges in the record, and on the page
_RANGES = {
    "saturate magnitude": "saturate, magnitude (the default)",
    "wrap magnitude": "wrap",
    "saturate learned": "learned ranges of weights",
    "wrap learned": "both",
}


def learned_ranges() -> str:
    summary = record_of("learned_ranges.json")["summary"]
    budgets, runs = summary["budgets"], record_of("peers.json")["peers"]["hgq2"]["runs"]
    rows = [
        [said, *(f"{value:.3f} ± {error:.3f}" for value, error in found["accuracy"]), _mean(found["training_seconds"])]
        for name, said in _RANGES.items()
        for found in [summary[name]]
    ]
    for side, said in (("codesign", "the default, longer (`peers.json`)"), ("hgq2", "HGQ2 (`peers.json`)")):
        best = [[_best_within(run[side]["points"], budget) for run in runs] for budget in budgets]
        seconds = _mean([run[side]["training_seconds"] for run in runs])
        rows.append([said, *(f"{mean(of):.3f} ± {stdev(of) / len(of) ** 0.5:.3f}" for of in best), seconds])
    return table_of(["", *(f"{budget:,d} LUT" for budget in budgets), "s of training"], rows)


def _best_within(points: list[Mapping[str, Any]], budget: float) -> float:
    """Test accuracy of the point that is best on validation within so many LUTs by alkaid's cost."""
    return float(max((p for p in points if p["cost"] <= budget), key=lambda p: float(p["validation"]))["test"])


def _mean(values: list[float]) -> str:
    return f"{mean(values):.0f}"


def choices_of_learned_precision() -> str:
    rows = []
    for name, row in record_of("learned.json")["choices"]["table"].items():
        if "difference" in row["test_at_lut"]:
            moved = (row[key]["difference"] for key in ("test_at_lut", "test_hypervolume_lut"))
            rows.append([name, *(f"{of['mean']:+.3f} ± {of['deviation']:.3f}" for of in moved)])
    return table_of(["instead of the default", "accuracy at budgets of LUTs", "hypervolume"], rows)


def families_of(study: str) -> Callable[[], str]:
    def made() -> str:
        families = record_of("families.json")["studies"][study]["searches"]["1"]["families"]
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
        return table_of(["family", *heads], rows)

    return made


def refused_draws() -> str:
    record = record_of("search.json")["refused"]
    ways = {"as_it_comes": "as it comes", "refused": "as a search draws", "told_as_failed": "told that they failed"}
    spaces = ("width", "jet-tagger", "l1-anomaly", "hlt-jet-energy")
    rows = [
        [f"`{sampler}`, {said}", *(f"{record[space][sampler][way]['mean']:.0%}" for space in spaces)]
        for sampler in ("random", "nsga2", "tpe")
        for way, said in ways.items()
        if way in record["width"][sampler]
    ]
    return table_of(["sampler", "`width` 1 to 40, above 20 refused", *(f"`{name}`" for name in spaces[1:])], rows)
