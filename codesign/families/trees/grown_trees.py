"""From a lesson to grown trees, and from those to the model that a candidate means, in its trainer's own file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.reading.json import json_of
from codesign.core.validation import validate
from codesign.families.trained import Reference, Trained
from codesign.families.trees.config import CLASSES, LEAVES, MODEL, TreesConfig
from codesign.families.trees.leaves import carried, nearest, pruned
from codesign.families.trees.nodes_file import read_nodes
from codesign.families.trees.teacher import agreement
from codesign.families.trees.trainer import Grown, Growth, Sorted, Trainer
from codesign.families.trees.trainers import TRAINERS
from codesign.families.trees.tree_model import LeafRounding, TreeModel
from codesign.graph.forest import Tree
from codesign.graph.ports import design_of_graph
from codesign.tasks.heads import Head
from codesign.training.lesson import Budget, FoldTarget, Lesson, Subject

__all__ = ("EnsembleOfTrees", "grow", "opened", "picked")


class _Leaves(BaseModel):
    """What rounding took from the leaves: each as it was trained, its base value in the first tree of its output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rounding: dict[str, LeafRounding] = Field(description="of the leaves of each head, which have a grid of their own")
    teacher: float | None = Field(
        default=None, description="rank correlation with the teacher's score on the validation events, of an anomaly"
    )
    trained: tuple[tuple[float, ...], ...] = Field(description="of each tree of the file its leaves, in their order")


# ---------------------------------------------------------------------------------------------------------------- grow
def grow(config: TreesConfig, lesson: Lesson, budget: Budget, seed: int) -> TreeModel:
    """All rounds of a training, each output with as many trees; of each head, and target, its own trees."""
    trainer = TRAINERS[config.trainer]
    trainer.must_be_installed()
    growth = Growth(
        rounds=budget.epochs, depth=config.depth, most_leaves=config.max_leaves, learning_rate=config.learning_rate,
        min_child_weight=config.min_child_weight, patience=config.early_stopping, seed=seed,
    )  # fmt: skip
    heads, count = _heads_of(lesson.subject), len(lesson.subject.outputs)
    found = [
        _place(grown, places[place], count)
        for head, places in heads
        for place, grown in _grow(trainer, lesson, head, growth)
    ]
    return TreeModel(
        kind="nodes",
        source=trainer.name,
        content=b"",
        objective=" and ".join(dict.fromkeys(head.objective.name for head, _ in heads)),
        features=lesson.subject.inputs,
        outputs=lesson.subject.outputs,
        trees=_round_by_round([g.rounds for g in found], count),
        base=np.sum([g.base for g in found], axis=0),
        single=False,
    )


def _heads_of(subject: Subject) -> list[tuple[Head, range]]:
    """Each head with the places of its outputs among all."""
    ends = accumulate((len(head.outputs) for head in subject.heads), initial=0)
    return [(head, range(*both)) for head, both in zip(subject.heads, pairwise(ends), strict=True)]


def _grow(trainer: Trainer, lesson: Lesson, head: Head, growth: Growth) -> Iterator[tuple[int, Grown]]:
    """The trees of a head, target by target, and the first of its outputs that each gives to."""
    folds = [(fold, fold.target[head.name]) for fold in (lesson.train, lesson.validation)]
    if head.objective.name == CLASSES:
        train, held_out = (Sorted(fold.x, given.astype(np.int64), fold.weights) for fold, given in folds)
        missing = set(range(len(head.outputs))) - set(np.unique(train.y).tolist())
        if missing:
            names = ", ".join(head.outputs[n] for n in sorted(missing))
            raise CodesignError(f"no event of the training split is of {names}: give a larger sample")
        if len(head.outputs) > 2:
            yield 0, trainer.grow("classes", len(head.outputs), 0.5, train, held_out, growth)
        else:  # the margin of the second beside 0
            yield 1, trainer.grow("two", 1, 0.5, train, held_out, growth)
        return
    levels = head.objective.quantiles
    for place in range(len(head.outputs)):
        train, held_out = (Sorted(fold.x, _column(given, place), fold.weights) for fold, given in folds)
        if levels:
            yield place, trainer.grow("quantile", 1, levels[place], train, held_out, growth)
        else:
            yield place, trainer.grow("squared", 1, 0.5, train, held_out, growth)


def _column(target: FoldTarget, place: int) -> NDArray[np.float64]:
    """Of one number for all outputs, or of one for each."""
    numbers = target.astype(np.float64)
    return numbers if numbers.ndim == 1 else numbers[:, min(place, numbers.shape[1] - 1)]


def _place(grown: Grown, first: int, count: int) -> Grown:
    """The trees of one target as those of outputs ``first`` and on of ``count``."""
    base = np.zeros(count)
    base[first : first + len(grown.base)] = grown.base
    moved = (tuple(replace(t, output=first + t.output) for t in trees) for trees in grown.rounds)
    return Grown(tuple(moved), base)


def _round_by_round(grown: Sequence[tuple[tuple[Tree, ...], ...]], count: int) -> tuple[Tree, ...]:
    """In each round one tree of each output: where one ended earlier, or has none, one that gives 0."""
    trees: list[Tree] = []
    for number in range(max(len(rounds) for rounds in grown)):
        there = {t.output: t for rounds in grown if number < len(rounds) for t in rounds[number]}
        trees += [there.get(output, _nothing(output)) for output in range(count)]
    return tuple(trees)


def _nothing(output: int) -> Tree:
    none, zero = np.array([-1], dtype=np.int64), np.zeros(1)
    return Tree(none, zero, none, none, zero, output)


