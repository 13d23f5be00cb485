"""From a problem and its parts to the lesson that a family is given: the one place where that is made."""

from __future__ import annotations

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.core.records import SampleFacts
from codesign.data.sample import Part
from codesign.families.base import Family
from codesign.tasks.problem import Problem
from codesign.training.lesson import Fold, Lesson, LossObjective, Subject

__all__ = ("lesson_of", "must_be_able", "outputs_of", "subject_of")


def outputs_of(facts: SampleFacts) -> tuple[str, ...]:
    """Name of each output; runs of old have one per class."""
    return facts.outputs or facts.class_names


def subject_of(problem: Problem, facts: SampleFacts, trigger: str | None, weighted: bool = False) -> Subject:
    """What the problem wants learned, as it is known before any data."""
    objective = LossObjective(problem.objective, problem.loss)
    names = tuple(label for block in facts.seen for label in block.labels)
    return Subject(names, outputs_of(facts), objective, trigger, weighted, facts.seen)


def must_be_able(family: Family, subject: Subject) -> None:
    """UnsupportedError where a family cannot learn what the problem wants learned."""
    if (why := family.can(subject)) is not None:
        raise UnsupportedError(f"the family '{family.name}' cannot learn this: {why}: choose another")


def lesson_of(
    problem: Problem, facts: SampleFacts, width: int, train: Part, validation: Part, trigger: str | None
) -> Lesson:
    """The training and the validation split on an input grid of ``width`` bits, which is fitted on the first."""
    quantisation = problem.input_quantisation(train.x, facts.seen, width)
    folds = []
    for part in (train, validation):
        weights = problem.weights(part)
        x = quantisation.port.values(quantisation.codes(part.x))
        folds.append(Fold(x, problem.target(part), None if weights is None else weights.astype(np.float64)))
    return Lesson(subject_of(problem, facts, trigger, folds[0].weights is not None), quantisation, *folds)
