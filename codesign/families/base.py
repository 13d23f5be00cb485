"""What a family of trainable models must offer, and what a candidate of it is: a configuration that can speak."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, JsonValue

from codesign.core.design import Design
from codesign.core.plugins import PlugIn
from codesign.core.space import Choose
from codesign.core.validation import validate
from codesign.families.trained import WEIGHTS, Trained
from codesign.graph.model_kind import ModelKind
from codesign.training.lesson import Budget, Lesson, Progress, Subject, quiet

__all__ = ("Candidate", "Choose", "Family")


class Candidate(BaseModel, ABC):  # type: ignore[explicit-any]  # pydantic's own
    """One configuration of a family: frozen, and with no key that its family does not know.

    Its fields are what ``config.json`` holds of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: what it becomes; a flow's bound before training is of one kind
    kind: ClassVar[ModelKind] = "network"

    @abstractmethod
    def input_width(self) -> int:
        """Width in bits of each input, the sign included; where it is learned, of the grid on which learning begins."""

    @abstractmethod
    def cost(self, inputs: int, outputs: int) -> float:
        """Effective bit operations expected before training (arXiv 2405.00645): the sum, over the weights that pruning
        leaves, of weight bits times activation bits. 0 where nothing can be said."""

    def cost_of(self, subject: Subject) -> float:
        """The same of what there is to learn: of a family for which it matters how the inputs are arranged."""
        return self.cost(*subject.sizes)

    def pruned(self) -> float:
        """Share of the prunable weights that training sets to zero, by magnitude."""
        return 0.0

    def training(self) -> Self:
        """What candidates that come of one training have in common, itself a candidate; by default this one itself, and
        then no other shares its training."""
        return self

    def record(self) -> dict[str, JsonValue]:
        """Plain JSON, from which :meth:`Family.read` makes an equal candidate."""
        return self.model_dump(mode="json")


class Family(PlugIn):
    """A family of trainable models: its search space, and the way from a candidate to a design.

    Nothing outside a family knows what it trains with. :meth:`fit` gives plain files, :meth:`pick` finds in them the
    model that a candidate means, and :meth:`load` opens a model that was kept.
    """

    kind = "families"
    name: str
    #: pydantic model of the study's ``space`` section; each field is a dimension
    space: type[BaseModel]
    #: of its candidates
    config: type[Candidate]
    #: modules that training imports, and the distributions that bring them: their versions are in a training's key, and
    #: without one of them nothing is trained
    tools: ClassVar[Mapping[str, str]] = MappingProxyType({})
    #: names of the files of a model, plain ones, that lie in a trial's folder
    files: ClassVar[tuple[str, ...]] = (WEIGHTS,)

    # -------------------------------------------------------------------------------------------------- what it must do
    @abstractmethod
    def suggest(self, space: BaseModel, choose: Choose) -> Candidate:
        """Draw a candidate from the space, dimension by dimension (conditional dimensions included)."""

    @abstractmethod
    def fit(
        self,
        candidate: Candidate,
        lesson: Lesson,
        budget: Budget,
        seed: int,
        device: str = "cpu",
        progress: Progress = quiet,
    ) -> Mapping[str, bytes]:
        """Train what ``candidate.training()`` means; by name, plain files. The same seed gives the same bytes."""

    @abstractmethod
    def pick(self, files: Mapping[str, bytes], candidate: Candidate, lesson: Lesson) -> Trained:
        """The model among the files of a training that ``candidate`` means; CodesignError where there is none."""

    @abstractmethod
    def load(self, files: Mapping[str, bytes], candidate: Candidate, design: Design) -> Trained:
        """Open a model of that design from what :meth:`Trained.files` gave, which is data: never run, never unpickled.

        InputError where the files are not of such a model.
        """

    # ------------------------------------------------------------------------------------------- what it may do better
    def read(self, record: Mapping[str, JsonValue], source: str) -> Candidate:
        """The candidate of a record, such as ``config.json``; InputError names ``source`` and what is wrong."""
        found: Candidate = validate(self.config, dict(record), source)
        return found

    def can(self, subject: Subject) -> str | None:
        """Why the family cannot learn this, in words, told before any training; None where it can."""
        return None

    def heeds(self, candidate: Candidate) -> frozenset[str]:
        """Which of the settings ``optimiser``, ``schedule``, ``weight_decay`` and ``patience`` the training of a
        candidate goes by; a study that sets another is refused before anything is trained."""
        return frozenset()

    def brings(self, candidate: Candidate) -> Mapping[str, str]:
        """Of :attr:`tools` and of what else, by choice, a candidate is trained with: all whose versions are in its
        training's key."""
        return self.tools

    def prepare(self, threads: int) -> None:
        """Called once in a process before its first training: it shall use so many threads."""

    def parameter(self, record: Mapping[str, JsonValue], name: str) -> JsonValue:
        """What the dimension ``name`` of the space has to be for :meth:`suggest` to give ``record``; else KeyError.

        By the names of the record's entries: ``widths_2``, ``weight_bits_head``, ``depth``.
        """
        if name in record:
            return record[name]
        field = self.config.model_fields.get(name)
        if field is not None and field.exclude_if is not None:  # a record leaves it out where it is the default
            default: JsonValue = field.default
            return default
        if name == "depth":
            return len(_list_of(record, "widths"))
        if name == "bits":  # one for the whole network
            return _list_of(record, "weight_bits")[0]
        base, _, place = name.rpartition("_")
        for entry in (base, f"{base}s"):
            if isinstance(record.get(entry), list):
                return _list_of(record, entry)[-1 if place == "head" else int(place)]
        raise KeyError(name)


def _list_of(record: Mapping[str, JsonValue], name: str) -> list[JsonValue]:
    found = record[name]
    if not isinstance(found, list):
        raise KeyError(name)
    return found