# ---------------------------------------------------------------------------------------------------------------- pick
class EnsembleOfTrees(Trained):
    """Trees with rounded leaves, in the file of the library that grew them."""

    def __init__(self, trainer: Trainer, content: bytes, leaves: bytes, design: Design | None = None) -> None:
        self._trainer, self._content, self._leaves, self._given = trainer, content, leaves, design
        self._lesson: Lesson | None = None

    def of(self, lesson: Lesson) -> EnsembleOfTrees:
        """With the names and inputs of a lesson, of which a design is made."""
        self._lesson = lesson
        return self

    @cached_property
    def model(self) -> TreeModel:
        """What stands in the file."""
        return self._trainer.read(self._content, MODEL)

    @cached_property
    def _design(self) -> Design:
        if self._given is not None:
            return self._given
        assert self._lesson is not None
        inputs, subject = self._lesson.quantisation, self._lesson.subject
        heads = {head.name: head.outputs for head in subject.heads}
        return design_of_graph(self.model.onnx(_plain(inputs), heads), inputs, heads, subject.trigger)

    def design(self) -> Design:
        """The raw margins as an exact integer function."""
        return self._design

    def references(self) -> Mapping[str, Reference]:
        """The library itself on its own file, where it is installed."""
        if not self._trainer.installed:
            return {}
        name, margins = self._trainer.margins(self._content)

        def codes(given: NDArray[np.int64]) -> NDArray[np.int64]:
            return self._design.outputs.codes(margins(self._design.inputs.values(given)).astype(np.float64))

        return {name: codes}

    def files(self) -> Mapping[str, bytes]:
        """The library's own file, and the leaves before they were rounded."""
        return {MODEL: self._content, LEAVES: self._leaves}

    def tools(self) -> Mapping[str, str]:
        """The library that grew them."""
        return {self._trainer.name: self._trainer.version}


def _plain(inputs: InputQuantisation) -> InputQuantisation:
    """Codes as the values of the port, which is what trees are trained on here."""
    lsbs = tuple(t.lsb for t in inputs.types)
    return inputs.model_copy(update={"offset": (0.0,) * len(lsbs), "step": lsbs})


def picked(
    content: bytes, config: TreesConfig, lesson: Lesson, teacher: NDArray[np.float64] | None = None
) -> EnsembleOfTrees:
    """What a candidate means of a training: its first rounds, fewer decisions, and rounded leaves.

    The leaves of each head have a grid of their own. ``teacher``: what an anomaly's says of the validation events.
    """
    grown, trainer, train = read_nodes(content, "the training"), TRAINERS[config.trainer], lesson.train
    count = len(grown.outputs)
    trees = grown.trees if config.rounds is None else grown.trees[: config.rounds * count]
    if config.pruning:
        trees = pruned(trees, train.x, train.weights, config.pruning)
    bases = dict(enumerate(grown.base.tolist()))  # the base value of each output stands in its first tree
    seen = np.concatenate([train.x, lesson.validation.x])
    before, after, roundings = list(trees), list(trees), {}
    for head, places in _heads_of(lesson.subject):
        mine = [number for number, tree in enumerate(trees) if tree.output in places]
        base = np.where(np.isin(np.arange(count), places), grown.base, 0.0)
        own = replace(grown, trees=tuple(trees[n] for n in mine), base=base)
        step = own.step(config.leaf_bits)
        whole = [replace(t, values=np.where(t.leaves, t.values + bases.pop(t.output, 0.0), 0.0)) for t in own.trees]
        carry = config.leaf_rounding == "carried"
        rounded = carried(whole, step, train.x, train.weights) if carry else nearest(whole, step)
        most = max(1, *(sum(_says(t) for t in whole if t.output == place) for place in places))
        moved, kept = (replace(grown, trees=tuple(t), base=np.zeros(count)).margins(seen) for t in (whole, rounded))
        roundings[head.name] = LeafRounding(
            step=step, trees=most, bound=most * step / (1 if carry else 2),
            largest=float(np.abs(moved - kept).max(initial=0.0)), events=len(seen),
        )  # fmt: skip
        for number, tree, less in zip(mine, whole, rounded, strict=True):
            before[number], after[number] = tree, less
    model = replace(grown, trees=tuple(after), base=np.zeros(count))
    agreed = None if teacher is None else agreement(model.margins(lesson.validation.x)[:, 0], teacher)
    trained = tuple(tuple(t.values[t.leaves].tolist()) for t in before)
    leaves = _Leaves(rounding=roundings, teacher=agreed, trained=trained)
    written = trainer.write(model, grown.objective == CLASSES)
    return EnsembleOfTrees(trainer, written, (leaves.model_dump_json(exclude_none=True) + "\n").encode()).of(lesson)


def _says(tree: Tree) -> bool:
    return bool((tree.values[tree.leaves] != 0).any())


def opened(files: Mapping[str, bytes], config: TreesConfig, design: Design) -> EnsembleOfTrees:
    """A model of a design that was kept; InputError where its files are damaged, or those of another one."""
    found = EnsembleOfTrees(TRAINERS[config.trainer], files[MODEL], files[LEAVES], design)
    leaves = validate(_Leaves, json_of(files[LEAVES], LEAVES), LEAVES)
    sizes = len(found.model.features), len(found.model.outputs)
    if sizes != (design.inputs.size, design.outputs.size):
        raise InputError(f"{MODEL}: trees of {sizes[0]} inputs and {sizes[1]} outputs, not those of the design")
    if [len(given) for given in leaves.trained] != [int(t.leaves.sum()) for t in found.model.trees]:
        raise InputError(f"{LEAVES}: not the leaves of the trees in {MODEL}: restore both")
    return found
