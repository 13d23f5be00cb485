"""What was searched: every trial's choices as numbers, and how much each choice says about each objective."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import State
from codesign.report.collect import PlotAxis, Run, Trial

__all__ = ("DesignChoice", "Importance", "choices", "importances", "parallel")

_MOST_TRIALS = 1000  # a forest learns no more of more
_LEAST_TRIALS = 20
_FOLDS = 5


@dataclass(frozen=True)
class DesignChoice:
    """One number that describes a configuration. ``key``: the choice of the study that it belongs to; ``labels``:
    names of the values 0, 1, ... where they are names."""

    key: str
    label: str
    values: dict[int, float]
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Importance:
    """How much worse a forest predicts an objective without knowing a choice: loss of R², mean and standard deviation
    over folds. ``explained``: the R² that it has with all of them."""

    objective: PlotAxis
    explained: float
    drops: list[tuple[str, float, float]]


def choices(trials: Sequence[Trial]) -> list[DesignChoice]:
    """The numbers in which the trials' configurations differ. Of a list: how many it holds, and their mean."""
    raw: dict[tuple[str, str], dict[int, Any]] = {}
    for trial in trials:
        for key, value in trial.config.items():
            for name, number in _describe(key, value):
                raw.setdefault((key, name), {})[trial.number] = number
    made = []
    for (key, name), values in raw.items():
        if len(set(values.values())) < 2:
            continue
        if any(isinstance(v, str) for v in values.values()):
            labels = tuple(sorted({str(v) for v in values.values()}))
            place = {label: float(i) for i, label in enumerate(labels)}
            made.append(DesignChoice(key, name, {n: place[str(v)] for n, v in values.items()}, labels))
        else:
            made.append(DesignChoice(key, name, {n: float(v) for n, v in values.items()}))
    lengths = [c for c in made if c.label.startswith("number of ")]
    # lists that always grow together are one choice: the depth
    twins = {c.label for i, c in enumerate(lengths) for d in lengths[:i] if _shift(c.values) == _shift(d.values)}
    return [c for c in made if c.label not in twins]


def _shift(values: dict[int, float]) -> dict[int, float]:
    least = min(values.values())
    return {n: v - least for n, v in values.items()}


def _describe(key: str, value: Any) -> list[tuple[str, Any]]:
    name = key.removeprefix("study.").replace("_", " ")
    if isinstance(value, bool):
        return [(name, "yes" if value else "no")]
    if isinstance(value, int | float | str):
        return [(name, value)]
    if isinstance(value, list) and value and all(isinstance(v, int | float) for v in value):
        return [(f"number of {name}", len(value)), (f"mean of {name}", round(float(np.mean(value)), 4))]
    return []


def parallel(run: Run) -> dict[str, Any]:
    """Parallel coordinates: one axis per choice and per objective, one row per scored trial; None where unknown."""
    scored = [t for t in run.trials if t.state in (State.COMPLETE.value, State.INFEASIBLE.value)]
    found = choices(scored)
    axes: list[dict[str, Any]] = [{"label": c.label, "labels": list(c.labels), "objective": False} for c in found]
    axes += [
        {"label": a.name, "fidelity": a.fidelity.value if a.fidelity else None, "labels": [], "objective": True}
        for a in run.objectives
    ]
    rows = []
    for trial in scored:
        values = [c.values.get(trial.number) for c in found] + [trial.value(a) for a in run.objectives]
        rows.append([trial.number, [None if v is None else float(f"{v:.5g}") for v in values]])
    return {"axes": axes, "rows": rows}


def importances(run: Run) -> list[Importance]:
    """Importance of every choice for every objective; none where fewer than 20 trials were scored."""
    found = choices(run.trials)
    made = []
    for axis in run.objectives:
        known = [(t.number, v) for t in run.trials if (v := axis_value(t, axis)) is not None]
        if len(known) > _MOST_TRIALS:
            keep = np.random.default_rng(1).choice(len(known), _MOST_TRIALS, replace=False)
            known = [known[i] for i in sorted(keep)]
        if len(known) >= _LEAST_TRIALS and found and len({v for _, v in known}) > 1:
            made.append(_importance(axis, known, found))
    return made


def axis_value(trial: Trial, axis: PlotAxis) -> float | None:
    """An objective's value, its logarithm for a hardware figure: designs differ by factors in those."""
    value = trial.value(axis)
    if value is None or axis.fidelity is None:
        return value
    return float(np.log(value)) if value > 0 else None


def _importance(axis: PlotAxis, known: list[tuple[int, float]], found: list[DesignChoice]) -> Importance:
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import KFold

    # a list that is empty, or a choice that another one switches off, is its own value: below all others
    x = np.array([[c.values.get(n, -1.0) for c in found] for n, _ in known])
    y = np.array([v for _, v in known])
    keys = list(dict.fromkeys(c.key for c in found))
    columns = {k: [i for i, c in enumerate(found) if c.key == k] for k in keys}
    rng = np.random.default_rng(1)
    drops: dict[str, list[float]] = {k: [] for k in keys}
    whole = []
    for train, held in KFold(_FOLDS, shuffle=True, random_state=1).split(x):
        forest = RandomForestRegressor(50, min_samples_leaf=2, random_state=1).fit(x[train], y[train])
        reference = _r2(forest.predict(x[held]), y[held], y[train])
        whole.append(reference)
        for key, places in columns.items():
            shuffled = x[held].copy()
            shuffled[:, places] = shuffled[rng.permutation(len(held))][:, places]
            drops[key].append(reference - _r2(forest.predict(shuffled), y[held], y[train]))
    rows = [(k, float(np.mean(d)), float(np.std(d, ddof=1))) for k, d in drops.items()]
    return Importance(axis, float(np.mean(whole)), sorted(rows, key=lambda r: -r[1]))


def _r2(predicted: NDArray[np.float64], true: NDArray[np.float64], train: NDArray[np.float64]) -> float:
    """Share of the variance explained, against the mean of the training part; 0 where nothing varies."""
    spread = float(np.sum((true - train.mean()) ** 2))
    return 1 - float(np.sum((predicted - true) ** 2)) / spread if spread else 0.0
