"""The section ``sample`` of a study on the user's own tables."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from codesign.core.errors import nearest
from codesign.core.layout import MOST_ELEMENTS, Layout

__all__ = (
    "ClassificationSettings", "ItemSettings", "LabelSettings", "MissingSettings", "ParametricSettings",
    "RankingSettings",
    "RegressionSettings", "SplitSettings", "TableSettings", "TargetSettings", "TriggerSettings",
)  # fmt: skip

_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ItemSettings(_Section):
    """Items of a row, such as a jet's constituents: a list for each field, of any length."""

    collection: str = Field(pattern=_NAME, description="PFCands: its columns are PFCands.pt or PFCands_pt")
    fields: tuple[str, ...] = Field(min_length=1, description="columns of the collection, or expressions: pt, log(pt)")
    max: int = Field(ge=1, le=1024, description="items that a network sees; further ones are dropped")
    sort: str = Field(default="", description="pt, or -pt for falling, or an expression; empty: as they come")
    absent: Literal["code", "masked"] = Field(
        default="code",
        description="an item that is not there: code 0 in every field, or told by a field 'valid' of its own, 1 or 0",
    )

    @model_validator(mode="after")
    def _is_a_block(self) -> Self:
        if len(set(self.fields)) < len(self.fields) or (self.absent == "masked" and "valid" in self.fields):
            raise ValueError("two of its fields have one name")
        if self.max * (len(self.fields) + 1) > MOST_ELEMENTS:
            raise ValueError(f"{self.max} items of {len(self.fields)} fields are more than {MOST_ELEMENTS} numbers")
        return self

    @property
    def layout(self) -> Layout:
        """The block that a study's view names."""
        validity = "valid" if self.absent == "masked" else None
        fields = (*self.fields, *((validity,) if validity else ()))
        return Layout(
            name=self.collection,
            shape=(self.max, len(fields)),
            fields=fields,
            absent=self.absent,
            validity=validity,
            order=self.sort,
        )


class LabelSettings(_Section):
    """Which class a row is: what a column holds, each of its values declared."""

    column: str = Field(description="a column, or an expression over columns")
    classes: dict[str | int | bool, str] = Field(min_length=2, description="{0: background, 1: signal}: value -> class")

    @model_validator(mode="after")
    def _named(self) -> Self:
        names = list(dict.fromkeys(self.classes.values()))
        for name in names:
            if not name.isascii() or not name.replace("_", "a").isalnum() or name[0].isdigit():
                raise ValueError(f"'{name}' is no name of a class: letters, digits and underscores")
        if len(names) < 2:
            raise ValueError(f"every value is the class '{names[0]}': declare at least two classes")
        return self


class MissingSettings(_Section):
    """What is done with a row in which a feature is missing or not finite."""

    policy: Literal["refuse", "drop", "median", "value"] = Field(
        default="refuse", description="median: of a feature in the training split; value: the number below"
    )
    value: float = Field(default=0.0, description="of the policy 'value': what stands for a missing number")


class SplitSettings(_Section):
    """What is never split apart. The shares of the splits are the study's own section ``splits``."""

    by: str | None = Field(default=None, description="rows of one value of it stay together: run, eventNumber")
    modulo: int | None = Field(default=None, ge=3, le=10_000, description="of by: rows of one remainder stay together")
    validation: tuple[str, ...] = Field(default=(), description="files of this split alone, in place of shares")
    test: tuple[str, ...] = Field(default=(), description="files of this split alone, in place of shares")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.validation) != bool(self.test):
            raise ValueError("files of their own are given for both splits, validation and test")
        if self.by is not None and self.validation:
            raise ValueError("give either by, or files of their own")
        if self.modulo is not None and self.by is None:
            raise ValueError("modulo is of the column that by names")
        return self


class TableSettings(_Section):
    """What every table has: files, features, and what is done with rows."""

    files: tuple[str, ...] | dict[str, tuple[str, ...]] = Field(
        min_length=1, description="names and globs, 'background/*.root:Events'; by class where a class has its own"
    )
    features: tuple[str, ...] = Field(min_length=1, description="columns and expressions: pt, log(m), jets.pt[:4]")
    units: dict[str, str] = Field(default_factory=dict, description="of features, by their text")
    constituents: ItemSettings | None = Field(default=None, description="a block of items beside the features")
    weights: str | None = Field(default=None, description="an expression: genWeight * xsec; none below 0")
    cross_sections: dict[str, float] = Field(
        default_factory=dict,
        exclude_if=lambda known: not known,
        description="of each entry of files, in any unit: its rows weigh that in all, before select",
    )
    select: str | None = Field(default=None, description="rows that are kept: pt > 30 & abs(eta) < 2.4")
    missing: MissingSettings = MissingSettings()
    split: SplitSettings = SplitSettings()
    rows: int | None = Field(default=None, ge=100, description="read so many rows at most of each file, the first")

    @model_validator(mode="after")
    def _every_process_has_one(self) -> Self:
        if not self.cross_sections:
            return self
        names = [*self.split.validation, *self.split.test]
        names += [n for of in self.files.values() for n in of] if isinstance(self.files, dict) else [*self.files]
        for name in self.cross_sections:
            if name not in names:
                raise ValueError(f"cross_sections: '{name}' is no entry of files{nearest(name, names)}")
        for name in names:
            if not self.cross_sections.get(name, 0) > 0:
                raise ValueError(f"cross_sections: '{name}' has none above 0; each entry of files has one, or none has")
        return self


