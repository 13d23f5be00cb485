"""``python -m tests.benchmarks.search.samplers``: how far each sampler comes in the same processor time.

Four small studies (:mod:`.small_studies`), each with every seed and sampler; a seed is also that of the splits and
trainings, so that the samplers of one seed meet the same problem. Seed by seed, so that a stop leaves whole tables. A
search that is in the record already, with the same study and budget, is not made again (``--again`` makes it), and two
of these commands may run at once, for seeds of their own. ``--most N`` ends after so many new searches, and the next
call goes on: all of it takes hours.

The summary's ``volume`` is the hypervolume as a share of that of the front of all searches of the study and seed
together (another seed has another validation split); ``against_nsga2`` and ``against_random`` are the differences to
NSGA-II and to random draws with the same study and seed; ``rank`` is 1 for the best of a study and seed. A sampler is
``better`` where its mean difference to random is beyond twice its error; ``verdict`` is what the default ought to be:
the better one of the largest difference, and random where none is, which is the simplest.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from tests.benchmarks.search.budget import searched
from tests.benchmarks.search.record import OUTPUT, Searches, spread
from tests.benchmarks.search.small_studies import BOXES, SAMPLERS, described, small_study
from tests.benchmarks.search.volume import ranks

__all__ = ("summary",)

Search = dict[str, Any]


def summary(searches: Sequence[Search]) -> dict[str, Any]:
    """Per study and sampler, and over all: volumes, differences to NSGA-II, and ranks.

    Ranks and differences are of the studies and seeds that every sampler has.
    """
    studies = sorted({s["study"] for s in searches}, key=list(BOXES).index)
    names = [name for name in SAMPLERS if any(s["sampler"] == name for s in searches)]
    whole: dict[tuple[str, int], dict[str, float]] = {}
    tables: dict[str, dict[str, Any]] = {}
    for study in studies:
        here = [s for s in searches if s["study"] == study]
        together = {
            seed: BOXES[study].share([point for s in here if s["seed"] == seed for point in s["front"]])
            for seed in {s["seed"] for s in here}
        }
        shares = {(s["sampler"], s["seed"]): BOXES[study].share(s["front"]) / together[s["seed"]] for s in here}
        tables[study] = {
            name: {
                "volume": spread([v for (n, _), v in shares.items() if n == name]),
                "trials": round(mean(s["trials"] for s in here if s["sampler"] == name)),
            }
            for name in names
            if any(s["sampler"] == name for s in here)
        }
        for seed in sorted({s["seed"] for s in here}):
            of_seed = {n: shares[n, seed] for n in names if (n, seed) in shares}
            if len(of_seed) == len(names):
                whole[study, seed] = of_seed
    placed = {key: ranks(values) for key, values in whole.items()}
    over_all = {
        name: {
            "volume": spread([values[name] for values in whole.values()]),
            "rank": spread([values[name] for values in placed.values()]),
            "against_nsga2": spread([values[name] - values["nsga2"] for values in whole.values()]),
        }
        | _against_random(name, list(whole.values()))
        for name in names
        if whole and "nsga2" in names
    }
    return {"over_all": over_all, "verdict": _verdict(over_all), "studies": tables}


def _against_random(name: str, whole: Sequence[dict[str, float]]) -> dict[str, Any]:
    differences = [values[name] - values["random"] for values in whole if "random" in values]
    if len(differences) < 2 or name == "random":
        return {}
    found = spread(differences)
    error = round(stdev(differences) / len(differences) ** 0.5, 4)
    return {"against_random": found | {"error": error}, "better": found["mean"] > 2 * error}


def _verdict(over_all: dict[str, Any]) -> str:
    compared = {name: row for name, row in over_all.items() if "against_random" in row}
    if not compared:
        return "not measured: random, and each other sampler, need two problems that all have"
    better = {name: row["against_random"]["mean"] for name, row in compared.items() if row["better"]}
    if not better:
        return "random: none is better beyond twice the error"
    return f"{max(better, key=lambda name: better[name])}: better than random beyond twice the error, and by most"


def _key(search: Search) -> tuple[str, int, str]:
    return search["study"], search["seed"], search["sampler"]


def main() -> None:
    """Measure, and write after each search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="processor seconds of each search")
    parser.add_argument("--seeds", default=",".join(map(str, range(1, 11))))
    parser.add_argument("--studies", default=",".join(BOXES))
    parser.add_argument("--samplers", default=",".join(SAMPLERS))
    parser.add_argument("--most", type=int, default=10**6, help="new searches, and no more")
    parser.add_argument("--again", action="store_true", help="also those that are in the record")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    how = {"seconds": options.seconds, "problems": {name: described(name) for name in BOXES}}

    def counts(section: dict[str, Any], search: Search) -> bool:
        study, seconds = search["study"], section["seconds"]
        return bool(seconds == options.seconds and section["problems"].get(study) == how["problems"].get(study))

    searches, made = Searches(options.output, "samplers", counts), 0
    for seed, study, sampler in product(
        map(int, options.seeds.split(",")), options.studies.split(","), options.samplers.split(",")
    ):
        if not options.again and (study, seed, sampler) in map(_key, searches.found()):
            continue
        if made >= options.most:
            break
        made += 1
        entry = searched(small_study(study, sampler, seed), options.seconds, BOXES[study])
        searches.add({"study": study, "sampler": sampler} | entry, _key, lambda found: how | summary(found))
        print(f"{study} {seed} {sampler}: {entry['hypervolume']:.4f}, {entry['trials']} trials", flush=True)
    searches.add(None, _key, lambda found: how | summary(found))  # a record of before this summary
    for name, row in summary(searches.found())["over_all"].items():
        print(name, ", ".join(f"{what} {v['mean']} ± {v['deviation']}" for what, v in row.items()))


if __name__ == "__main__":
    main()
