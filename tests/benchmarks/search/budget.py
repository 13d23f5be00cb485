"""A search that ends when its processor time is spent, and what it had found when."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from codesign.search.engine import run_study
from codesign.search.progress import Shown, Silent
from codesign.study.definition import Study
from tests.benchmarks.search.volume import Box, Step

__all__ = ("Watch", "processor_seconds", "searched")


class Watch(Silent):
    """Notes the hypervolume as it grows, and ends the search when its processor time is spent.

    The time is that of all processes of the run, the sampler's and the engine's too, so that a busy machine changes
    little. It runs from the end of the first trial, in which the worker loads all that it needs: with it, a third of so
    short a search would be the start of a process.
    """

    def __init__(self, seconds: float, box: Box) -> None:
        self._most, self._box = seconds, box
        self._start: float | None = None
        self._looked = (0, 0.0)
        self.steps: list[Step] = []
        self.front: list[tuple[float, ...]] = []
        self.spent = 0.0
        self.clock = 0.0
        self._began = 0.0
        self.counts: dict[str, int] = {}

    def show(self, shown: Shown) -> None:
        finished, at = self._looked
        clock = time.monotonic()
        # looking at all processes takes time, too: only at the end of a trial, and now and then within a long one
        if (
            not shown.stage.startswith("search")
            or not shown.finished
            or (shown.finished == finished and clock < at + 1)
        ):
            return
        self._looked = (shown.finished, clock)
        now = processor_seconds()
        if self._start is None:
            self._start, self._began = now, clock
        self.spent, self.clock = now - self._start, clock - self._began
        states = ("complete", "infeasible", "failed", "stopped")
        self.counts = {state: getattr(shown, state) for state in states}
        self.front = [values for _, values in shown.front]
        share = self._box.share(self.front)
        if share > (self.steps[-1][1] if self.steps else 0.0):
            self.steps.append((round(self.spent, 1), round(share, 5)))
        if self.spent >= self._most:
            raise KeyboardInterrupt


def processor_seconds() -> float:
    """Of this process and all that it started."""
    me = psutil.Process()
    total = 0.0
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def searched(study: Study, seconds: float, box: Box) -> dict[str, Any]:
    """One search from nothing, with one worker and nothing taken from a store, ended after so many processor seconds.

    Of the record, ``front`` are the objectives of the fully trained candidates that none dominates, on the validation
    split; ``steps`` are processor seconds and share of the box; ``clock_seconds`` is what the search took by the clock,
    in which one worker and the engine work at the same time.
    """
    watch = Watch(seconds, box)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(KeyboardInterrupt):
        run_study(study, Path(folder) / "run", workers=1, progress=watch)
    return {
        "seed": study.seed,
        "processor_seconds": round(watch.spent, 1),
        "clock_seconds": round(watch.clock, 1),
        "trials": sum(watch.counts.values()),
        **{state: count for state, count in watch.counts.items() if state != "complete"},
        "hypervolume": watch.steps[-1][1] if watch.steps else 0.0,
        "steps": watch.steps,
        "front": [[round(v, 5) for v in values] for values in watch.front],
    }
