"""The classical baselines of a task, judged like a candidate."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.reading.npz import member_arrays
from codesign.data.sample import Part, Sample, Splits
from codesign.pipeline.systematics import judge_varied, judged_rows
from codesign.study.definition import Study
from codesign.study.opened_problem import open_problem
from codesign.tasks.base import Scores, working_points

__all__ = ("judge_baselines", "read_replicas", "read_scores")


def judge_baselines(study: Study, sample: Sample, splits: Splits) -> tuple[dict[str, Any], bytes]:
    """Fit on the training split, judge on the other two.

    Returns ``baseline.json`` (the primary one's name and metrics, ``metrics`` on the test split; the ``others`` in the
    same form) and the scores of all on the test split, as :func:`read_scores` reads them, with their metrics in each
    replica of it, as :func:`read_replicas` does.
    """
    problem = open_problem(study)
    validation, test = sample.part("validation", splits), sample.part("test", splits)
    records: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    train, outputs = sample.part("train", splits), problem.outputs(sample)
    made = [*problem.baselines(train, study.seed), *problem.ceilings(train, validation, study.seed)]
    for number, baseline in enumerate(made):
        searched, unseen = (np.asarray(baseline(part), dtype=np.float64) for part in (validation, test))
        points = working_points(problem, searched, validation)
        scored: Callable[[Part], Scores] = lambda part, b=baseline: np.asarray(b(part), dtype=np.float64)  # type: ignore[misc]  # noqa: E731
        varied = {
            key: judge_varied(
                study, problem, scored, part, problem.judge(scores, part, points), points, sample.layouts, outputs
            )
            for key, scores, part in (("metrics", unseen, test), ("validation", searched, validation))
        }
        records.append(
            {"name": baseline.name}
            | {key: {k: m.model_dump(mode="json") for k, m in of.metrics.items()} for key, of in varied.items()}
            | ({"variations": varied["metrics"].under} if study.systematics else {})
        )
        arrays[f"scores{number}"] = unseen
        rows = judged_rows(study, problem, scored, test, points, sample.layouts, outputs)
        arrays[f"replicas{number}"] = np.array(list(rows.values()), dtype=np.float64)
        arrays[f"metrics{number}"] = np.array(list(rows), dtype=np.str_)
    arrays["names"] = np.array([r["name"] for r in records], dtype=np.str_)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    if not records:
        return {"name": "none", "metrics": {}, "validation": {}}, buffer.getvalue()
    return records[0] | ({"others": records[1:]} if records[1:] else {}), buffer.getvalue()


def read_scores(path: Path) -> Mapping[str, NDArray[np.float64]]:
    """Scores of every baseline on the test split, (events, outputs) each, by name; the primary one first."""
    stored = member_arrays(path.parent, path.name)
    return {str(name): stored[f"scores{number}"] for number, name in enumerate(stored["names"])}


def read_replicas(path: Path) -> Mapping[str, Mapping[str, NDArray[np.float64]]]:
    """Metrics of every baseline in each replica of the test split, (1 + replicas,), by name and metric. Empty where an
    earlier release kept none."""
    stored = member_arrays(path.parent, path.name)
    found: dict[str, dict[str, NDArray[np.float64]]] = {}
    for number, name in enumerate(stored["names"]):
        names, rows = (stored.get(f"{what}{number}") for what in ("metrics", "replicas"))
        if names is None or rows is None:
            continue
        if rows.ndim != 2 or rows.dtype.kind != "f" or names.shape != rows.shape[:1]:
            raise InputError(f"{path}: replicas{number} is not a row of numbers for each of metrics{number}: delete it")
        found[str(name)] = {str(metric): row for metric, row in zip(names.tolist(), rows, strict=True)}
    return found
