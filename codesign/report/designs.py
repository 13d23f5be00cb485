"""One design as rows of (what it is, value), so that two can be laid side by side."""

from __future__ import annotations

from typing import Any

from codesign.core.figures import QUANTITIES, Fidelity
from codesign.report import words
from codesign.report.collect import Point, Run
from codesign.report.difference_words import better_when_more
from codesign.study.definition import Study

__all__ = ("design_rows",)


def design_rows(run: Run, point: Point, prefix: str = "") -> dict[str, Any]:
    """``{"name", "link", "groups": [[group, [[row, text, number or None]]]]}``; what was not measured has no row."""
    trial = point.trial
    metrics = run.metric_names()
    order = list(Fidelity)
    figures = sorted(point.figures, key=lambda f: (list(QUANTITIES).index(f.quantity), order.index(f.fidelity)))
    verdict = point.verified
    verification = []
    if verdict is not None:
        verification = [
            ["verdict", "exact" if verdict.exact else "not exact", None],
            ["proven in", verdict.proven, None],
            ["events compared", words.number(verdict.events), None],
        ]
    return {
        "name": f"{prefix}trial {trial.number}",
        "link": f"#trial-{trial.number}",
        "paired": _paired(run, point),
        "groups": [
            ["Metrics on the test split", _metrics(metrics, point.test)],
            ["Metrics on the validation split", _metrics(metrics, trial.metrics)],
            [
                "Figures",
                [
                    [f"{words.quantity(f.quantity)} ({f.fidelity.value})", words.figure(f.quantity, f.value), f.value]
                    for f in figures
                ],
            ],
            ["Verification", verification],
            [
                "Configuration",
                [[k.replace("_", " "), words.config({"": v}).strip(), None] for k, v in trial.config.items()],
            ],
        ],
    }


def _paired(run: Run, point: Point) -> dict[str, Any]:
    """What the comparison with another design needs: by which sample and split it belongs to others, which way each
    metric is better, and its values in the replicas of the split, by the rows' names."""
    names = {name: better_when_more(run, point, name) for name in run.metric_names()}
    found: dict[str, Any] = {
        "better": {words.quantity(name): way for name, way in names.items() if way is not None},
        "less": [words.quantity(q) for q in QUANTITIES if q != "fmax"],
    }
    study = run.study
    if point.compared is not None and isinstance(study, Study) and point.compared.sample:
        found["events"] = [
            point.compared.sample,
            point.compared.events,
            *study.splits.model_dump().values(),
            study.seed,
        ]
        found["values"] = {words.quantity(name): values for name, values in point.compared.replicas.items()}
    return found


def _metrics(names: list[str], values: dict[str, Any]) -> list[list[Any]]:
    """Rows of (name, text, value, error)."""
    return [
        [words.quantity(n), words.measurement(values[n]), values[n].value, values[n].error]
        for n in names
        if n in values
    ]
