"""A search in a table of candidates that were evaluated before (:mod:`.tables`), at their recorded cost."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Figures, Metric, Metrics, State, TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.core.targets import load_target
from codesign.pipeline.front import pareto
from codesign.pipeline.scoring import Score, excess_of, score
from codesign.search.draw import Drawer
from codesign.search.telling import conclude
from codesign.study.definition import Study
from tests.benchmarks.search.tables import Entry, key_of
from tests.benchmarks.search.volume import Box, Step

__all__ = ("replayed",)


def replayed(
    study: Study, table: Mapping[str, Entry], seconds: float, box: Box, *, wary: bool = True
) -> dict[str, Any]:
    """One search from nothing, ended after so many processor seconds, or where all candidates have been drawn.

    The seconds are those of the table, a training's once, and what the sampler takes now, of which the record says how
    much it was. It draws, and is told, as the search does; its storage is in memory. Of the record, ``front`` are the
    objectives of the feasible candidates that none dominates, ``steps`` seconds and share of the box, and ``others``
    counts candidates that were infeasible or refused.
    """
    target, directions = load_target(study.target), [o.direction for o in study.objectives]
    spent = sampling = 0.0
    trained: set[str] = set()
    seen: set[str] = set()
    scores: list[Score] = []
    steps: list[Step] = []
    trials = others = 0
    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stderr(io.StringIO()):
        run = RunFolder(Path(place))
        search = optuna.create_study(directions=[f"{d.removesuffix('se')}ze" for d in directions])
        drawer = Drawer(study, search, wary=wary)

        def repeats(asked: Any, config: dict[str, Any]) -> int | None:
            known = str(config) in seen
            seen.add(str(config))
            return 0 if known else None

        while spent < seconds:
            began = time.process_time()
            drawn = drawer.draw(trials, repeats)
            took = time.process_time() - began
            spent, sampling = spent + took, sampling + took
            if drawn is None:
                break
            entry, folder = table[key_of(drawn.candidate)], run.trial(trials)
            spent += entry.seconds + (0.0 if entry.training in trained else entry.training_seconds)
            trained.add(entry.training)
            status = TrialStatus(trial=trials, state=State.COMPLETE, seed=1)
            if entry.refused is not None:
                status = status.model_copy(update={"state": State.FAILED, "reason": "no", "refused": entry.refused})
            else:
                metrics = Metrics(
                    split="validation",
                    events=1,
                    metrics={n: Metric(value=v, error=e) for n, (v, e) in entry.metrics.items()},
                )
                figures = [Figure.of(n, v, Fidelity.COMPILED, "table", "1") for n, v in entry.figures.items()]  # type: ignore[arg-type]
                folder.write("metrics.json", metrics)
                folder.write("figures.json", Figures(figures=figures))
                _, words = excess_of(study, target, metrics.metrics, figures)
                if words:
                    status = status.model_copy(update={"state": State.INFEASIBLE, "reason": words})
                elif spent <= seconds:
                    scores = pareto([*scores, score(trials, study, metrics.metrics, figures)], directions)
                    share = box.share([s.values for s in scores])
                    if share > (steps[-1][1] if steps else 0.0):
                        steps.append((round(spent, 2), round(share, 5)))
            others += status.state != State.COMPLETE
            conclude(search, drawn.asked, folder, study, status)
            trials += 1
    return {
        "seed": study.seed,
        "seconds": round(spent, 2),
        "sampling_seconds": round(sampling, 2),
        "trials": trials,
        "others": others,
        "hypervolume": steps[-1][1] if steps else 0.0,
        "steps": steps,
        "front": [[round(v, 5) for v in s.values] for s in scores],
    }
