"""``python -m tests.benchmarks.search --seconds 180 --seeds 1,2,3``: how far ways of searching come in the same time.

A small jet tagger, one worker, and per way and seed the same budget of *processor* seconds (of all processes of the
run, so that a busy machine changes little). The hypervolume is that of the front of fully trained candidates, on the
validation split, as a share of the box from accuracy 0.2 (chance) and 6,000 LUT to 1 and none. Ways: the samplers, and
``ladder``, NSGA-II with short trainings first. Writes ``reports/reference/search.json``; entries of these ways and
seeds are replaced, others stay.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import psutil

from codesign.dse.engine import run_study
from codesign.dse.progress import Shown, Silent
from codesign.report.hypervolume import hypervolume
from codesign.runfolder import write_atomically
from codesign.study import Study, load_study

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "reports" / "reference" / "search.json"

SAMPLERS = ("nsga2", "nsga3", "tpe", "gp", "random")
WAYS = (*SAMPLERS, "ladder")
_LADDER = {"epochs": [12], "reduction": 3}
_WORST_ACCURACY, _WORST_LUT = 0.2, 6000.0


def study_for(way: str, seed: int) -> Study:
    """The jet tagger with two objectives, and without seeds."""
    data = load_study("jet-tagger").model_dump(mode="json")
    data |= {"seed": seed, "objectives": [o for o in data["objectives"] if o["name"] != "latency_ns"]}
    data["search"] = {"trials": 1000, "population": 12, "sampler": "nsga2" if way == "ladder" else way}
    if way == "ladder":
        data["search"]["ladder"] = _LADDER
    return Study.model_validate(data)


class _Watch(Silent):
    """Notes the hypervolume as it grows, and ends the search when its processor time is spent."""

    def __init__(self, seconds: float) -> None:
        self._most = seconds
        self._start: float | None = None
        self.steps: list[tuple[float, float]] = []
        self.spent, self.trials, self.stopped = 0.0, 0, 0

    def _now(self) -> float:
        me = psutil.Process()
        own = me.cpu_times()
        total = own.user + own.system + own.children_user + own.children_system
        for child in me.children(recursive=True):
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def show(self, shown: Shown) -> None:
        if not shown.stage.startswith("search"):
            return
        now = self._now()
        self._start = now if self._start is None else self._start
        self.spent, self.trials, self.stopped = now - self._start, shown.finished, shown.stopped
        costs = [(1 - accuracy, lut / _WORST_LUT) for _, (accuracy, lut) in shown.front]
        share = hypervolume(costs, (1 - _WORST_ACCURACY, 1.0)) / (1 - _WORST_ACCURACY)
        if share > (self.steps[-1][1] if self.steps else 0.0):
            self.steps.append((round(self.spent, 1), round(share, 5)))
        if self.spent >= self._most:
            raise KeyboardInterrupt


def measured(way: str, seed: int, seconds: float) -> dict[str, Any]:
    """One search from nothing."""
    watch = _Watch(seconds)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        run_study(study_for(way, seed), Path(folder) / "run", workers=1, progress=watch)
    return {
        "way": way,
        "seed": seed,
        "processor_seconds": round(watch.spent, 1),
        "trials": watch.trials,
        "stopped": watch.stopped,
        "hypervolume": watch.steps[-1][1] if watch.steps else 0.0,
        "steps": watch.steps,
    }


def main() -> None:
    """Measure, and write after each search."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=180.0, help="processor seconds of each search")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--ways", default="nsga2,ladder", help=f"of {', '.join(WAYS)}")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    found = json.loads(options.output.read_text(encoding="utf-8"))["searches"] if options.output.is_file() else []
    for seed in (int(s) for s in options.seeds.split(",")):
        for way in options.ways.split(","):
            entry = measured(way, seed, options.seconds)
            found = [e for e in found if (e["way"], e["seed"]) != (way, seed)] + [entry]
            ways = {w: [e["hypervolume"] for e in found if e["way"] == w] for w in WAYS}
            summary = {
                w: {"mean": round(mean(v), 5), "deviation": round(stdev(v), 5) if len(v) > 1 else None, "seeds": len(v)}
                for w, v in ways.items()
                if v
            }
            machine = {"machine": platform.machine(), "cores": os.cpu_count(), "workers": 1}
            record = {"machine": machine, "ladder": _LADDER, "over_seeds": summary, "searches": found}
            write_atomically(options.output, (json.dumps(record, indent=1) + "\n").encode())
            print(f"{way} seed {seed}: {entry['hypervolume']:.4f} after {entry['trials']} trials", flush=True)


if __name__ == "__main__":
    main()
