"""The task ``classification``: which class a row of the user's own tables is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric, Plot
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample, Splits
from codesign.statistics.replicas import Replicas
from codesign.tasks.base import Baseline, Progress, Scores, Settings
from codesign.tasks.metrics import probabilities
from codesign.tasks.tables.parametric import HYPOTHESIS, areas_at, metrics_at, with_hypotheses
from codesign.tasks.tables.table_baselines import BestCut, LinearClasses
from codesign.tasks.tables.table_metrics import BACKGROUNDS, calibration_error, calibration_plot, efficiency_at
from codesign.tasks.tables.table_remarks import remarks_of_classes
from codesign.tasks.tables.table_sample import must_read_tables, sample_of_tables
from codesign.tasks.tables.table_settings import ClassificationSettings
from codesign.tasks.tables.table_task import TableTask
from codesign.tasks.tagging.jet_tagging import BoostedClasses, ClassificationProblem
from codesign.tasks.weighting import event_weights

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
        at = {f"efficiency_{c}_{p}": "maximise" for p in BACKGROUNDS for c in chosen.classes}
        self.metrics = {**self.metrics, **at, "calibration_error": "minimise"}
        self.metrics |= metrics_at(chosen.parametric, chosen.classes)

    def must_read(self) -> None:
        """The files are there, and have the columns that are named."""
        must_read_tables(self._chosen)

    @cached_property
    def sample(self) -> Sample:
        """The rows of the files."""
        return sample_of_tables(self._chosen, self.classes)

    def completed(self, sample: Sample, splits: Splits) -> Sample:
        """With a hypothesis of each row, where the study has one."""
        whole, wanted = super().completed(sample, splits), self._chosen.parametric
        return whole if wanted is None else with_hypotheses(whole, wanted, splits)

    def replicate(
        self, scores: Scores, part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """Also the area at each hypothesis."""
        found, wanted = super().replicate(scores, part, points, replicas), self._chosen.parametric
        if wanted is None or HYPOTHESIS not in part.truth:
            return found
        chance = probabilities(scores)
        return found | replicas.collect(lambda rows: areas_at(wanted, chance, part, self.classes, rows))

    def meanings(self, sample: Sample) -> Mapping[str, str]:
        """Of each logit."""
        return {
            name: f"logit of the class {name}: the largest is the class; softmax of all is the chance of each"
            for name in self.classes
        }

    def remarks(self, sample: Sample, splits: Splits) -> Iterable[str]:
        """Shares of the classes, by rows and by weight."""
        return remarks_of_classes(sample, splits)

    def judge(self, scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Also the efficiency of each class where 1 and 10 % of the others pass, and the calibration of the chances."""
        found = super().judge(scores, part, points)
        chances, weights = probabilities(scores), event_weights(part)
        for percent in BACKGROUNDS:
            for k, name in enumerate(self.classes):
                value = efficiency_at(chances[:, k], part.y == k, percent / 100, weights)
                if value is not None:
                    found[f"efficiency_{name}_{percent}"] = value
        return found | {"calibration_error": calibration_error(chances, part.y, weights)}

    def plots(
        self, scores: Scores, part: Part, baselines: Mapping[str, Scores], points: Mapping[str, float]
    ) -> list[Plot]:
        """Also the calibration."""
        drawn = super().plots(scores, part, baselines, points)
        return [*drawn, calibration_plot(probabilities(scores), part.y, self.classes, event_weights(part))]

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Boosted trees, logistic regression, and the best single feature, on the features."""
        return [BoostedClasses(train, seed), LinearClasses(train, seed), BestCut(train, self.classes)]
