"""From a task and its parts to the lesson that a family is given: the one place where that is made."""

from __future__ import annotations

from codesign.errors import UnsupportedError
from codesign.models.base import Family
from codesign.models.lesson import Fold, Lesson, Objective, Subject
from codesign.physics.sample import Part
from codesign.records import SampleFacts
from codesign.tasks.base import Task

__all__ = ("lesson_of", "must_be_able", "outputs_of", "subject_of")


def outputs_of(facts: SampleFacts) -> tuple[str, ...]:
    """Name of each output; runs of old have one per class."""
    return facts.outputs or facts.class_names


def subject_of(task: Task, facts: SampleFacts, trigger: str | None, weighted: bool = False) -> Subject:
    """What the task wants learned, as it is known before any data."""
    objective = Objective(task.objective, task.loss)
    return Subject(facts.feature_names, outputs_of(facts), objective, trigger, weighted)


def must_be_able(family: Family, subject: Subject) -> None:
    """UnsupportedError where a family cannot learn what the task wants learned."""
    if (why := family.can(subject)) is not None:
        raise UnsupportedError(f"the family '{family.name}' cannot learn this: {why}: choose another")


def lesson_of(task: Task, facts: SampleFacts, width: int, train: Part, validation: Part, trigger: str | None) -> Lesson:
    """The training and the validation split on an input grid of ``width`` bits, which is fitted on the first."""
    quantisation = task.input_quantisation(train.x, facts.feature_names, facts.units, width)
    folds = [
        Fold(quantisation.port.values(quantisation.codes(part.x)), task.target(part), task.weights(part))
        for part in (train, validation)
    ]
    return Lesson(subject_of(task, facts, trigger, folds[0].weights is not None), quantisation, *folds)
