"""``codesign run --repeat N``: the best designs of a front trained again from other seeds, so that the spread by
training stands beside the spread by events. Resumable: what was trained again is not trained once more."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from codesign.core.errors import InputError, ToolError
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Figures, Front, FrontPoint, Metrics, RepeatedDesign, RepeatedMetric, Repeats
from codesign.core.runfolder import RunFolder
from codesign.pipeline.parts import restore_test, withhold_test
from codesign.search import messages
from codesign.search.alone import alone, terminable
from codesign.search.pool import Died, Pool
from codesign.search.progress import Progress, Shown, Silent
from codesign.search.repeat_places import repeat_folder, repeat_seed
from codesign.search.telling import TRIES
from codesign.study.definition import Study

__all__ = ("MOST_DESIGNS", "best_of", "repeat_best")

#: designs that are trained again, at most
MOST_DESIGNS = 5


def best_of(front: Front) -> list[int]:
    """Trials that are trained again: those with a verdict, of a large front the best by each objective first, then
    evenly along the first one."""
    points = [point for point in front.points if point.verified is not None]
    if len(points) <= MOST_DESIGNS:
        return [point.trial for point in points]
    orders = [_along(points, place, front) for place in range(len(front.objectives))]
    chosen = list(dict.fromkeys(order[0] for order in orders if order))
    first = orders[0]
    even = [first[round(k)] for k in np.linspace(0, len(first) - 1, MOST_DESIGNS)] if first else []
    return list(dict.fromkeys([*chosen, *even, *(point.trial for point in points)]))[:MOST_DESIGNS]


def _along(points: Sequence[FrontPoint], place: int, front: Front) -> list[int]:
    """Trials by an objective, the best first; those without it are left out."""
    objective, found = front.objectives[place], []
    for point in points:
        if objective.fidelity is None:
            metric = point.metrics.get(objective.name)
            value = None if metric is None else metric.value
        else:
            known = [f.value for f in point.figures if (f.quantity, f.fidelity) == (objective.name, objective.fidelity)]
            value = known[-1] if known else None
        if value is not None:
            found.append((value if objective.direction == "minimise" else -value, point.trial))
    return [trial for _, trial in sorted(found)]


def repeat_best(
    study: Study, run_folder: Path, repeats: int, workers: int = 1, progress: Progress | None = None, *,
    storage: str | None = None, store: str | None = None, pipeline: str = "whole",
) -> Repeats:  # fmt: skip
    """Train the best designs of a finished run ``repeats`` times more, judge each on the test split, and write
    ``repeats.json``. One that fails costs its own row only, and is tried again by the next start."""
    if not 1 <= repeats <= 100:
        raise InputError(f"--repeat is between 1 and 100, not {repeats}")
    run = RunFolder(Path(run_folder).resolve())
    front = run.read("front.json", Front)
    if front is None:
        raise InputError(f"{run.path} has no front.json: nothing is trained again before the search has ended")
    trials, failed = best_of(front), dict[tuple[int, int], str]()
    settings = messages.Settings(study, str(run.path), storage, pipeline, store)
    with alone(run), terminable(), progress or Silent() as shows:
        numbers = [(trial, number) for number in range(1, repeats + 1) for trial in trials]
        try:
            for judge, made in ((False, "figures.json"), (True, "test.json")):
                todo = deque(
                    messages.Repeat(trial, number, judge)
                    for trial, number in numbers
                    if (trial, number) not in failed and not repeat_folder(run, trial, number).has(made)
                )
                restore_test(run) if judge else withhold_test(run)  # no training has the test split at hand
                if todo:
                    with Pool(min(workers, len(todo)), settings) as pool:
                        _work(pool, todo, failed, shows, len(todo))
        finally:
            restore_test(run)
        found = Repeats(repeats=repeats, designs=[_of(run, front, trial, repeats, study, failed) for trial in trials])
        run.write("repeats.json", found)
    return found


def _work(
    pool: Pool, todo: deque[messages.Repeat], failed: dict[tuple[int, int], str], shows: Progress, wanted: int
) -> None:
    deaths: Counter[messages.Repeat] = Counter()
    while True:
        for worker in pool.workers:
            if worker.job is None and todo:
                worker.give(todo.popleft())
        if all(worker.job is None for worker in pool.workers):
            return
        for worker, message in pool.hear(0.25):
            if isinstance(message, messages.Broken):
                raise ToolError(message.reason)
            if isinstance(message, messages.Repeated):
                worker.job = None
                if message.error:
                    failed[message.trial, message.number] = message.error
                    shows.note(f"trial {message.trial}, trained again ({message.number}): {message.error}")
            elif isinstance(message, Died):
                pool.remove(worker)
                pool.add()
                job = message.job
                deaths[job] += 1
                if job is not None and deaths[job] < TRIES:
                    todo.append(job)
                elif job is not None:
                    failed[job.trial, job.number] = f"its worker {message.how}"
        running = sum(worker.job is not None for worker in pool.workers)
        done = wanted - len(todo) - running
        shows.show(Shown(wanted=wanted, stage=f"the best designs again: {done} of {wanted}"))


def _of(
    run: RunFolder, front: Front, trial: int, repeats: int, study: Study, failed: dict[tuple[int, int], str]
) -> RepeatedDesign:
    own = next(point for point in front.points if point.trial == trial)
    judged, costs, seeds = [own.metrics], [_compiled(own.figures)], []
    for number in range(1, repeats + 1):
        folder = repeat_folder(run, trial, number)
        test, figures = folder.read("test.json", Metrics), folder.read("figures.json", Figures)
        if test is not None and figures is not None:
            judged.append(test.metrics)
            costs.append(_compiled(figures.figures))
            seeds.append(repeat_seed(study.seed, trial, number))
    metrics = {}
    for name in (name for name in own.metrics if len(judged) > 1 and all(name in each for each in judged)):
        values = [each[name].value for each in judged]
        metrics[name] = RepeatedMetric(
            values=values, mean=float(np.mean(values)), training=float(np.std(values, ddof=1)),
            events=float(np.mean([each[name].error for each in judged])),
        )  # fmt: skip
    quantities = [q for q in costs[0] if len(costs) > 1 and all(q in each for each in costs)]
    return RepeatedDesign(
        trial=trial, seeds=seeds, metrics=metrics, figures={q: [each[q] for each in costs] for q in quantities},
        failed={number: why for (of, number), why in failed.items() if of == trial},
    )  # fmt: skip


def _compiled(figures: Sequence[Figure]) -> dict[str, float]:
    return {f.quantity: f.value for f in figures if f.fidelity is Fidelity.COMPILED}