class RangeSettings(_Section):
    """All values from one to another."""

    low: float = Field(description="the least value")
    high: float = Field(description="the largest value, above low")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low is below high")
        return self


class ParametricSettings(_Section):
    """A feature that is a hypothesis, such as the mass of a signal that is searched for."""

    input: str = Field(description="the feature, as it stands in features")
    background: str = Field(description="the class whose rows have none: each is given one of the signals' at random")
    trained: Annotated[
        Annotated[tuple[float, ...], Tag("list")] | Annotated[RangeSettings, Tag("range")],
        Discriminator(lambda given: "range" if isinstance(given, dict | RangeSettings) else "list"),
    ] = Field(description="values of signals that are learned: a list, or all those of a range, {low: 300, high: 700}")
    between: tuple[float, ...] = Field(
        default=(), max_length=50, description="values of signals that are in the test split alone"
    )
    within: float = Field(
        default=0,
        ge=0,
        exclude_if=lambda width: width == 0,
        description="of a range: signals so near to a value of between are taken for it, and not learned",
    )

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if isinstance(self.trained, RangeSettings):
            if not self.between or not self.within:
                raise ValueError(
                    "a range needs values to be judged at, between, and within, how near to them signals lie"
                )
            low, high = self.trained.low + self.within, self.trained.high - self.within
            if not all(low < value < high for value in self.between):
                raise ValueError(
                    "values of between lie within the range, by more than within: it is not judged beyond it"
                )
            places = sorted(self.between)
            if any(after - before <= 2 * self.within for before, after in pairwise(places)):
                raise ValueError("values of between lie apart by more than twice within: a signal would be of two")
        elif self.within:
            raise ValueError("within is of a range, trained: {low, high}: signals of a list have the very values")
        elif not 1 <= len(self.trained) <= 50:
            raise ValueError("trained has 1 to 50 values, or is a range {low, high}")
        return self

    @property
    def listed(self) -> tuple[float, ...]:
        """The values that are learned, where they are a list."""
        return () if isinstance(self.trained, RangeSettings) else self.trained

    @model_validator(mode="after")
    def _different(self) -> Self:
        if isinstance(self.trained, RangeSettings):
            return self
        values = (*self.trained, *self.between)
        if len({f"{value:g}" for value in values}) < len(values):
            raise ValueError("a value is there twice")
        if self.between and not all(min(self.trained) < value < max(self.trained) for value in self.between):
            raise ValueError("values of between lie between those of trained: a network is not judged beyond them")
        return self


class ClassificationSettings(TableSettings):
    """Classes of rows: by a column, or by file."""

    label: LabelSettings | None = None
    parametric: ParametricSettings | None = Field(default=None, exclude_if=lambda section: section is None)

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        by_file = isinstance(self.files, dict)
        if by_file == (self.label is not None):
            raise ValueError("give either label, or files by class: {signal: [...], background: [...]}")
        if isinstance(self.files, dict):
            if len(self.files) < 2:
                raise ValueError("files of one class only: give those of at least two")
            if self.split.validation:
                raise ValueError("files by class have no files of their own for validation and test: give label")
        if self.parametric is not None:
            if self.parametric.background not in self.classes:
                name = self.parametric.background
                raise ValueError(f"parametric.background: '{name}' is no class{nearest(name, self.classes)}")
            if self.split.validation:
                raise ValueError("parametric shares signals out by their values: there are no files of own splits then")
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of declaration."""
        if isinstance(self.files, dict):
            return tuple(self.files)
        assert self.label is not None
        return tuple(dict.fromkeys(self.label.classes.values()))


class TriggerSettings(_Section):
    """What a trigger keeps of which class."""

    background: str = Field(description="the class whose rate is held; all others are signal")
    allowed: float = Field(gt=0, lt=1, description="share of background that may pass: allowed rate over input rate")


class RankingSettings(ClassificationSettings):
    """Rows by one score, signal above background."""

    trigger: TriggerSettings

    @model_validator(mode="after")
    def _known_background(self) -> Self:
        if (name := self.trigger.background) not in self.classes:
            raise ValueError(
                f"trigger.background: '{name}' is no class{nearest(name, self.classes)}: {', '.join(self.classes)}"
            )
        if self.parametric is not None:
            raise ValueError("parametric is of the task classification: a ranking has one score of all hypotheses")
        return self


class TargetSettings(_Section):
    """A number that is regressed."""

    column: str = Field(description="a column, or an expression over columns")
    name: str = Field(default="target", pattern=_NAME, description="of the output")
    unit: str = Field(default="", description="such as GeV; empty: a number")
    middle: float = Field(default=0.0, description="what the output 0 means: about the target's mean")
    spread: float = Field(default=1.0, gt=0, description="what a step of 1 of the output means: about its deviation")


class RegressionSettings(TableSettings):
    """A number of each row, from the others."""

    target: TargetSettings
    quantiles: tuple[float, ...] = Field(default=(), description="also learned: 0.16, 0.5, 0.84, with the pinball loss")

    @model_validator(mode="after")
    def _of_rows(self) -> Self:
        if isinstance(self.files, dict):
            raise ValueError("files by class are of a classification: give a list of files")
        if not all(0 < q < 1 for q in self.quantiles) or sorted(set(self.quantiles)) != list(self.quantiles):
            raise ValueError(f"quantiles are numbers between 0 and 1, rising, not {list(self.quantiles)}")
        return self
