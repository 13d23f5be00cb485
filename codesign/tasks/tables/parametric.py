"""A network of a hypothesis: the true mass of a signal is one of its inputs, and it is judged between those it learned.

As Baldi et al. train it (Eur. Phys. J. C 76 (2016) 235): a row of background has no true mass, and is given one of the
signals', drawn anew for each row, so that the input alone tells nothing. Signals of the values ``between`` are never
learned from nor chosen by: they are in the test split alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.data.sample import Part, Sample, Splits
from codesign.statistics import rowwise
from codesign.statistics.replicas import DrawnRows
from codesign.tasks.tables.table_settings import ParametricSettings

__all__ = ("HYPOTHESIS", "areas_at", "metrics_at", "with_hypotheses")

#: name of what the sample knows of each row: the value of its hypothesis
HYPOTHESIS = "hypothesis"
_SPLITS = ("train", "validation", "test")

Array = NDArray[np.float64]


def with_hypotheses(sample: Sample, wanted: ParametricSettings, splits: Splits) -> Sample:
    """The sample with its splits and a hypothesis of each row; InputError where signals have values that are not
    declared, or none has one that is."""
    if wanted.input not in sample.feature_names:
        raise InputError(
            f"sample.parametric: '{wanted.input}' is no feature: there are {', '.join(sample.feature_names)}"
        )
    column, background = sample.feature_names.index(wanted.input), sample.class_names.index(wanted.background)
    values = sample.features[:, column].astype(np.float64)
    signal = sample.labels != background
    known = np.array([*wanted.trained, *wanted.between])
    place = np.abs(values[:, None] - known[None, :]).argmin(axis=1)
    near = np.isclose(values, known[place], rtol=1e-5, atol=1e-9)
    if (signal & ~near).any():
        strange = float(values[signal & ~near][0])
        shown = ", ".join(f"{value:g}" for value in sorted(known))
        raise InputError(
            f"sample.parametric: a signal's '{wanted.input}' is {strange:g}, which is not declared: there are {shown}; "
            "declare it under trained or between, or leave it out with sample.select"
        )
    for number, value in enumerate(known):
        if not (signal & (place == number)).any():
            raise InputError(f"sample.parametric: no signal has {wanted.input} = {value:g}: leave it out")
    assigned = np.zeros(len(sample), np.int8)
    for number, name in enumerate(_SPLITS):
        assigned[sample.places(name, splits)] = number
    assigned[signal & (place >= len(wanted.trained))] = _SPLITS.index("test")
    random = np.random.default_rng([splits.seed, 16])
    own = np.where(signal, known[place], random.choice(np.array(wanted.trained), len(sample)))
    judged = ~signal & (assigned == _SPLITS.index("test"))
    own[judged] = random.choice(known, int(judged.sum()))
    features = sample.features.copy()
    features[:, column] = own
    return replace(sample, features=features, assigned=assigned, truth={**sample.truth, HYPOTHESIS: own})


def metrics_at(wanted: ParametricSettings | None, classes: Sequence[str]) -> dict[str, str]:
    """Names of the metrics, and that more is better."""
    if wanted is None:
        return {}
    signals = [name for name in classes if name != wanted.background]
    named = {f"auc_{s}_at_{value:g}": "maximise" for s in signals for value in (*wanted.trained, *wanted.between)}
    return named | {f"auc_{s}_between": "maximise" for s in signals}


def areas_at(
    wanted: ParametricSettings, chance: Array, part: Part, classes: Sequence[str], rows: DrawnRows
) -> dict[str, Array]:
    """Of each signal with each value, the area under the ROC curve against background that is taken for it, and the
    mean over the values that were not learned, in every replica; a part that lacks either has none."""
    found: dict[str, Array] = {}
    background, of = classes.index(wanted.background), part.truth[HYPOTHESIS]
    for number, name in enumerate(classes):
        if number == background:
            continue
        odds = np.log(np.clip(chance[:, number], 1e-12, None)) - np.log(np.clip(chance[:, background], 1e-12, None))
        for value in (*wanted.trained, *wanted.between):
            here = np.isclose(of, value, rtol=1e-5, atol=1e-9) & np.isin(part.y, (number, background))
            mine = part.y[here] == number
            if mine.any() and not mine.all():
                found[f"auc_{name}_at_{value:g}"] = rowwise.areas(odds[here], mine, rows.some(here).weights)
        between = [found[key] for value in wanted.between if (key := f"auc_{name}_at_{value:g}") in found]
        if between:
            found[f"auc_{name}_between"] = np.mean(between, axis=0)
    return found
