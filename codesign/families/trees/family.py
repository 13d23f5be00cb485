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
from codesign.families.trees.config import LEAVES, MODEL, TreesConfig, TreesSpace
from codesign.families.trees.grown_trees import grow, opened, picked
from codesign.families.trees.nodes_file import write_nodes
from codesign.families.trees.trainers import TRAINERS
from codesign.training.lesson import Budget, Lesson, Progress, Subject, quiet

__all__ = ("BoostedTrees",)

#: of a training: all that was grown
_GROWN = "grown.json"
_OBJECTIVES = ("cross-entropy", "squared", "quantile")


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
        """Classes, or numbers by their squares or quantiles; of one head."""
        if len(subject.heads) > 1:
            names = ", ".join(head.name for head in subject.heads)
            return f"trees are grown for one head, and share nothing between several ({names})"
        (head,) = subject.heads
        name = head.objective.name
        if name not in _OBJECTIVES:
            return f"trees learn by {', '.join(_OBJECTIVES)}, and the objective of {head.name} is '{name}'"
        if name == "cross-entropy" and len(head.outputs) < 2:
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
        grown = write_nodes(grow(candidate, lesson, budget, seed))
        progress(budget.epochs, budget.epochs)
        return {_GROWN: grown}

    def pick(self, files: Mapping[str, bytes], candidate: Candidate, lesson: Lesson) -> Trained:
        """The candidate's rounds with its leaves."""
        assert isinstance(candidate, TreesConfig)
        return picked(files[_GROWN], candidate, lesson)

    def load(self, files: Mapping[str, bytes], candidate: Candidate, design: Design) -> Trained:
        """The model of a design, from its trainer's own file."""
        assert isinstance(candidate, TreesConfig)
        return opened(files, candidate, design)
