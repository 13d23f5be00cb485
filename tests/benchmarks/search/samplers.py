"""``python -m tests.benchmarks.search.samplers``: how far each sampler comes in the same processor time.

Four small studies of which every candidate was evaluated once, for real (:mod:`.tables`): each sampler searches each
table with each seed, as a search draws and tells, at the recorded cost of candidates and its own (:mod:`.replay`). A
search that is in the record already, with the same table and budget, is not made again (``--again`` makes it).

The summary's ``volume`` is the hypervolume as a share of that of the table's own front; ``against_random`` is the
difference to random draws with the same study and seed, paired, its ``error`` that of the mean; ``half_way`` the same
at half the time; ``rank`` is 1 for the best of a study and seed. A sampler is ``better`` where its mean difference to
random is beyond twice its error; ``verdict`` is what the default ought to be: the better one of the largest difference,
and random where none is, which is the simplest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from codesign.study.definition import Study
from tests.benchmarks.search.record import OUTPUT, Searches, spread
from tests.benchmarks.search.replay import replayed
from tests.benchmarks.search.tables import BOXES, TABLES, Entry, described, every, read_tables, small_study
from tests.benchmarks.search.volume import Box, at, ranks

__all__ = ("SAMPLERS", "SECONDS", "summary", "whole_share")

SAMPLERS = ("nsga2", "tpe", "random")
#: those that were compared, gained nothing, and are offered no more: what they came to stays in the record
RETIRED = ("nsga3", "gp")
#: processor seconds of a search; of trees, where a training is shared, more candidates fit in
SECONDS = {"jet-tagger": 20.0, "jet-tagger-trees": 20.0, "l1-anomaly": 20.0, "hlt-jet-energy": 15.0}

Search = dict[str, Any]


def summary(searches: Sequence[Search], whole: Mapping[str, float]) -> dict[str, Any]:
    """Per study and sampler, and over all; ``whole``: of each study, the share of its box that its table's front has.

    Differences are of the studies and seeds that a sampler and random draws have, ranks of those that every one has.
    """
    names = [name for name in (*SAMPLERS, *RETIRED) if any(s["sampler"] == name for s in searches)]
    found: dict[tuple[str, int], dict[str, tuple[float, float]]] = {}
    tables: dict[str, dict[str, Any]] = {}
    for study in (s for s in BOXES if any(one["study"] == s for one in searches)):
        here = [s for s in searches if s["study"] == study]
        for s in here:
            shares = tuple(at(s["steps"], t) / whole[study] for t in (SECONDS[study], SECONDS[study] / 2))
            found.setdefault((study, s["seed"]), {})[s["sampler"]] = (shares[0], shares[1])
        pairs = [v for (name, _), v in found.items() if name == study]
        tables[study] = {
            name: {
                "volume": spread([at(s["steps"], SECONDS[study]) / whole[study] for s in here if s["sampler"] == name]),
                "trials": round(mean(s["trials"] for s in here if s["sampler"] == name)),
                "sampling_seconds": round(mean(s["sampling_seconds"] for s in here if s["sampler"] == name), 2),
            }
            | _against(name, "random", pairs)
            for name in names
            if any(s["sampler"] == name for s in here)
        }
    complete = [v for v in found.values() if len(v) == len(names)]
    placed = [ranks({name: end for name, (end, _) in v.items()}) for v in complete]
    over_all = {
        name: {"volume": spread([v[name][0] for v in found.values() if name in v])}
        | ({"rank": spread([v[name] for v in placed])} if placed else {})
        | _against(name, "random", list(found.values()))
        for name in names
    }
    return {"over_all": over_all, "verdict": _verdict(over_all), "studies": tables}


def _against(name: str, other: str, every: Sequence[Mapping[str, tuple[float, float]]]) -> dict[str, Any]:
    """The paired difference to another sampler, at the end and half-way."""
    every = [v for v in every if name in v and other in v]
    if name == other or len(every) < 2:
        return {}
    ends, halves = ([v[name][k] - v[other][k] for v in every] for k in (0, 1))
    row = {
        when: {"mean": round(mean(d), 4), "error": round(stdev(d) / len(d) ** 0.5, 4), "searches": len(d)}
        for when, d in ((f"against_{other}", ends), ("half_way", halves))
    }
    return row | {"better": row[f"against_{other}"]["mean"] > 2 * row[f"against_{other}"]["error"]}


def _verdict(over_all: Mapping[str, Any]) -> str:
    compared = {name: row for name, row in over_all.items() if "against_random" in row}
    if not compared:
        return "not measured: random, and each other sampler, need two problems that all have"
    better = {name: row["against_random"]["mean"] for name, row in compared.items() if row["better"]}
    if not better:
        return "random: none is better beyond twice the error"
    return f"{max(better, key=lambda name: better[name])}: better than random beyond twice the error, and by most"


def _key(search: Search) -> tuple[str, int, str]:
    return search["study"], search["seed"], search["sampler"]


def whole_share(study: Study, table: Mapping[str, Entry], box: Box) -> float:
    """Share of the box that a table's candidates which are feasible in the study dominate together."""
    limits = {c.name: c.max for c in study.constraints if c.max is not None}
    points = [
        [e.figures[o.name] if o.name in e.figures else e.metrics[o.name][0] for o in study.objectives]
        for e in table.values()
        if e.refused is None and all(e.figures.get(name, 0.0) <= most for name, most in limits.items())
    ]
    return box.share(points)


def main() -> None:
    """Replay what the record lacks, and write after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default=",".join(map(str, range(1, 11))))
    parser.add_argument("--studies", default=",".join(BOXES))
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--again", action="store_true", help="also those that are in the record")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    tables = read_tables()
    tables = {n: t for n, t in tables.items() if len(t) == sum(1 for _ in every(small_study(n, "random", 1)))}
    names = [name for name in options.studies.split(",") if name in tables]
    hashes = {n: hashlib.sha256(repr(sorted(t.items())).encode()).hexdigest()[:16] for n, t in tables.items()}
    whole = {n: whole_share(small_study(n, "random", 1), t, BOXES[n]) for n, t in tables.items()}
    problems = {
        n: described(n) | {
            "candidates": len(t), "refused": sum(e.refused is not None for e in t.values()), "table": hashes[n],
            "whole_volume": round(whole[n], 5), "seconds": SECONDS[n],
        }
        for n, t in tables.items()
    }  # fmt: skip
    made = {
        "how": f"replayed in tables of candidates that were evaluated once ({TABLES.name}), at their recorded seconds "
        "and the sampler's own; splits and trainings are the same for all seeds",
        "problems": json.loads(json.dumps(problems)),
    }

    def counts(section: dict[str, Any], search: Search) -> bool:
        return bool(section.get("problems", {}).get(search["study"]) == made["problems"].get(search["study"]))

    searches = Searches(options.output, "samplers", counts)
    for seed, study, sampler in product(map(int, options.seeds.split(",")), names, options.samplers.split(",")):
        if not options.again and (study, seed, sampler) in map(_key, searches.found()):
            continue
        entry = replayed(small_study(study, sampler, seed), tables[study], SECONDS[study], BOXES[study])
        entry = {"study": study, "sampler": sampler} | entry
        searches.add(entry, _key, lambda found: made | summary(found, whole))
        print(
            f"{study} {seed} {sampler}: {entry['hypervolume'] / whole[study]:.4f}, {entry['trials']} trials", flush=True
        )
    found = summary(searches.found(), whole)
    for name, row in found["over_all"].items():
        print(name, json.dumps(row))
    print(found["verdict"])


if __name__ == "__main__":
    main()
