"""Tables of physics: jets, rates and triggers beside what is published or in pairs."""

from __future__ import annotations

import json

from codesign.physics.detector import level1
from tests.documents.table_rows import record_of, table_of


def jets_of_the_simulation() -> str:
    rows = []
    for tier, regions in record_of("detector.json")["dijets"].items():
        for region, bins in regions.items() if isinstance(regions, dict) else ():
            row = [tier.upper() if tier != "offline" else tier, region]
            for some in ([b for b in bins if b["high"] <= _HARD], [b for b in bins if b["low"] >= _HARD]):
                row.append(_between([b["response"] for b in some]))
                row.append(_between([b["resolution"] / b["published"] for b in some if b["published"]]))
            rows.append(row)
    heads = [
        f"{what}, {where} {_HARD} GeV" for where in ("below", "above") for what in ("response", "over CMS' resolution")
    ]
    return table_of(["jets", "region", *heads], rows)


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


def constituents_judged() -> str:
    record = record_of("constituents.json")
    rows = [
        [said, *("{accuracy:.3f} ± {error:.3f}".format(**of[s]) if s in of else "not judged" for s in _SAMPLES)]
        for name, said in _JUDGED.items()
        for of in [record["rows"][name]]
    ]
    return table_of(["", *_SAMPLES.values()], rows)


def constituents_and_trees() -> str:
    rows = []
    for name, said in _JUDGED.items():
        if beside := record_of("constituents.json")["rows"][name].get("less the trees"):
            both = (beside[trees] for trees in ("32 hardest", "all constituents"))
            rows.append([said, *(f"{of['difference']:+.3f} ± {of['error']:.3f}" for of in both)])
    return table_of(["less the trees on", "the 32 hardest", "all constituents"], rows)


#: what the others are compared with, and the words of a reading from the others' side
_MAIN = "autoencoder"
_TURNED = {"beats": "is beaten by", "is beaten by": "beats", "equals": "equals"}


def anomaly_methods() -> str:
    record = record_of("anomaly_rates.json")
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
    return table_of(
        ["method", *(f"{rate} ({record['khz'][rate]:.1f} kHz)" for rate in rates), f"beside the {_MAIN}"], rows
    )


def seed_rates() -> str:
    record, rows = record_of("l1_rates.json"), []
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
    return table_of(["seed", "CMS, kHz", "here, kHz", "ratio", "the ratio is"], rows)
