"""Our side: families on items, with learned and with fixed precision, in a given processor time."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.design import Design
from codesign.families.base import Candidate
from codesign.families.deepsets.family import DeepSets
from codesign.families.items.item_family import ItemFamily
from codesign.families.jedi_linear.family import JediLinear
from codesign.families.teaching import lesson_of
from codesign.training.lesson import Budget, Fold, Lesson
from tests.benchmarks.sets.jets import Jets

__all__ = ("TRAININGS", "Given", "Training", "designs_of")

#: what both precisions of a family have: one shared layer; a second cost more LUTs than it gave accuracy
_JEDI: dict[str, Any] = {"each_widths": [16], "tail_widths": [16], "pool": "sum", "pooled_bits": 8}
_SETS: dict[str, Any] = {"each_widths": [16], "tail_widths": [16], "pool": "sum", "pooled_bits": 8}
_LEARNED = {
    "precision": "learned", "weight_bits": [8] * 3, "activation_bits": [8] * 2, "input_bits": 8, "fraction_bits": 4,
    "beta_low": 2e-7, "beta_high": 1e-4,
}  # fmt: skip
_FIXED = {"weight_bits": [4] * 3, "activation_bits": [5] * 2, "input_bits": 7, "sparsity": 0.5}


@dataclass(frozen=True)
class Training:
    """One training: what it is called, its share of the processor time, and how many of its networks are compiled."""

    name: str
    family: type[ItemFamily]
    config: dict[str, Any]
    share: float
    limit: int


TRAININGS = (
    Training("jedi-linear, learned", JediLinear, _JEDI | _LEARNED, 0.45, 3),
    Training("deepsets, learned", DeepSets, _SETS | _LEARNED, 0.25, 1),
    Training("jedi-linear, fixed", JediLinear, _JEDI | _FIXED, 0.18, 1),
    Training("deepsets, fixed", DeepSets, _SETS | _FIXED, 0.12, 1),
)
_BATCH, _RATE = 512, 0.01
#: the time of an epoch is measured on one of so many events, in a training of so many epochs more
_SHARE, _SHORT = 6, (1, 4)


@dataclass(frozen=True)
class Given:
    """A network of ours that is compiled."""

    name: str
    training: str
    number: int
    design: Design
    facts: Mapping[str, Any]


def designs_of(jets: Jets, what: Training, seconds: float, seed: int, folder: Path) -> list[Given]:
    """Train within ``seconds`` of processor time, or open what ``folder`` has; the networks chosen on validation."""
    family = what.family()
    candidate = family.read(what.config, "config")
    lesson = lesson_of(jets.problem, jets.facts, candidate.input_width(), jets.train, jets.validation, None)
    files, facts = _trained(family, candidate, lesson, seconds, seed, folder)
    if candidate.training() == candidate:
        return [Given(what.name, what.name, 0, family.pick(files, candidate, lesson).design(), facts)]
    points = json.loads(files["front.json"])
    found = []
    for number, place in enumerate(_spread([p["ebops"] for p in points], what.limit)):
        own = candidate.model_copy(update={"budget": float(points[place]["ebops"])})
        kept = points[place] | {"ebops": round(points[place]["ebops"])}
        design = family.pick(files, own, lesson).design()
        found.append(Given(f"{what.name} {number}", what.name, number, design, facts | kept))
    return found


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
    one = (short[1] - short[0]) / (_SHORT[1] - _SHORT[0]) * _SHARE
    epochs = max(2, int(seconds / one))
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


def _spread(costs: list[float], limit: int) -> list[int]:
    """Of a front by rising cost: the last, so the best, of each of ``limit`` equal steps in log cost."""
    edges = np.geomspace(costs[0], costs[-1] * (1 + 1e-9), limit + 1)
    found = []
    for low, high in pairwise(edges):
        found += [i for i, cost in enumerate(costs) if low <= cost <= high][-1:]
    return sorted(set(found))
