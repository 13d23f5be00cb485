"""``python -m tests.benchmarks.search.workers``: what more workers give, and what the engine itself takes.

Trials a minute by the clock, of the same trials (the small jet tagger, random sampler) with one worker, with two, and
on a Dask cluster of two processes on this machine; peak resident memory of a worker process; and milliseconds a trial
of a toy task whose training costs nothing (``tests/search/plugin``), which is what is left to the engine: drawing,
records, storage, and on a cluster the files of each trial. Needs as many free cores as workers.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from codesign.search.engine import run_study
from codesign.search.progress import Shown, Silent
from codesign.study.definition import Study, parse_study
from tests.benchmarks.search.record import OUTPUT, read_section, write_section
from tests.benchmarks.search.tables import small_study
from tests.search.conftest import PLUGIN
from tests.search.conftest import STUDY as TOY

WAYS = ("one worker", "two workers", "cluster of two")


def processor_seconds() -> float:
    """Of this process and all that it started."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


class _Clock(Silent):
    """Times a search from its first finished trial to its last, and ends it there; looks at its workers' memory."""

    def __init__(self) -> None:
        self._first: tuple[float, float, int] | None = None
        self._last: tuple[float, float, int] = (0.0, 0.0, 0)
        self.peak_bytes = 0

    def show(self, shown: Shown) -> None:
        if shown.stage.startswith("search"):
            self._look()
            if shown.finished > self._last[2]:
                self._last = (time.perf_counter(), processor_seconds(), shown.finished)
                self._first = self._first or self._last
        elif self._first is not None:
            raise KeyboardInterrupt  # the search is over: its proof is not timed

    def _look(self) -> None:
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                self.peak_bytes = max(self.peak_bytes, process.memory_info().rss)

    @property
    def per_trial(self) -> tuple[float, float]:
        """Seconds a trial by the clock, and of processors."""
        assert self._first is not None, "no trial came to its end"
        trials = self._last[2] - self._first[2]
        return (self._last[0] - self._first[0]) / trials, (self._last[1] - self._first[1]) / trials


@contextlib.contextmanager
def _where(way: str) -> Iterator[dict[str, Any]]:
    """The arguments of :func:`run_study` for one way."""
    if way != "cluster of two":
        yield {"workers": 1 + (way == "two workers")}
        return
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, memory_limit=0
    ) as cluster:
        yield {"cluster": cluster.scheduler_address}


def _timed(study: Study, way: str, trials: int, **more: Any) -> _Clock:
    clock = _Clock()
    with tempfile.TemporaryDirectory() as folder, _where(way) as where, contextlib.suppress(KeyboardInterrupt):
        run_study(study, Path(folder) / "run", trials, progress=clock, **where, **more)
    return clock


def real(way: str, trials: int) -> dict[str, Any]:
    """Trials a minute of the small jet tagger, and the memory of the largest process below the driver."""
    clock = _timed(small_study("jet-tagger", "random", 1), way, trials)
    return {
        "trials": trials,
        "trials_per_minute": round(60 / clock.per_trial[0], 1),
        "peak_megabytes_of_a_process": round(clock.peak_bytes / 1e6),
    }


def overhead(way: str, trials: int, repeats: int) -> dict[str, Any]:
    """Milliseconds a trial of the toy task, median of several searches, and their spread."""
    toy = parse_study(TOY, "toy.yaml")
    found = sorted(_timed(toy, way, trials, pipeline="toy").per_trial for _ in range(repeats))
    clock, processors = ([round(1e3 * seconds, 1) for seconds in column] for column in zip(*found, strict=True))
    return {
        "trials": trials,
        "milliseconds_per_trial": median(clock),
        "range": [clock[0], clock[-1]],
        "processor_milliseconds_per_trial": median(processors),
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--trials", type=int, default=40, help="of the jet tagger")
    parser.add_argument("--toys", type=int, default=100, help="trials of the toy")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    sys.path.insert(0, str(PLUGIN))
    for way in options.ways.split(","):
        entry = {"jet-tagger": real(way, options.trials), "toy": overhead(way, options.toys, 3)}
        ways = read_section(options.output, "workers").get("ways", {}) | {way: entry}
        rates = {name: e["jet-tagger"]["trials_per_minute"] for name, e in ways.items()}
        ratios = {n: round(r / rates["one worker"], 2) for n, r in rates.items() if "one worker" in rates}
        write_section(options.output, "workers", {"times_one_worker": ratios, "ways": ways})
        print(way, json.dumps(entry), flush=True)


if __name__ == "__main__":
    main()
