"""Two runs side by side: what differs between their studies, their fronts in one plot, and any two of their designs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from codesign.core.errors import InputError
from codesign.core.quoting import plotly
from codesign.report import words
from codesign.report.collect import PlotAxis, Run, collect
from codesign.report.designs import design_rows
from codesign.report.hypervolume import Cost, costs, progress, span
from codesign.report.page import page
from codesign.report.place import owner_of, write_page
from codesign.study.definition import Study
from codesign.study.imported_run import Origin

__all__ = ("write_comparison",)


def write_comparison(one: Path, other: Path, output: Path | None = None, force: bool = False) -> Path:
    """Write the comparison of two runs, and return its path; by default ``reports/<run>-<run>/index.html``.

    An earlier comparison of the same two is replaced; InputError where anything else lies there, unless ``force``, and
    for one run twice.
    """
    if Path(one).resolve() == Path(other).resolve():
        raise InputError(f"two runs are compared, but {one} was given twice: give another run's folder")
    runs = [collect(Path(one)), collect(Path(other))]
    name = "-".join(run.path.resolve().name for run in runs)
    return write_page(output, name, _owner(runs), render(runs), force)


def _owner(runs: list[Run]) -> str:
    return "+".join(owner_of(run.path) for run in runs)


def render(runs: list[Run]) -> str:
    """The comparison as HTML."""
    names = [f"{letter}: {run.path.name}" for letter, run in zip("AB", runs, strict=True)]
    shared = [axis for axis in runs[0].objectives if axis in runs[1].objectives]
    box = _box(runs, shared)
    grown = [progress(run.trials, shared, box) if box else [] for run in runs]
    data = {
        "names": [plotly(name) for name in names],
        "fronts": [_front(run) for run in runs],
        "goals": [a.name for a in runs[0].objectives],
        "progress_of": grown,
        "designs": [design_rows(run, p, f"{a}, ") for a, run in zip("AB", runs, strict=True) for p in run.points],
    }
    rows = [
        (name, a, b, a != b)
        for name, a, b in (
            (k, x.get(k, "–"), y.get(k, "–")) for x, y in [[_facts(r) for r in runs]] for k in {**x, **y}
        )
    ]
    return page(
        "compare.html.j2",
        ("base.js", "fronts.js", "compare.js"),
        data,
        runs=runs,
        owner=_owner(runs),
        names=names,
        rows=rows,
        shared=shared,
        volumes=[g[-1][1] if g else None for g in grown],
    )


def _box(runs: list[Run], shared: list[PlotAxis]) -> tuple[Cost, Cost] | None:
    """The box around both runs' feasible trials in the objectives that they share."""
    return span([cost for run in runs for _, cost in costs(run.trials, shared)]) if shared else None


def _front(run: Run) -> dict[str, Any]:
    """The front's points; metrics on the test split, or on validation where the run is not finished."""
    points = [
        {
            "trial": point.trial.number,
            "exact": point.verified.exact if point.verified else None,
            "metrics": {
                n: [m.value, m.error] for n, m in (point.trial.metrics if run.provisional else point.test).items()
            },
            "figures": {f"{words.quantity(f.quantity)} ({f.fidelity.value})": f.value for f in point.figures},
        }
        for point in run.points
    ]
    return {"split": "validation" if run.provisional else "test", "points": points}


def _flow(study: Origin) -> str:
    return words.config({"": study.flow.name, **study.flow.space}).strip()


def _each(study: Origin, say: Callable[[Study], str]) -> str:
    """What is said of a study, of one of several families for each; empty of one that was imported."""
    if not isinstance(study, Study) or not study.families:
        return say(study) if isinstance(study, Study) else ""
    return "; ".join(f"{name}: {say(study.alone(name))}" for name in study.named)


def _facts(run: Run) -> dict[str, str]:
    """What a study says and what came of it, in words."""
    study = run.study
    facts = {
        "task": study.task,
        "networks": ", ".join(study.named) if isinstance(study, Study) else study.family,
        "search space": _each(study, lambda one: words.config(one.space)) or "none: imported",
        "flow": _each(study, _flow) or _flow(study),
        "target": f"{run.target.part} at {words.number(run.target.clock_mhz)} MHz" if run.target else study.target,
        "objectives": "; ".join(
            f"{'maximise' if a.maximise else 'minimise'} {words.quantity(a.name)}" for a in run.objectives
        ),
        "constraints": "; ".join(words.bound(c) for c in run.constraints) or "none",
        "training": _each(study, lambda one: words.config(one.training.model_dump())) or "elsewhere",
        "search": words.config(study.search.model_dump()) if isinstance(study, Study) else "none: imported",
        "seed": str(study.seed),
        "sample": str(run.sample.get("hash", "not recorded"))[:16],
        "events": words.number(run.sample["events"]) if isinstance(run.sample.get("events"), int) else "not recorded",
        "trials": ", ".join(f"{n:,} {state}" for state, n in run.states.items() if n) or "none",
        "on the front": str(len(run.points)) + (" so far" if run.provisional else ""),
        "proven exact": str(sum(p.verified is not None and p.verified.exact for p in run.points)),
    }
    for baseline in run.baselines:
        for name, metric in baseline.test.items():
            facts[f"{words.quantity(name)} of {baseline.short} (test)"] = words.measurement(metric)
    return facts
