"""``python -m tests.benchmarks.search.wary``: what it gains to draw again what looks like trials that failed.

In the tables of candidates that were evaluated once (:mod:`.tables`), under a bound on look-up tables that half of the
candidates break: which ones is known only after their training. Each sampler searches each table with each seed, at the
recorded cost and its own, with and without :mod:`codesign.search.wariness`: the share of candidates that break the
bound, and the hypervolume of those that keep it, as a share of the table's. ``gain`` is the difference, paired, with
the error of its mean. A search that is in the record, with the same table and bound, is not made again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from codesign.study.definition import Constraint, Study
from tests.benchmarks.search.record import OUTPUT, Searches, spread
from tests.benchmarks.search.replay import replayed
from tests.benchmarks.search.samplers import SAMPLERS, SECONDS, whole_share
from tests.benchmarks.search.tables import BOXES, Entry, read_tables, small_study
from tests.benchmarks.search.volume import Box, at

__all__ = ("bounded", "summary")

WAYS = {"wary": True, "as_it_comes": False}


def bounded(name: str, sampler: str, seed: int, table: Mapping[str, Entry]) -> Study:
    """The small study under a bound that half of its candidates break."""
    study, most = small_study(name, sampler, seed), bound_of(table)
    others = tuple(c for c in study.constraints if c.name != "lut")
    return study.model_copy(update={"constraints": (*others, Constraint(name="lut", max=most))})


def bound_of(table: Mapping[str, Entry]) -> float:
    """The look-up tables that half of the candidates keep to."""
    return round(median(e.figures["lut"] for e in table.values() if e.refused is None))


def summary(searches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Per study and sampler, and per sampler over all."""
    found: dict[str, dict[str, Any]] = {}
    for study in (*BOXES, "over_all"):
        for sampler in SAMPLERS:
            here = [s for s in searches if s["sampler"] == sampler and study in (s["study"], "over_all")]
            pairs = [p for p in _pairs(here) if len(p) == len(WAYS)]
            if not pairs:
                continue
            row: dict[str, Any] = {
                way: {key: spread([p[way][key] for p in pairs]) for key in ("broke", "volume")} for way in WAYS
            }
            gains = [p["wary"]["volume"] - p["as_it_comes"]["volume"] for p in pairs]
            if len(gains) > 1:
                row["gain"] = {"mean": round(mean(gains), 4), "error": round(stdev(gains) / len(gains) ** 0.5, 4)}
            found.setdefault(study, {})[sampler] = row
    return found


def _pairs(searches: Sequence[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """Of each study and seed the searches, by their way."""
    found: dict[tuple[str, int], dict[str, dict[str, Any]]] = {}
    for s in searches:
        found.setdefault((s["study"], s["seed"]), {})[s["way"]] = s
    return list(found.values())


def _key(search: Mapping[str, Any]) -> tuple[Any, ...]:
    return search["study"], search["seed"], search["sampler"], search["way"]


def _box(name: str, table: Mapping[str, Entry]) -> Box:
    """The study's, with the bound as the worst of the look-up tables."""
    box, at_lut = BOXES[name], [o.name for o in small_study(name, "random", 1).objectives].index("lut")
    worst = tuple(bound_of(table) if i == at_lut else value for i, value in enumerate(box.worst))
    return Box(box.directions, box.best, worst)


def main() -> None:
    """Replay what the record lacks, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    tables = read_tables()
    bounds = {name: bound_of(table) for name, table in tables.items()}
    boxes = {name: _box(name, table) for name, table in tables.items()}
    whole = {n: whole_share(bounded(n, "random", 1, table), table, boxes[n]) for n, table in tables.items()}
    made = {"bounds": bounds, "whole_volume": {name: round(share, 5) for name, share in whole.items()}}

    def counts(section: dict[str, Any], search: dict[str, Any]) -> bool:
        return all(section[key].get(search["study"]) == made[key].get(search["study"]) for key in made)

    searches = Searches(options.output, "wary", counts)
    wanted = product(range(1, options.seeds + 1), options.samplers.split(","), tables, WAYS.items())
    for seed, sampler, name, (way, wary) in wanted:
        if (name, seed, sampler, way) in map(_key, searches.found()):
            continue
        study = bounded(name, sampler, seed, tables[name])
        found = replayed(study, tables[name], SECONDS[name], boxes[name], wary=wary)
        entry = {"study": name, "sampler": sampler, "seed": seed, "way": way, "trials": found["trials"]}
        entry |= {"broke": round(found["others"] / found["trials"], 4)}
        entry |= {"volume": round(at(found["steps"], SECONDS[name]) / whole[name], 4)}
        searches.add(entry, _key, lambda every: made | summary(every))
    for name, row in summary(searches.found())["over_all"].items():
        print(name, json.dumps(row))


if __name__ == "__main__":
    main()
