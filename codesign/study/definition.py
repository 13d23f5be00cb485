"""A study: the task, sample, family, target, objectives, constraints and budget of one search, read from YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import yaml
from pydantic import Field, model_validator

from codesign.core import resources
from codesign.core.errors import InputError, KeyedError, StudyError, nearest
from codesign.core.layout import FEATURES
from codesign.core.reading.limits import YAML_BYTES
from codesign.core.reading.plain import given_text
from codesign.core.reading.yaml import yaml_of
from codesign.core.reading.yaml_places import YamlPlaces
from codesign.core.validation import validate
from codesign.data.preparation.raw_codes import InputsSection
from codesign.data.variations import Variation
from codesign.study.study_sections import (
    Constraint,
    FlowChoice,
    Goal,
    Ladder,
    SearchSettings,
    SplitFractions,
    StudySection,
    Verification,
)
from codesign.study.teacher_section import must_see_alike, with_teachers_view
from codesign.study.training_settings import Training
from codesign.tasks.teacher_contract import TeacherChoice

__all__ = (
    "FAMILY",
    "WORST",
    "Constraint",
    "FamilyChoice",
    "FlowChoice",
    "Goal",
    "Ladder",
    "SearchSettings",
    "SplitFractions",
    "Study",
    "Training",
    "Verification",
    "in_its_file",
    "load_study",
)


#: of a trial's ``config.json`` in a study of several families: the one that it is of. No family's parameter has a dot
FAMILY = "study.family"

#: before the name of a metric: its worst value under the study's variations of inputs
WORST = "worst_"

#: what each family of a study may have of its own, in the place of what the study says
_OF_EACH = ("view", "training", "flow")


class FamilyChoice(StudySection):
    """One of several families of a study. A study may write its name only; what it leaves out is the study's own."""

    name: str = Field(description="of the family")
    view: tuple[str, ...] = Field(min_length=1, description="blocks of the sample that its models see")
    space: dict[str, Any] = Field(
        default_factory=dict, description="its dimensions, as the page of the family has them"
    )
    training: Training = Field(description="where it is other than the study's")
    flow: FlowChoice = Field(description="where it is other than the study's")


