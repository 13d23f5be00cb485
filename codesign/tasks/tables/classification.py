"""The task ``classification``: which class a row of the user's own tables is."""

from __future__ import annotations

from functools import cached_property

from codesign.core.validation import validate
from codesign.data.sample import Part, Sample
from codesign.tasks.base import Baseline, Progress, Settings
from codesign.tasks.tables.table_baselines import BestCut, LinearClasses
from codesign.tasks.tables.table_sample import must_read_tables, sample_of_tables
from codesign.tasks.tables.table_settings import ClassificationSettings
from codesign.tasks.tables.table_task import TableTask
from codesign.tasks.tagging.jet_tagging import BoostedClasses, ClassificationProblem

__all__ = ("TableClassification", "TableClassificationProblem")


class TableClassification(TableTask):
    """Classes of rows of CSV, Parquet, ROOT, HDF5, NPZ or Feather, by columns and expressions over them."""

    name = "classification"
    settings = ClassificationSettings

    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> TableClassificationProblem:
        """The tables of the section ``sample``."""
        return TableClassificationProblem(validate(ClassificationSettings, dict(settings), "sample"))


class TableClassificationProblem(ClassificationProblem):
    """Cross-entropy of the declared classes, judged by accuracy, AUC and background rejection."""

    def __init__(self, chosen: ClassificationSettings) -> None:
        super().__init__(chosen.classes)
        self._chosen = chosen

    def must_read(self) -> None:
        """The files are there, and have the columns that are named."""
        must_read_tables(self._chosen)

    @cached_property
    def sample(self) -> Sample:
        """The rows of the files."""
        return sample_of_tables(self._chosen, self.classes)

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Boosted trees, logistic regression, and the best single feature, on the features."""
        return [BoostedClasses(train, seed), LinearClasses(train, seed), BestCut(train, self.classes)]
