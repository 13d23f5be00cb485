"""What the pages say of the anomaly trigger: methods in pairs, an embedding, choices without signals, each from its
record, words included: which method beats which is the record's reading."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.documents.table_rows import record_of, table_of

__all__ = ("ANOMALY_TABLES",)

#: what the others are compared with, and the words of a reading from the others' side
_MAIN = "autoencoder"
_TURNED = {"beats": "is beaten by", "is beaten by": "beats", "equals": "equals"}


def _methods() -> str:
    found = record_of("anomaly_rates.json")
    rates = _told(found)
    beside = _beside_main(found)

    def first(name: str) -> float:
        return -float(found["methods"][name]["test"].get(f"tpr_mean_{rates[0]}", [0.0])[0])

    rows = []
    for name in sorted(found["methods"], key=first):
        test, row, read = found["methods"][name]["test"], [name], []
        for metric in (f"tpr_mean_{rate}" for rate in rates):
            row.append("{:.3f} ± {:.3f}".format(*test[metric][:2]) if metric in test else "not told")
            pair = beside.get(name, {}).get(metric)
            read.append("-" if pair is None else _TURNED[pair["reading"]])
        rows.append([*row, "" if name == _MAIN else " / ".join(read)])
    return table_of(
        ["method", *(f"{rate} ({found['khz'][rate]:.1f} kHz)" for rate in rates), f"beside the {_MAIN}"], rows
    )


def _told(found: Mapping[str, Any]) -> list[str]:
    return [rate for rate in found["khz"] if any(rate in m["rates"] for m in found["methods"].values())]


def _beside_main(found: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each other method the differences of the main one to it, by metric."""
    turned = {"value": lambda v: -v, "better": lambda v: 1 - v, "reading": _TURNED.__getitem__}
    beside = {pair["other"]: pair["difference"] for pair in found["paired"] if pair["one"] == _MAIN}
    for pair in found["paired"]:
        if pair["other"] == _MAIN:
            beside[pair["one"]] = {
                metric: {key: turned.get(key, lambda v: v)(value) for key, value in said.items()}
                for metric, said in pair["difference"].items()
            }
    return beside


def _said(by_name: Mapping[str, str | None]) -> str:
    """What one is beside others, in words, of the reading of each; None where it is not told."""
    parts = []
    for reading in ("beats", "equals", "is beaten by"):
        names = [name for name, own in by_name.items() if own == reading]
        if reading == "beats" and names:
            parts.append(f"beats {len(names)} of {len(by_name)}")
        elif names:
            parts.append(f"{reading} {', '.join(names)}")
    if unknown := [name for name, own in by_name.items() if own is None]:
        parts.append(f"is not told beside {', '.join(unknown)}")
    return "; ".join(parts) or "has nothing beside it"


def _readings() -> str:
    found, lines = record_of("anomaly_rates.json"), []
    beside = _beside_main(found)
    for rate in _told(found):
        readings = {n: beside.get(n, {}).get(f"tpr_mean_{rate}", {}).get("reading") for n in found["methods"]}
        readings.pop(_MAIN, None)
        lines.append(f"- At {rate} the {_MAIN} {_said(readings)}.")
    for rate, best in found.get("best of the fronts", {}).items():
        point = found["fronts"][best["point"]]
        value, error = point["test"][f"tpr_mean_{rate}"][:2]
        readings = {name: best["less"].get(name, {}).get("reading") for name in found["methods"]}
        luts = [f"{point['lut'][key]:,.0f} LUT {key}" for key in ("synthesised", "compiled") if key in point["lut"]][:1]
        runs = " and ".join(f"`{run}`" for run in dict.fromkeys(row["run"] for row in found["fronts"].values()))
        lines.append(
            f"- Of the {best['points']} points of the fronts of {runs} the best at {rate} by the test split itself,"
            f" which flatters it, is of `{point['family']}` ({', '.join(luts)}): {value:.3f} ± {error:.3f}."
            f" It {_said(readings)}."
        )
    if missing := [rate for rate in found["khz"] if rate not in _told(found)]:
        lines.append(f"- At {', '.join(missing)} nothing is told.")
    return "\n".join(lines)


def _embedding() -> str:
    found = record_of("embedding_front.json")
    rate = found["rates"][-1]
    metric = f"tpr_mean_{rate}"
    test = {
        name: {point["trial"]: point["test"][metric] for point in points} for name, points in found["fronts"].items()
    }
    one, other = found["studies"]
    rows = []
    for pair in sorted(found["paired"], key=lambda p: p.get("lut", [0])[0]):
        own = "{:.3f} ± {:.3f}".format(*test[one][pair["trial"]])
        if pair["beside"] is None:
            luts = next(p["lut (synthesised)"] for p in found["fronts"][one] if p["trial"] == pair["trial"])
            rows.append([f"{luts:,.0f}", own, "all take more", "", "", "not compared"])
            continue
        gap = pair["difference"][metric]
        rows.append(
            [
                f"{pair['lut'][0]:,.0f}", own, f"{pair['lut'][1]:,.0f}",
                "{:.3f} ± {:.3f}".format(*test[other][pair["beside"]]),
                f"{gap['value']:+.3f} ± {gap['error']:.3f}", gap["reading"],
            ]
        )  # fmt: skip
    heads = ["embedding: LUT", f"efficiency at {rate}", "autoencoder: LUT", "efficiency", "difference", "the embedding"]
    return table_of(heads, rows)


def _without_signals() -> str:
    found = record_of("label_free.json")
    metric = f"tpr_mean_{found['rate']}"
    ways = {
        "labelled": "all five signals",
        "held-out": "the other four, for each in turn",
        "synthetic": "synthetic anomalies",
    }
    rows = []
    for way, said in ways.items():
        own = found["chosen"][way]
        trials, gap = own["trial"], own["less the labelled"][metric]
        which = str(trials) if isinstance(trials, int) else ", ".join(map(str, dict.fromkeys(trials.values())))
        families = own["family"] if isinstance(own["family"], str) else ", ".join(dict.fromkeys(own["family"].values()))
        row = [said, which, families, "{:.3f} ± {:.3f}".format(*own["test"][metric])]
        row += ["", ""] if way == "labelled" else [f"{gap['value']:+.3f} ± {gap['error']:.3f}", gap["reading"]]
        rows.append(row)
    heads = ["chosen by", "trial", "family", f"efficiency at {found['rate']}", "less the first", "it"]
    return table_of(heads, rows)


ANOMALY_TABLES: dict[str, Callable[[], str]] = {
    "methods of the anomaly trigger": _methods,
    "readings of the anomaly trigger": _readings,
    "an embedding beside the autoencoder": _embedding,
    "chosen without signals": _without_signals,
}