class Study(StudySection):
    """A whole study, as resolved. ``sample`` is validated by the task, ``space`` by the family."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]*$",
        max_length=100,
        description="small letters, digits and any of . _ -, beginning with a letter or a digit: it names a folder",
    )
    description: str = Field(default="", description="a line for the report")
    seed: int = Field(default=1, ge=0, description="of splits, training and sampler: the same seed gives the same run")
    task: str = Field(description="what the networks do: which sample, metrics and baselines")
    sample: dict[str, Any] = Field(
        default_factory=dict, description="the task's own settings: where events come from, and how many"
    )
    splits: SplitFractions = Field(
        default=SplitFractions(), description="how the sample is divided; events of one collision stay together"
    )
    view: tuple[str, ...] = Field(
        default=(FEATURES,),
        min_length=1,
        exclude_if=lambda view: view == (FEATURES,),
        description="blocks of the sample that the networks see",
    )
    inputs: InputsSection | None = Field(
        default=None,
        exclude_if=lambda inputs: inputs is None,
        description="raw codes that the firmware is given, and what it prepares of them; null: features as they are",
    )
    family: str = Field(
        default="", exclude_if=lambda family: not family, description="the kind of network; or families"
    )
    families: tuple[FamilyChoice, ...] = Field(
        default=(),
        max_length=32,
        exclude_if=lambda families: not families,
        description="in the place of family: several that share the processor time equally; names, or mappings",
    )
    space: dict[str, Any] = Field(
        default_factory=dict, description="of the family; of several that are named only, by name a space each"
    )
    training: Training = Field(default=Training(), description="how each candidate is trained")
    teacher: TeacherChoice | None = Field(
        default=None,
        exclude_if=lambda teacher: teacher is None,
        description="what every family learns from beside the truth, or instead of it; null: from the truth alone",
    )
    flow: FlowChoice = Field(
        default=FlowChoice(name="alkaid"),
        description="what makes firmware of a design; its name, or a mapping with its settings",
    )
    target: str
    objectives: tuple[Goal, ...] = Field(min_length=1, description="what the search pulls: the axes of the front")
    constraints: tuple[Constraint, ...] = Field(default=(), description="what every point of the front has to keep")
    systematics: tuple[Variation, ...] = Field(
        default=(),
        max_length=32,
        exclude_if=lambda variations: not variations,
        description="variations of the inputs, under which every metric is judged, too: its systematic error",
    )
    search: SearchSettings = Field(default=SearchSettings(), description="how many candidates, and how they are drawn")
    verification: Verification = Field(default=Verification(), description="on how many events a design is proven")

    @model_validator(mode="before")
    @classmethod
    def _each_whole(cls, data: Any) -> Any:
        """Give each of several families, and the teacher, what the study says for all."""
        data = with_teachers_view(data)
        if not isinstance(data, dict) or not isinstance(data.get("families"), list | tuple):
            return data
        given_space = data.get("space")
        spaces: dict[Any, Any] = given_space if isinstance(given_space, dict) else {}
        names = [f if isinstance(f, str) else f.get("name") if isinstance(f, dict) else None for f in data["families"]]
        if others := [str(name) for name in spaces if name not in names]:
            raise ValueError(f"'space' beside 'families' has a section for each by its name, and '{others[0]}' is none")
        whole = []
        for given in data["families"]:
            one = {"name": given} if isinstance(given, str) else given
            if isinstance(one, dict):
                own = {key: one[key] if key in one else data.get(key, default) for key, default in _defaults().items()}
                if isinstance(own["training"], dict) and isinstance(data.get("training"), dict):
                    own["training"] = data["training"] | own["training"]
                one = one | own
                if one.get("name") in spaces:
                    one = {"space": spaces[one["name"]]} | one
            whole.append(one)
        return {key: value for key, value in data.items() if key != "space"} | {"families": whole}

    @model_validator(mode="after")
    def _of_one_or_several(self) -> Self:
        if bool(self.family) == bool(self.families):
            raise ValueError("a study has 'family', or 'families' for several: give one of the two")
        names = [f.name for f in self.families]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"families: '{min(twice)}' is there twice: remove one")
        must_see_alike(self.teacher, self.view, [f.view for f in self.families])
        return self

    @model_validator(mode="after")
    def _variations_apart(self) -> Self:
        names = [way for variation in self.systematics for way in variation.ways]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"systematics: '{min(twice)}' is there twice: give each a name of its own")
        named = [goal.name for goal in self.objectives] + [bound.name for bound in self.constraints]
        goals = [name for name in named if name.startswith(WORST)]
        if goals and not self.systematics:
            raise ValueError(f"'{goals[0]}' is the worst under the study's systematics, and it has none")
        return self

    def judged(self, metrics: Mapping[str, str]) -> dict[str, str]:
        """A task's metrics with their directions, with that of a decorrelated training, and the worst of each where the
        study has systematics."""
        own = self.training.decorrelate
        metrics = dict(metrics) | ({} if own is None else {own.metric: "minimise"})
        worst = {WORST + name: way for name, way in metrics.items()} if self.systematics else {}
        return dict(metrics) | worst

    @property
    def named(self) -> tuple[str, ...]:
        """The family, or each of several."""
        return tuple(f.name for f in self.families) or (self.family,)

    def alone(self, name: str) -> Study:
        """The study of one of its families alone, with what is that one's own; of a study of one, itself."""
        if not self.families:
            return self
        own = next(f for f in self.families if f.name == name)
        return self.model_copy(
            update={"family": own.name, "families": (), "space": own.space}
            | {key: getattr(own, key) for key in _OF_EACH}
        )

    def of(self, config: Mapping[str, Any], source: str) -> Study:
        """The study of the family that a trial's configuration is of, trained as that says; InputError where it names
        none of them, or a setting of training that the study does not have."""
        own = self._of_family(config, source)
        training = own.training.drawn(config, source)
        return own if training is own.training else own.model_copy(update={"training": training})

    def _of_family(self, config: Mapping[str, Any], source: str) -> Study:
        if not self.families:
            return self
        name = str(config.get(FAMILY, ""))
        if name not in self.named:
            raise InputError(
                f"{source}: {FAMILY} is {name!r}, which is none of the study's families{nearest(name, self.named)}: "
                f"{', '.join(self.named)}"
            )
        return self.alone(name)

    def to_yaml(self) -> str:
        """The study as it stands in the run folder."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def _defaults() -> dict[str, Any]:
    return {key: Study.model_fields[key].get_default() for key in _OF_EACH}


def load_study(name: str) -> Study:
    """Load a study by path or shipped name; InputError names file, key and the nearest known key."""
    path = resources.locate("search", name)
    return parse_study(given_text(path, YAML_BYTES), str(path))


def parse_study(text: str, source: str) -> Study:
    """Parse a study from YAML text; ``source``, and the line, are named in errors."""
    data = yaml_of(text, source)
    try:
        return validate(Study, data, source)
    except KeyedError as error:
        raise InputError(f"{source}, line {YamlPlaces(text).line(error.key)}: {error.said}") from None


@contextmanager
def in_its_file(name: str) -> Iterator[None]:
    """Say of an error in a study, once it is read, in which line of which file it is."""
    try:
        yield
    except StudyError as error:
        path = resources.locate("search", name)
        text = given_text(path, YAML_BYTES)
        line = YamlPlaces(text).line(error.key)
        raise InputError(f"{path}, line {line}, {'.'.join(map(str, error.key))}: {error}") from None
