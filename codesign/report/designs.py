"""One design as rows of (what it is, value), so that two can be laid side by side."""

from __future__ import annotations

from typing import Any

from codesign.core.figures import QUANTITIES, Fidelity
from codesign.report import words
from codesign.report.collect import Point, Run

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
        "groups": [
            ["Metrics on the test split", _metrics(metrics, point.test)],
            ["Metrics on the validation split", _metrics(metrics, trial.metrics)],
            [
                "Figures",
                [
                    [f"{words.quantity(f.quantity)} ({f.fidelity.value})", words.number(f.value), f.value]
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


def _metrics(names: list[str], values: dict[str, Any]) -> list[list[Any]]:
    return [[words.quantity(n), words.measurement(values[n]), values[n].value] for n in names if n in values]
