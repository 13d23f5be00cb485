"""The families of a study, each with its space, view, training and flow, and how a candidate of one is drawn.

A study of one family has one member, and nothing in its storage or records says so. In a study of several, a trial's
first dimension is its family; the others are conditional on it, and have its name before theirs: ``mlp.width``,
``trees.flow.depth``. A trial's configuration says which family it is of (:data:`codesign.study.definition.FAMILY`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from codesign.core import plugins
from codesign.core.errors import of_study
from codesign.core.space import Choose
from codesign.core.validation import validate
from codesign.families.base import Candidate, Family
from codesign.flows.base import Flow
from codesign.flows.settings import draw_settings, resolve_space, whole_config
from codesign.search.seeds import seed_parameters
from codesign.study.definition import FAMILY, Study

__all__ = ("DIMENSION", "StudyFamily", "members_of", "seeds_of", "way_to")

#: the dimension that is the family, in the search's storage
DIMENSION = "family"


@dataclass(frozen=True)
class StudyFamily:
    """A family that a study searches: ``study`` is the study of it alone, ``several`` whether there are others."""

    study: Study
    several: bool
    family: Family
    space: BaseModel
    flow: Flow
    flow_space: BaseModel

    @property
    def name(self) -> str:
        """The family's."""
        return self.study.family

    def draw(self, choose: Choose) -> tuple[Candidate, BaseModel, dict[str, Any]]:
        """Draw a candidate, its settings of the flow, and how it is trained."""
        own = (lambda name, dimension: choose(f"{self.name}.{name}", dimension)) if self.several else choose
        candidate, settings = self.family.suggest(self.space, own), draw_settings(self.flow, self.flow_space, own)
        return candidate, settings, self.study.training.draw(own)

    def config(self, candidate: Candidate, settings: BaseModel, training: Mapping[str, Any]) -> dict[str, Any]:
        """What ``config.json`` holds of a candidate."""
        return ({FAMILY: self.name} if self.several else {}) | whole_config(candidate, settings) | dict(training)

    def fixed(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Parameters of this family, by their names in the storage."""
        own = {f"{self.name}.{name}" if self.several else name: value for name, value in parameters.items()}
        return ({DIMENSION: self.name} if self.several else {}) | own


def members_of(study: Study) -> tuple[StudyFamily, ...]:
    """Each family with all that it names; InputError says what is wrong with its part of the study."""
    found = []
    for name in study.named:
        alone = study.alone(name)
        with of_study(*(("families", study.named.index(name)) if study.families else ("family",))):
            family = plugins.load(Family, name)
        with of_study(*way_to(study, name, "flow")):
            flow = plugins.load(Flow, alone.flow.name)
        where = f"study '{study.name}', " + (f"family '{name}', " if study.families else "")
        with of_study(*way_to(study, name, "space")):
            space: BaseModel = validate(family.space, alone.space, f"{where}section 'space'")
        with of_study(*way_to(study, name, "flow")):
            flow_space = resolve_space(flow, alone.flow.space, f"{where}section 'flow'")
        found.append(StudyFamily(alone, bool(study.families), family, space, flow, flow_space))
    return tuple(found)


def way_to(study: Study, name: str, section: str) -> tuple[str | int, ...]:
    """The way to a family's section in a study; where it stands for several together, or is not there, as near as
    lines go."""
    if not study.families:
        return (section,)
    return ("families", study.named.index(name), section)


def seeds_of(study: Study, members: Sequence[StudyFamily]) -> list[tuple[StudyFamily, dict[str, Any]]]:
    """The family and the drawn parameters, by their names in the storage, of each of the study's seeds.

    InputError names a seed that is not in the space, and why.
    """
    found = []
    for place, seed in enumerate(study.search.seeds, start=1):
        where = f"study '{study.name}', section 'search.seeds', entry {place}"
        with of_study("search", "seeds", place - 1):
            alone = study.of(seed, where)
            member = next(m for m in members if m.name == alone.family)
            parameters = seed_parameters(seed, member.family, member.space, member.flow, member.flow_space, where)
            parameters |= member.study.training.parameters(seed, where)
        found.append((member, member.fixed(parameters)))
    return found
