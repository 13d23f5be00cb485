"""From a problem and its parts to the lesson that a family is given: the one place where that is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, UnsupportedError, nearest
from codesign.core.layout import BlockValues
from codesign.core.records import SampleFacts
from codesign.data.preparation.prefix import Preparation
from codesign.data.sample import Part, Sample, joined
from codesign.data.variations import Variation
from codesign.families.base import Family
from codesign.tasks.heads import Head, require_heads
from codesign.tasks.losses import with_loss
from codesign.tasks.problem import Problem
from codesign.training.coded import EXACT_BITS, Coded
from codesign.training.lesson import Fold, Lesson, Subject
from codesign.training.nuisance import Decorrelation

#: numbers from which on inputs are kept as codes: fewer are faster as values
_MANY = 1 << 24

__all__ = (
    "OWN_TEACHING",
    "Teaching",
    "heads_for",
    "learnable_weights",
    "lesson_of",
    "must_be_able",
    "outputs_of",
    "subject_of",
)


@dataclass(frozen=True)
class Teaching:
    """What a study changes of what its task wants learned.

    ``loss``: the name of one in the place of the task's own; ``class_weights``: by the name of a class, a factor of its
    events' weights, ``balanced`` the one by which all classes count alike, or ``none``.
    ``decorrelate``: what an output shall not know; ``vary``: variations of the inputs that are trained on, too.
    """

    loss: str = ""
    class_weights: str | Mapping[str, float] = "none"
    decorrelate: Decorrelation | None = None
    vary: tuple[Variation, ...] = ()

    def must_fit(self, facts: SampleFacts) -> None:
        """InputError where the sample has no such classes, outputs or inputs; what its events know beside them shows
        when there are events."""
        for variation in self.vary:
            variation.must_fit(facts.layouts, ("pile_up",))
        if self.decorrelate is not None:
            known = (*facts.feature_names, self.decorrelate.quantity)
            self.decorrelate.must_fit(known, (), outputs_of(facts), facts.class_names)
        if self.class_weights == "none":
            return
        names = facts.class_names
        if len(names) < 2:
            raise InputError("training.class_weights: the sample has no classes: leave it out")
        for name in self.class_weights if not isinstance(self.class_weights, str) else ():
            if name not in names:
                raise InputError(
                    f"training.class_weights: '{name}' is no class of the sample{nearest(name, names)}; its classes: "
                    f"{', '.join(names)}"
                )

    def factors(
        self, facts: SampleFacts, train: Part, weights: NDArray[np.float64] | None
    ) -> NDArray[np.float64] | None:
        """By which the weight of each class's events is taken, (classes,); None where nothing is changed."""
        self.must_fit(facts)
        names = facts.class_names
        if self.class_weights == "none":
            return None
        if not isinstance(self.class_weights, str):
            return np.array([self.class_weights.get(name, 1.0) for name in names])
        each = np.bincount(train.y, np.ones(len(train)) if weights is None else weights, len(names))
        return np.where(each > 0, each.sum() / np.maximum(each, 1e-300) / max(int((each > 0).sum()), 1), 1.0)


#: nothing is changed
OWN_TEACHING = Teaching()


def outputs_of(facts: SampleFacts) -> tuple[str, ...]:
    """Name of each output; runs of old have one per class."""
    return facts.outputs or facts.class_names


def heads_for(problem: Problem, facts: SampleFacts) -> tuple[Head, ...]:
    """The problem's heads, of what a run says of its sample; InputError where the run has other outputs.

    Nobody makes the sample again for it: the problem is given one without events.
    """
    empty = Sample(
        features=np.zeros((0, len(facts.feature_names)), np.float32),
        labels=np.zeros(0, np.int64),
        feature_names=facts.feature_names,
        units=facts.units,
        class_names=facts.class_names,
        blocks=tuple(BlockValues(block, np.zeros((0, *block.shape), np.float32)) for block in facts.blocks),
        provenance=facts.provenance,
        targets=np.zeros((0, len(facts.target_names)), np.float32) if facts.target_names else None,
        target_names=facts.target_names,
        target_units=facts.target_units,
        held_out=facts.held_out,
        view=facts.view,
    )
    heads = require_heads(problem.heads(empty))
    outputs = tuple(output for head in heads for output in head.outputs)
    if outputs != outputs_of(facts):
        raise InputError(
            f"the task now has the outputs {', '.join(outputs)}, and this run began with "
            f"{', '.join(outputs_of(facts))}: restore the task, or begin a new run"
        )
    return heads


