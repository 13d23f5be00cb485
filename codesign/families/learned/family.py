"""The family ``mlp-learned``: what it draws, trains and picks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from codesign.core.space import Choose
from codesign.families.base import Candidate
from codesign.families.torch_family import TorchFamily
from codesign.families.trained import Trained
from codesign.training.lesson import Budget, Lesson, Progress, Subject, quiet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codesign.families.learned.network import LearnedMLP
from codesign.families.learned.config import LearnedMLPConfig, LearnedMLPSpace

__all__ = ("MLPLearned",)

#: networks that are kept of one training
_KEPT = 64


class MLPLearned(TorchFamily):
    """Multilayer perceptrons with learned precision (see :class:`LearnedMLPConfig`)."""

    name = "mlp-learned"
    space = LearnedMLPSpace
    config = LearnedMLPConfig

    def suggest(self, space: BaseModel, choose: Choose) -> LearnedMLPConfig:
        """Draw a network: the depth first, then each layer's width, then how it is trained."""
        assert isinstance(space, LearnedMLPSpace)
        depth = choose("depth", space.depth)
        return LearnedMLPConfig(
            widths=tuple(choose(f"width_{i}", space.width) for i in range(depth)),
            beta_low=choose("beta_low", space.beta_low),
            beta_high=choose("beta_high", space.beta_high),
            fraction_bits=choose("fraction_bits", space.fraction_bits),
            input_bits=choose("input_bits", space.input_bits),
            granularity=choose("granularity", space.granularity),
            overflow=choose("overflow", space.overflow),
            weight_range=choose("weight_range", space.weight_range),
            budget=choose("budget", space.budget),
            starts=choose("starts", space.starts),
        )

    def can(self, subject: Subject) -> str | None:
        """Nor items and images: each input learns a width of its own, and an item's field has one for all items."""
        if any(len(block.shape) > 1 for block in subject.blocks) or len(subject.blocks) > 1:
            return "it learns a width for each input, and items or an image have one for each field"
        return super().can(subject)

    def heeds(self, candidate: Candidate) -> frozenset[str]:
        """None with a budget: that training has a course of its own, and takes the best networks on its way."""
        assert isinstance(candidate, LearnedMLPConfig)
        return super().heeds(candidate) if candidate.budget is None else frozenset()

    def build(self, config: Candidate, subject: Subject) -> LearnedMLP:
        """Build the untrained Brevitas network."""
        from codesign.families.learned.network import LearnedMLP

        assert isinstance(config, LearnedMLPConfig)
        return LearnedMLP(config, *subject.sizes)

    def fit(
        self,
        candidate: Candidate,
        lesson: Lesson,
        budget: Budget,
        seed: int,
        device: str = "cpu",
        progress: Progress = quiet,
    ) -> Mapping[str, bytes]:
        """One network; with a budget, the front of one training, each network judged on the validation events."""
        assert isinstance(candidate, LearnedMLPConfig)
        if candidate.budget is None:
            return super().fit(candidate, lesson, budget, seed, device, progress)
        from codesign.families.front_files import front_files
        from codesign.families.learned.learned_front import checkpoints, quality
        from codesign.families.torch_trained import truths_of
        from codesign.training.objectives import HeadsLoss

        train, validation, heads = lesson.train, lesson.validation, lesson.subject.heads
        loss, wanted = HeadsLoss(heads), truths_of(validation, heads)
        found = checkpoints(
            candidate, train.x, truths_of(train, heads), validation.x, wanted, loss, weights=train.weights,
            outputs=len(lesson.subject.outputs), epochs=budget.epochs, batch=budget.batch,
            learning_rate=budget.learning_rate, seed=seed, starts=candidate.starts, limit=_KEPT, progress=progress,
            score=quality(loss, wanted, validation.weights), device=device,
        )  # fmt: skip
        return front_files(found)

    def pick(self, files: Mapping[str, bytes], candidate: Candidate, lesson: Lesson) -> Trained:
        """The network itself, or that of the front which the budget picks."""
        assert isinstance(candidate, LearnedMLPConfig)
        if candidate.budget is None:
            return super().pick(files, candidate, lesson)
        from codesign.families.front_files import pick_within
        from codesign.families.learned_training import open_network
        from codesign.families.torch_trained import ExportedNetwork

        network = open_network(self.build(candidate, lesson.subject), pick_within(files, candidate.budget))
        return ExportedNetwork.of(network, lesson)
