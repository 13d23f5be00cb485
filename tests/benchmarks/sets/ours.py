"""Our side: families on items that learn their precision, in a given processor time for all of them together.

As HGQ2 is trained for three times the time, too, so are ours: of equal processor time are the two that say so.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from codesign.core.design import Design
from codesign.core.targets import Target
from codesign.families.base import Candidate
from codesign.families.deepsets.family import DeepSets
from codesign.families.items.item_family import ItemFamily
from codesign.families.teaching import lesson_of
from codesign.flows.alkaid.flow import Alkaid, AlkaidSettings
from codesign.training.lesson import Budget, Fold, Lesson
from tests.benchmarks.sets.jets import Jets

__all__ = (
    "LEARNED",
    "THREE_TIMES",
    "TRAININGS",
    "Given",
    "Training",
    "chosen",
    "designs_of",
    "settings_at",
    "trainings_of",
)

#: two layers that all items share; deep sets: the mean of all items for each, as JEDI-linear has it, costs an adder
#: for every item and channel
LEARNED: dict[str, Any] = {
    "each_widths": [16, 16], "tail_widths": [16], "pool": "sum", "precision": "learned", "weight_bits": [8] * 4,
    "activation_bits": [8] * 3, "pooled_bits": 8, "input_bits": 8, "fraction_bits": 4, "beta_low": 1e-6,
    "beta_high": 1e-4, "float_share": 0.3,
}  # fmt: skip
#: for networks that need not be cheap: a price that stays lower
_ACCURATE = LEARNED | {"beta_high": 3e-5}


@dataclass(frozen=True)
class Training:
    """One training: what it is called, how many of the hardest items it takes, and its share of the processor time."""

    name: str
    family: type[ItemFamily]
    config: dict[str, Any]
    items: int
    share: float


#: what a training is called that is given three times the time
THREE_TIMES = "three times the time"
#: by how many times the time they are given: parts of the items, configurations, and shares of the time, which add up
#: to one. The more time, the more items a training can use
TRAININGS: Mapping[float, tuple[tuple[float, dict[str, Any], float], ...]] = {
    1.0: ((0.5, LEARNED, 0.33), (0.75, _ACCURATE, 0.67)),
    3.0: ((0.75, _ACCURATE, 0.33), (1.0, _ACCURATE, 0.67)),
}
#: more items than that no training takes
_MOST_ITEMS = 32
_BATCH, _RATE = 512, 0.02
#: the time of an epoch is measured on one of so many events, in trainings of so many epochs
_SHARE, _SHORT = 6, (3, 9)
#: what a training took, over what it was given, beyond which it is made anew with other epochs, so often
_BETWEEN, _TRIES = (0.8, 1.05), 3
#: standard error of an accuracy on validation jets
_SLACK = 0.005


def trainings_of(items: int, times: float = 1.0) -> list[Training]:
    """Those of a number of items that are given so many times the time, once or three times."""
    most, said = min(items, _MOST_ITEMS), f", {THREE_TIMES}" if times > 1 else ""
    return [
        Training(f"deepsets, {round(part * most)} items{said}", DeepSets, config, round(part * most), share)
        for part, config, share in TRAININGS[times]
    ]


def settings_at(interval: int) -> AlkaidSettings:
    """How a design of items is compiled for an interval."""
    return AlkaidSettings.model_validate({"interval": interval} if interval > 1 else {"modules": "items"})


@dataclass(frozen=True)
class Given:
    """A network of ours on a front: ``score`` is its accuracy on validation jets, ``costs`` are alkaid's estimates of
    its LUTs, by the interval."""

    name: str
    training: str
    design: Design
    facts: Mapping[str, Any]
    score: float
    costs: Mapping[int, float]


def designs_of(
    jets: Jets, what: Training, seconds: float, seed: int, intervals: Sequence[int], target: Target, folder: Path
) -> list[Given]:
    """Train within ``seconds`` of processor time, or open what ``folder`` has; every network on the front."""
    family = what.family()
    candidate = family.read(what.config | {"items": what.items}, "config")
    lesson = lesson_of(jets.problem, jets.facts, candidate.input_width(), jets.train, jets.validation, None)
    files, facts = _trained(family, candidate, lesson, seconds, seed, folder)
    kept = folder / "costs.json"
    costs: dict[str, list[float]] = json.loads(kept.read_text(encoding="utf-8")) if kept.is_file() else {}
    found = []
    for number, point in enumerate(json.loads(files["front.json"])):
        own = candidate.model_copy(update={"budget": float(point["ebops"])})
        design = family.pick(files, own, lesson).design()
        if str(number) not in costs:
            costs[str(number)] = [
                float(Alkaid().compile(design, target, folder / "firmware", settings_at(each)).extra["lut"])
                for each in intervals
            ]
        about = facts | {"items_used": what.items, "ebops": round(point["ebops"]), "epoch": point["epoch"]}
        by_interval = dict(zip(intervals, costs[str(number)], strict=True))
        found.append(Given(f"{what.name} {number}", what.name, design, about, point["score"], by_interval))
    kept.write_text(json.dumps(costs), encoding="utf-8")
    return found


def chosen(given: Sequence[Given], interval: int, scores: Sequence[float]) -> list[Given]:
    """By what validation jets say: for each of these accuracies the cheapest network that has it, the cheapest that has
    it within their error, and the cheapest that has it whatever their error: a network on a front was chosen for its
    score on them, which is above that on others."""
    picked = []
    for score in (s for each in scores for s in (each, each - _SLACK, each + _SLACK)):
        able = [own for own in given if own.score >= score]
        picked += [min(able, key=lambda own: own.costs[interval])] if able else []
    return [own for own in given if any(own is one for one in picked)]


def _trained(
    family: ItemFamily, candidate: Candidate, lesson: Lesson, seconds: float, seed: int, folder: Path
) -> tuple[Mapping[str, bytes], dict[str, Any]]:
    record = folder / "training.json"
    if record.is_file():
        facts = json.loads(record.read_text(encoding="utf-8"))
        return {name: (folder / name).read_bytes() for name in facts.pop("files")}, facts

    def walk(own: Lesson, epochs: int) -> tuple[Mapping[str, bytes], float]:
        start = time.process_time()
        files = family.fit(candidate, own, Budget(epochs, _BATCH, _RATE), seed)
        return files, time.process_time() - start

    few = replace(lesson, train=_some(lesson.train), validation=_some(lesson.validation))
    walk(few, 1)  # compiles the loops
    short = [walk(few, n)[1] for n in _SHORT]
    each = (short[1] - short[0]) / (_SHORT[1] - _SHORT[0])
    beside = max(0.0, short[0] - _SHORT[0] * each)  # what is there once, such as the export of a front
    epochs = max(2, int((seconds - beside) / (each * _SHARE)))
    files, spent = walk(lesson, epochs)
    for _ in range(_TRIES - 1):  # other work on the machine makes what was measured differ
        if _BETWEEN[0] <= spent / seconds <= _BETWEEN[1] or epochs <= _SHORT[0]:
            break
        epochs = max(_SHORT[0], int(0.97 * epochs * seconds / spent))
        files, spent = walk(lesson, epochs)
    facts = {"epochs": epochs, "training_seconds": round(spent, 1)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    record.write_text(json.dumps(facts | {"files": list(files)}), encoding="utf-8")
    return files, facts


def _some(fold: Fold) -> Fold:
    some = len(fold) // _SHARE
    return replace(fold, inputs=fold.x[:some], target={name: values[:some] for name, values in fold.target.items()})
