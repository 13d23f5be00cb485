"""A network of a hypothesis: the true mass of a signal is one of its inputs, and it is judged between those it learned.

As Baldi et al. train it (Eur. Phys. J. C 76 (2016) 235): a row of background has no true mass, and is given one of the
signals', drawn anew for each row, so that the input alone tells nothing. Signals of the values ``between`` are never
learned from nor chosen by: they are in the test split alone. Values are a list, or all those of a range.
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
from codesign.tasks.tables.table_settings import ParametricSettings, RangeSettings

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
    if isinstance(wanted.trained, RangeSettings):
        own, held = _in_range(values, signal, wanted, wanted.trained)
    else:
        own, held = _of_a_list(values, signal, wanted)
    assigned = np.zeros(len(sample), np.int8)
    for number, name in enumerate(_SPLITS):
        assigned[sample.places(name, splits)] = number
    assigned[held] = _SPLITS.index("test")
    random = np.random.default_rng([splits.seed, 16])
    judged = ~signal & (assigned == _SPLITS.index("test"))
    if isinstance(wanted.trained, RangeSettings):
        # values of signals themselves, so that those of background lie as they do
        own[~signal] = random.choice(own[signal & ~held], int((~signal).sum()))
        own[judged] = random.choice(own[signal], int(judged.sum()))
    else:
        drawn = random.choice(np.array(wanted.trained), len(sample))
        own[~signal] = drawn[~signal]
        own[judged] = random.choice(np.array([*wanted.trained, *wanted.between]), int(judged.sum()))
    features = sample.features.copy()
    features[:, column] = own
    return replace(sample, features=features, assigned=assigned, truth={**sample.truth, HYPOTHESIS: own})


def _of_a_list(values: Array, signal: NDArray[np.bool_], wanted: ParametricSettings) -> tuple[Array, NDArray[np.bool_]]:
    """The declared value of each signal, and whether it is one of ``between``."""
    known = np.array([*wanted.listed, *wanted.between])
    place = np.abs(values[:, None] - known[None, :]).argmin(axis=1)
    near = np.isclose(values, known[place], rtol=1e-5, atol=1e-9)
    if (signal & ~near).any():
        strange = float(values[signal & ~near][0])
        shown = ", ".join(f"{value:g}" for value in sorted(known))
        raise InputError(
            f"sample.parametric: a signal's '{wanted.input}' is {strange:g}, which is not declared: there are {shown}; "
            "declare it under trained or between, give a range, or leave it out with sample.select"
        )
    for number, value in enumerate(known):
        if not (signal & (place == number)).any():
            raise InputError(f"sample.parametric: no signal has {wanted.input} = {value:g}: leave it out")
    return known[place], signal & (place >= len(wanted.listed))


def _in_range(
    values: Array, signal: NDArray[np.bool_], wanted: ParametricSettings, ends: RangeSettings
) -> tuple[Array, NDArray[np.bool_]]:
    """The value of each signal, and whether it is taken for one of ``between``."""
    outside = signal & ~((values >= ends.low) & (values <= ends.high))
    if outside.any():
        raise InputError(
            f"sample.parametric: a signal's '{wanted.input}' is {float(values[outside][0]):g}, outside the range from "
            f"{ends.low:g} to {ends.high:g}: leave it out with sample.select, or widen the range"
        )
    held = np.zeros(len(values), np.bool_)
    for value in wanted.between:
        here = signal & (np.abs(values - value) <= wanted.within)
        if not here.any():
            raise InputError(
                f"sample.parametric: no signal's {wanted.input} is within {wanted.within:g} of {value:g}: leave it out"
            )
        held |= here
    if not (signal & ~held).any():
        raise InputError("sample.parametric: every signal is near a value of between: none is left to be learned from")
    return values.copy(), held


def metrics_at(wanted: ParametricSettings | None, classes: Sequence[str]) -> dict[str, str]:
    """Names of the metrics, and that more is better."""
    if wanted is None:
        return {}
    signals = [name for name in classes if name != wanted.background]
    named = {f"auc_{s}_at_{value:g}": "maximise" for s in signals for value in (*wanted.listed, *wanted.between)}
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
        for value in (*wanted.listed, *wanted.between):
            here = np.isclose(of, value, rtol=1e-5, atol=max(wanted.within, 1e-9)) & np.isin(
                part.y, (number, background)
            )
            mine = part.y[here] == number
            if mine.any() and not mine.all():
                found[f"auc_{name}_at_{value:g}"] = rowwise.areas(odds[here], mine, rows.some(here).weights)
        between = [found[key] for value in wanted.between if (key := f"auc_{name}_at_{value:g}") in found]
        if between:
            found[f"auc_{name}_between"] = np.mean(between, axis=0)
    return found
