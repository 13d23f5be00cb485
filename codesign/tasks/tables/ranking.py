"""The task ``ranking``: one score by which a trigger keeps rows of one's own tables, at a fixed background rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.records import Metric, Plot
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample, Splits
from codesign.tasks import metrics
from codesign.tasks.anomalies.rates import LEAST_EVENTS, Threshold, efficiency, share, threshold_at
from codesign.tasks.base import Baseline, Problem, Progress, Scores, Settings, Target
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.plot_lines import line, scores_by_source
from codesign.tasks.tables.table_baselines import BestCut, LinearClasses
from codesign.tasks.tables.table_remarks import remarks_of_classes
from codesign.tasks.tables.table_sample import must_read_tables, sample_of_tables
from codesign.tasks.tables.table_settings import RankingSettings
from codesign.tasks.tables.table_task import TableTask
from codesign.tasks.tagging.jet_tagging import BoostedClasses
from codesign.tasks.weighting import effective, event_weights, some

__all__ = ("RankingProblem", "TableRanking")

_CURVE_POINTS = 120


class TableRanking(TableTask):
    """Signal over background by one score, which the firmware compares with a threshold: a trigger."""

    name = "ranking"
    settings = RankingSettings

    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> RankingProblem:
        """The tables of the section ``sample``."""
        return RankingProblem(validate(RankingSettings, dict(settings), "sample"))


class RankingProblem(Problem):
    """Squared error of a score that is 1 of signal and 0 of background; judged by the signal efficiency at the
    threshold that keeps the allowed share of background on the validation split."""

    trigger = "score"

    def __init__(self, chosen: RankingSettings) -> None:
        self._chosen = chosen
        self._signals = tuple(c for c in chosen.classes if c != chosen.trigger.background)
        each = [f"efficiency_{c}" for c in self._signals] if len(self._signals) > 1 else []
        self.metrics = dict.fromkeys(("efficiency", "auc", *each), "maximise") | {"background_share": "minimise"}

    def must_read(self) -> None:
        """The files are there, and have the columns that are named."""
        must_read_tables(self._chosen)

    @cached_property
    def sample(self) -> Sample:
        """The rows of the files."""
        return sample_of_tables(self._chosen, self._chosen.classes)

    def remarks(self, sample: Sample, splits: Splits) -> Iterable[str]:
        """What is learned, in numbers."""
        return remarks_of_classes(sample, splits)

    @property
    def settings(self) -> Settings:
        """Which class is background, and how much of it is kept."""
        return self._chosen.trigger.model_dump(mode="json")

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """The score."""
        return (Head("score", ("score",), LossObjective("squared")),)

    def meanings(self, sample: Sample) -> Mapping[str, str]:
        """Of the score."""
        return {
            "score": f"higher is less like {self._chosen.trigger.background}; the threshold keeps the share "
            f"{self._chosen.trigger.allowed:g} of that on the validation split"
        }

    def target(self, part: Part) -> Mapping[str, Target]:
        """1 of signal, 0 of background, (events, 1)."""
        return {"score": self._is_signal(part).astype(np.float32)[:, None]}

    def _is_signal(self, part: Part) -> NDArray[np.bool_]:
        return np.asarray(part.y != self._chosen.classes.index(self._chosen.trigger.background))

    def working_points(self, scores: Scores, validation: Part) -> dict[str, float]:
        """The threshold, and those for one standard deviation more and less of the background that it keeps."""
        background, allowed = ~self._is_signal(validation), self._chosen.trigger.allowed
        weights = some(event_weights(validation), background)
        number = effective(weights, int(background.sum()))
        if allowed * number < LEAST_EVENTS:
            raise InputError(
                f"sample.trigger.allowed: {allowed:g} of {number:.0f} background rows of the validation split are "
                f"{allowed * number:.1f}, and {LEAST_EVENTS} are needed to set a threshold: allow more, or give at "
                f"least {LEAST_EVENTS / allowed:.0f} background rows to that split"
            )
        found = threshold_at(scores[background, 0], allowed, weights)
        return {"threshold": found.value, "threshold_low": found.low, "threshold_high": found.high}

    def judge(self, scores: Scores, part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Signal efficiency at the threshold, of each signal where there are several, the area under the ROC curve, and
        the share of background that is kept."""
        threshold = Threshold(points["threshold"], points["threshold_low"], points["threshold_high"])
        signal, weights, score = self._is_signal(part), event_weights(part), scores[:, 0]
        found = {}
        if signal.any():
            found["efficiency"] = efficiency(score[signal], threshold, some(weights, signal))
        if signal.any() and not signal.all():
            area, influence = metrics.auc_influence(score, signal, weights)
            found["auc"] = Metric(value=area, error=float(np.sqrt((influence**2).sum())))
        for name in self._signals if len(self._signals) > 1 else ():
            if (own := part.y == self._chosen.classes.index(name)).any():
                found[f"efficiency_{name}"] = efficiency(score[own], threshold, some(weights, own))
        found["background_share"] = share(score[~signal] >= threshold.value, some(weights, ~signal))
        return found

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Boosted trees, logistic regression, and the best single feature, on the features."""
        two = replace(train, y=self._is_signal(train).astype(np.int64), class_names=("background", "signal"))
        return [
            _Difference(BoostedClasses(two, seed)),
            _Difference(LinearClasses(two, seed)),
            _Difference(BestCut(two, ("background", "signal"))),
        ]

    def plots(
        self, scores: Scores, part: Part, baselines: Mapping[str, Scores], points: Mapping[str, float]
    ) -> list[Plot]:
        """Signal efficiency at each share of background that is kept."""
        signal, weights = self._is_signal(part), event_weights(part)
        least = 1 / max(effective(some(weights, ~signal), int((~signal).sum())), 2.0)
        at = np.geomspace(least, 1.0, _CURVE_POINTS)
        series = []
        for source, found in scores_by_source(scores, baselines).items():
            background, passed = metrics.roc(found[:, 0], signal, weights)
            series.append(line(source, at, np.interp(at, background, passed)))
        return [
            Plot(
                name="efficiency",
                title="Signal efficiency at each share of background that is kept",
                x_label="share of background that is kept",
                y_label="signal efficiency",
                log_x=True,
                series=series,
                caption=f"{len(part)} {part.name} rows; the threshold was set for {self._chosen.trigger.allowed:g}; "
                "dashed: the baselines.",
            )
        ]


class _Difference:
    """The scores of two classes as one: the signal's less the background's."""

    def __init__(self, own: BoostedClasses | LinearClasses | BestCut) -> None:
        self.name, self._own = own.name.replace(" of each class", ""), own

    def __call__(self, part: Part) -> Scores:
        scores = self._own(part)
        return np.asarray(scores[:, 1:] - scores[:, :1])
