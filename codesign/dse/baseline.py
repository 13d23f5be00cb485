"""The classical baseline of a task, judged like a candidate."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from codesign import plugins
from codesign.physics.sample import Sample, Splits
from codesign.study import Study

__all__ = ("judge_baseline",)


def judge_baseline(study: Study, sample: Sample, splits: Splits) -> tuple[dict[str, Any], bytes]:
    """Fit on the training split, judge on the other two.

    Returns ``baseline.json`` (``metrics`` are the test split's) and the scores on the test split as ``.npy``.
    """
    task = plugins.load("tasks", study.task)
    predict = task.baseline(sample.part("train", splits), study.seed)
    metrics = {}
    for name in ("validation", "test"):
        part = sample.part(name, splits)
        scores = np.asarray(predict(part.x), dtype=np.float64)
        metrics[name] = {k: m.model_dump(mode="json") for k, m in task.judge(scores, part).items()}
    buffer = io.BytesIO()
    np.save(buffer, scores, allow_pickle=False)
    record = {
        "name": getattr(predict, "name", "classical baseline"),
        "metrics": metrics["test"],
        "validation": metrics["validation"],
    }
    return record, buffer.getvalue()