def subject_of(
    problem: Problem,
    facts: SampleFacts,
    trigger: str | None,
    preparation: Preparation | None = None,
    weighted: bool = False,
    taught: Teaching = OWN_TEACHING,
) -> Subject:
    """What the problem wants learned, and the study of it, as it is known before any data."""
    seen = facts.seen if preparation is None else (preparation.layout,)
    names = tuple(label for block in seen for label in block.labels)
    return Subject(names, with_loss(heads_for(problem, facts), taught.loss), trigger, weighted, seen)


def must_be_able(family: Family, subject: Subject) -> None:
    """UnsupportedError where a family cannot learn what the problem wants learned."""
    if (why := family.can(subject)) is not None:
        raise UnsupportedError(f"the family '{family.name}' cannot learn this: {why}: choose another")


def learnable_weights(problem: Problem, part: Part) -> NDArray[np.float64] | None:
    """The weights by which the events of a part count in learning, (events,); None where all count alike.

    InputError where nothing can learn from them: one is below 0 or not finite, or all are 0.
    """
    found = problem.weights(part)
    if found is None:
        return None
    weights = np.asarray(found, dtype=np.float64)
    if not np.isfinite(weights).all() or not (weights > 0).any() or (weights < 0).any():
        below = int((weights < 0).sum())
        raise InputError(
            f"{below} of {len(weights)} {part.name} events have a weight below 0, down to {weights.min():g}: nothing "
            "learns from those: leave such events out, or give weights of at least 0"
            if below
            else f"the weights of the {len(weights)} {part.name} events are not finite, or all 0: give some above 0"
        )
    return weights


def lesson_of(
    problem: Problem,
    facts: SampleFacts,
    width: int,
    train: Part,
    validation: Part,
    trigger: str | None,
    preparation: Preparation | None = None,
    taught: Teaching = OWN_TEACHING,
) -> Lesson:
    """The training and the validation split on an input grid of ``width`` bits, which is fitted on the first.

    With a ``preparation`` the inputs are what the firmware makes of the raw codes.
    """
    own = problem.genuine(train)
    made = len(own) < len(train)
    if taught.vary:
        ways = [(variation, way) for variation in taught.vary for way in variation.ways.values()]
        train = joined([train, *(variation.of(train, facts.layouts, way) for variation, way in ways)])
    parts = train, validation
    arriving: list[NDArray[np.float32] | NDArray[np.float64]]
    if preparation is None:
        arriving = [part.x for part in parts]
        quantisation = problem.input_quantisation(own.x, facts.seen, width)
    else:
        prepared = [preparation.of_features(part.x) for part in parts]
        fitted = preparation.of_features(own.x) if made else prepared[0]
        arriving, quantisation = [*prepared], preparation.input_quantisation(fitted, width)
    factors = taught.factors(facts, train, learnable_weights(problem, train))
    folds = []
    for part, values in zip(parts, arriving, strict=True):
        weights = learnable_weights(problem, part)
        if factors is not None:
            weights = factors[part.y] * (1.0 if weights is None else weights)
        coded = Coded.of(quantisation, values)
        many = coded.codes.size > _MANY and width <= EXACT_BITS
        beside = None
        if taught.decorrelate is not None:
            taught.decorrelate.must_fit(facts.feature_names, tuple(part.truth), outputs_of(facts), facts.class_names)
            beside = taught.decorrelate.beside(part, facts.feature_names)
        folds.append(Fold(coded if many else coded.values, problem.target(part), weights, beside))
    subject = subject_of(problem, facts, trigger, preparation, folds[0].weights is not None, taught)
    return Lesson(subject, quantisation, *folds, decorrelate=taught.decorrelate)
