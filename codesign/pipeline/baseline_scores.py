"""The classical baselines of a task, judged like a candidate."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core import plugins
from codesign.core.reading.npz import member_arrays
from codesign.data.sample import Sample, Splits
from codesign.study.definition import Study
from codesign.tasks.base import Task, working_points

__all__ = ("judge_baselines", "read_points", "read_scores")


def judge_baselines(study: Study, sample: Sample, splits: Splits) -> tuple[dict[str, Any], bytes]:
    """Fit on the training split, judge on the other two.

    Returns ``baseline.json`` (the primary one's name and metrics, ``metrics`` on the test split; the ``others`` in the
    same form) and the scores of all on the test split, as :func:`read_scores` reads them.
    """
    problem = plugins.load(Task, study.task).open(study.sample, study.seed)
    validation, test = sample.part("validation", splits), sample.part("test", splits)
    records: list[dict[str, Any]] = []
    arrays: dict[str, NDArray[Any]] = {}
    for number, baseline in enumerate(problem.baselines(sample.part("train", splits), study.seed)):
        searched, unseen = (np.asarray(baseline(part), dtype=np.float64) for part in (validation, test))
        points = working_points(problem, searched, validation)
        records.append(
            {"name": baseline.name}
            | {
                key: {k: m.model_dump(mode="json") for k, m in problem.judge(scores, part, points).items()}
                for key, scores, part in (("metrics", unseen, test), ("validation", searched, validation))
            }
        )
        arrays[f"scores{number}"] = unseen
        arrays[f"points{number}"] = np.array(json.dumps(points))
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


def read_points(path: Path, own: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The working points of every baseline, by name; of a file that keeps none, no baseline where a design, whose
    points are ``own``, has some."""
    stored = member_arrays(path.parent, path.name)
    found = {}
    for number, name in enumerate(stored["names"]):
        if (text := stored.get(f"points{number}")) is not None:
            points = json.loads(str(text))
            found[str(name)] = {str(k): float(v) for k, v in points.items()} if isinstance(points, dict) else {}
        elif not own:
            found[str(name)] = {}
    return found
