"""The family ``trees``: boosted trees by scikit-learn, XGBoost or LightGBM, many candidates of each training."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from pydantic import BaseModel

from codesign.core.design import Design
from codesign.core.space import Choose
from codesign.families.base import Candidate, Family
from codesign.families.trained import Trained
from codesign.families.trees.config import CLASSES, LEAVES, MODEL, TreesConfig, TreesSpace
from codesign.families.trees.grown_trees import grow, opened, picked
from codesign.families.trees.nodes_file import write_nodes
from codesign.families.trees.teacher import RECONSTRUCTION, read_scores, taught, write_scores
from codesign.families.trees.trainers import TRAINERS
from codesign.training.lesson import Budget, Lesson, Progress, Subject, quiet

__all__ = ("BoostedTrees",)

#: of a training: all that was grown, and what a teacher says of the validation events
_GROWN = "grown.json"
_TEACHER = "teacher.json"
_OBJECTIVES = (CLASSES, "squared", "quantile")


class BoostedTrees(Family):
    """Boosted trees (see :class:`TreesConfig`)."""

    name = "trees"
    space = TreesSpace
    config = TreesConfig
    files = (MODEL, LEAVES)
    tools: ClassVar[Mapping[str, str]] = MappingProxyType({"sklearn": "scikit-learn"})

    def suggest(self, space: BaseModel, choose: Choose) -> TreesConfig:
        """Draw how trees are grown, then what is taken of them."""
        assert isinstance(space, TreesSpace)
        return TreesConfig(**{name: choose(name, getattr(space, name)) for name in TreesSpace.model_fields})

    def can(self, subject: Subject) -> str | None:
        """Classes, numbers by their squares or quantiles, each head by trees of its own; or how badly a teacher
        reproduces the inputs, alone."""
        for head in subject.heads:
            name = head.objective.name
            if name == RECONSTRUCTION and len(subject.outputs) == 1:
                continue
            if name == RECONSTRUCTION:
                return f"trees learn a teacher's error, which is one number and all of it, not {len(subject.outputs)}"
            if name not in _OBJECTIVES:
                return f"trees learn by {', '.join(_OBJECTIVES)}, and the objective of {head.name} is '{name}'"
            if name == CLASSES and len(head.outputs) < 2:
                return f"{head.name} has one class, of which nothing is told apart"
        return None

    def brings(self, candidate: Candidate) -> Mapping[str, str]:
        """The trainer beside scikit-learn."""
        assert isinstance(candidate, TreesConfig)
        trainer = TRAINERS[candidate.trainer]
        return {**self.tools, trainer.module: trainer.installed_as or trainer.distribution}

    def fit(
        self,
        candidate: Candidate,
        lesson: Lesson,
        budget: Budget,
        seed: int,
        device: str = "cpu",
        progress: Progress = quiet,
    ) -> Mapping[str, bytes]:
        """Grow ``budget.epochs`` rounds; batch and learning rate of the budget are of networks, and not looked at."""
        assert isinstance(candidate, TreesConfig)
        files: dict[str, bytes] = {}
        if lesson.subject.heads[0].objective.name == RECONSTRUCTION:
            found = taught(lesson, candidate, seed)
            lesson, files = found.lesson, {_TEACHER: write_scores(found.scores)}
        files[_GROWN] = write_nodes(grow(candidate, lesson, budget, seed))
        progress(budget.epochs, budget.epochs)
        return files

    def pick(self, files: Mapping[str, bytes], candidate: Candidate, lesson: Lesson) -> Trained:
        """The candidate's rounds with its leaves."""
        assert isinstance(candidate, TreesConfig)
        taught_by = files.get(_TEACHER)
        scores = None if taught_by is None else read_scores(taught_by, len(lesson.validation))
        return picked(files[_GROWN], candidate, lesson, scores)

    def load(self, files: Mapping[str, bytes], candidate: Candidate, design: Design) -> Trained:
        """The model of a design, from its trainer's own file."""
        assert isinstance(candidate, TreesConfig)
        return opened(files, candidate, design)
