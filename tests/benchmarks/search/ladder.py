"""``python -m tests.benchmarks.search.ladder``: short trainings first against every trial in full, in the same time.

The jet tagger as shipped (without its latency), the default sampler (TPE), one worker, and the same processor seconds
for each way: all in full, and two ladders. Summary: the volume that each way has at the end, and how many seconds a
ladder takes to what the plain search of the same seed ends with. Draws ``search.svg`` beside the record. A search that
is in the record already, with the same budget, is not made again (``--again`` makes it). ``search.rungs`` says why.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import mean, median
from typing import Any

from codesign.study.definition import Study, load_study
from tests.benchmarks.search.budget import searched
from tests.benchmarks.search.record import OUTPUT, Searches, spread
from tests.benchmarks.search.small_studies import BOXES
from tests.benchmarks.search.volume import at, reached

__all__ = ("summary",)

#: of the study's 90 epochs, those of the first training of each candidate; None for no ladder
WAYS: dict[str, int | None] = {"plain": None, "12 epochs first": 12, "45 epochs first": 45}
_COLOURS = ("#D55E00", "#0072B2", "#009E73")
_BOX = BOXES["jet-tagger"]

Search = dict[str, Any]


def study_for(way: str, seed: int) -> Study:
    """The jet tagger with two objectives."""
    data = load_study("jet-tagger").model_dump(mode="json")
    data |= {"seed": seed, "objectives": [o for o in data["objectives"] if o["name"] != "latency_ns"]}
    data["search"] = {"trials": 1000, "population": 12}
    if (epochs := WAYS[way]) is not None:
        data["search"]["ladder"] = {"epochs": [epochs]}
    return Study.model_validate(data)


def summary(searches: Sequence[Search], seconds: float) -> dict[str, Any]:
    """Each way at the end and half-way, and per seed how long it takes to the plain search's end."""
    steps = {(s["way"], s["seed"]): [(t, v) for t, v in s["steps"]] for s in searches}
    ways = {
        way: {
            "volume": spread([at(v, seconds) for (w, _), v in steps.items() if w == way]),
            "volume_half_way": spread([at(v, seconds / 2) for (w, _), v in steps.items() if w == way]),
            "drawn": round(mean(s["trials"] for s in searches if s["way"] == way)),
            "trained_in_full": round(mean(s["trials"] - s["stopped"] for s in searches if s["way"] == way)),
        }
        for way in WAYS
        if any(w == way for w, _ in steps)
    }
    times: dict[str, dict[str, float | None]] = {}
    for seed in sorted({seed for way, seed in steps if way == "plain"}):
        goal = at(steps["plain", seed], seconds)
        times[str(seed)] = {way: reached(steps[way, seed], goal) for way in ways if (way, seed) in steps}
    over_plain = {}
    for way in ways:
        of_seeds = [(t[way], t["plain"]) for t in times.values() if way in t]
        known = [mine / plain for mine, plain in of_seeds if mine and plain]
        over_plain[way] = round(median(known), 2) if known and len(known) == len(of_seeds) else None
    return {"ways": ways, "seconds_to_the_plain_end": times, "over_plain_median": over_plain}


def _key(search: Search) -> tuple[str, int]:
    return search["way"], search["seed"]


def drawn(searches: Sequence[Search], seconds: float, output: Path) -> None:
    """Hypervolume against processor time: a thin line per search, a thick one for the mean of a way."""
    import matplotlib
    import numpy as np
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.hashsalt": "codesign", "font.size": 12}):
        canvas = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = canvas.add_subplot()
        times = np.linspace(0, seconds, 361)
        for (way, epochs), colour in zip(WAYS.items(), _COLOURS, strict=True):
            curves = [[at(s["steps"], t) for t in times] for s in searches if s["way"] == way]
            for curve in curves:
                axes.step(times, curve, where="post", color=colour, linewidth=0.8, alpha=0.5)
            if curves:
                label = "every trial in full" if epochs is None else f"{epochs} of 90 epochs first"
                axes.step(times, np.mean(curves, axis=0), where="post", color=colour, linewidth=2.4, label=label)
        last = [at(s["steps"], seconds) for s in searches]
        axes.set(xlim=(0, seconds), ylim=(0.6 * min(last), 1.04 * max(last)))
        axes.set_xlabel("processor time [s]")
        axes.set_ylabel("hypervolume of the front")
        axes.grid(alpha=0.25)
        axes.legend(loc="lower right", frameon=False)
        # no date in the file: the same record gives the same picture
        canvas.savefig(output, metadata={"Date": None})


def main() -> None:
    """Measure, and write after each search."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=150.0, help="processor seconds of each search")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--again", action="store_true", help="also those that are in the record")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    how = {
        "seconds": options.seconds,
        "first_epochs": WAYS,
        "objectives": ["accuracy", "lut"],
        "best": list(_BOX.best),
        "reference_point": list(_BOX.worst),
    }
    searches = Searches(
        options.output, "ladder", lambda section, _: all(section.get(key) == value for key, value in how.items())
    )
    for seed, way in product(map(int, options.seeds.split(",")), options.ways.split(",")):
        if not options.again and (way, seed) in map(_key, searches.found()):
            continue
        entry = searched(study_for(way, seed), options.seconds, _BOX)
        searches.add({"way": way} | entry, _key, lambda found: how | summary(found, options.seconds))
        print(f"{way} {seed}: {entry['hypervolume']:.4f}, {entry['trials']} trials", flush=True)
    print(json.dumps(summary(searches.found(), options.seconds), indent=1))
    drawn(searches.found(), options.seconds, options.output.with_suffix(".svg"))


if __name__ == "__main__":
    main()
