"""The task ``jet-tagging``: which of several classes a jet is, from its high-level features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from codesign.core.errors import InputError, nearest
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import BlockValues, Layout
from codesign.core.reading.detection import must_be_files
from codesign.core.records import Metric, Plot, Series
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample
from codesign.physics.card import card_data
from codesign.physics.jet_shapes import SHAPES, jet_shapes
from codesign.physics.substructure import CONSTITUENTS, FEATURE_NAMES, FEATURE_UNITS, constituents_block, features_of
from codesign.statistics import rowwise
from codesign.statistics.comparison import spread, summary
from codesign.statistics.replicas import DrawnRows, Replicas
from codesign.tasks import metrics
from codesign.tasks.base import Baseline, Problem, Progress, Settings, Task
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.measured_problem import Measure, measured_rows
from codesign.tasks.plot_lines import line, scores_by_source
from codesign.tasks.tagging.constituent_fields import FIELDS, field_block, widened
from codesign.tasks.weighting import Weights, effective, event_weights, replicas_of, some

__all__ = ("BoostedClasses", "ClassificationProblem", "JetSample", "JetTagging", "JetTaggingProblem")

#: signal efficiencies (percent) at which the background rejection is quoted
WORKING_POINTS = (30, 50, 80)

#: points of a plotted ROC curve: more cannot be seen
_CURVE_POINTS = 200


class JetSample(BaseModel):
    """The study's ``sample`` section: a generator card, or a file of jets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    card: str | None = Field(default=None, description="name or path of a generator card")
    events: int = Field(default=25000, ge=500, description="jets to generate, all classes together")
    file: str | None = Field(default=None, description="HDF5, ARFF, Parquet, NPZ or ROOT file, told by its content")
    class_names: tuple[str, ...] | None = Field(
        default=None, description="what numbers in the file's label stand for, from 0, where the file does not say"
    )
    fields: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description=f"of a constituent, in this order, made offline of pt, deta and dphi; of {', '.join(FIELDS)}",
    )
    features: tuple[str, ...] = Field(
        default=(),
        exclude_if=lambda names: not names,
        description=f"in place of the sixteen; of those and of the shapes of the constituents, {', '.join(SHAPES)}",
    )
    leading: int | None = Field(
        default=None,
        ge=1,
        le=32,
        exclude_if=lambda n: n is None,
        description="of the hardest constituents that features are made of, as where a file has no more than those",
    )
    above: float | None = Field(
        default=None,
        ge=0,
        exclude_if=lambda pt: pt is None,
        description="GeV: softer constituents are left out, as where a file has none of those",
    )
    jet: tuple[str, ...] = Field(default=(), description="features that make a block 'jet' beside the constituents")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.card is None) == (self.file is None):
            raise ValueError("give either a generator card or a file")
        if self.class_names is not None and self.file is None:
            raise ValueError("class_names are of a file; a generator card has its own")
        if self.class_names is not None and len({c.lower() for c in self.class_names if c}) < len(self.class_names):
            raise ValueError("class_names are different names")
        every = (*FEATURE_NAMES, *SHAPES)
        named = (
            ("fields", self.fields or (), tuple(FIELDS)),
            ("jet", self.jet, every),
            ("features", self.features, every),
        )
        for key, chosen, known in named:
            for name in chosen:
                if name not in known:
                    raise ValueError(f"{key}: there is no '{name}'{nearest(name, known)}: choose of {', '.join(known)}")
            if len(set(chosen)) < len(chosen):
                raise ValueError(f"{key}: a name is there twice")
        return self


class BoostedClasses:
    """A boosted tree; its scores are log-probabilities, (events, classes)."""

    name = "boosted decision trees (scikit-learn HistGradientBoostingClassifier)"

    def __init__(self, train: Part, seed: int) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        self._model = HistGradientBoostingClassifier(
            max_iter=150, learning_rate=0.1, early_stopping=True, validation_fraction=0.1, random_state=seed
        ).fit(train.features, train.y, sample_weight=event_weights(train))

    def __call__(self, part: Part) -> NDArray[np.float64]:
        """Scores of a part's events."""
        return np.log(np.clip(self._model.predict_proba(part.features), 1e-12, None))  # type: ignore[no-any-return]


class ClassificationProblem(Problem):
    """Cross-entropy of some classes, judged by accuracy, AUC and background rejection."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        self.classes = classes
        self.metrics = {"accuracy": "maximise", "auc_mean": "maximise"}
        self.metrics |= {f"auc_{c}": "maximise" for c in classes}
        self.metrics |= {f"rejection_{c}_{p}": "maximise" for p in WORKING_POINTS for c in classes}

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """One logit per class; cross-entropy."""
        return (Head("classes", sample.class_names, LossObjective("cross-entropy")),)

    def target(self, part: Part) -> Mapping[str, NDArray[np.int64]]:
        """The class of each jet."""
        return {"classes": part.y}

    def judge(self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Accuracy; AUC per class against the rest, and their mean; rejection at 30, 50 and 80 % signal efficiency."""
        rows = self.replicate(scores, part, points, replicas_of(part))
        found = summary(rows)
        for name in (name for name in found if name.startswith("rejection_")):
            # 1 / x of few events has a long tail: the error is that of x, which is nearly normal, carried over
            value = found[name].value
            found[name] = Metric(value=value, error=value**2 * spread(1 / rows[name]))
        counts = np.bincount(part.y, minlength=len(self.classes))
        # absent where the sample is too small to say: less than one event of background is left
        return {
            name: metric
            for name, metric in found.items()
            if not name.startswith("rejection_") or metric.value < (len(part) - counts[self._class_of(name)]) * 0.999
        }

    def _class_of(self, metric: str) -> int:
        return self.classes.index(metric.removeprefix("rejection_").rpartition("_")[0])

    def replicate(
        self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """All of them at once in every replica."""
        chance, right = metrics.probabilities(scores), scores.argmax(axis=1) == part.y
        efficiencies = [point / 100 for point in WORKING_POINTS]

        def measure(rows: DrawnRows) -> dict[str, NDArray[np.float64]]:
            found = {"accuracy": rowwise.means(right, rows.weights)}
            areas = []
            for index, name in enumerate(self.classes):
                mine = part.y == index
                if not mine.any() or mine.all():
                    raise ValueError("an AUC needs events of both classes")
                area, each = rowwise.areas_and_rejections(chance[:, index], mine, efficiencies, rows.weights)
                areas.append(area)
                found[f"auc_{name}"] = area
                found |= {f"rejection_{name}_{p}": each[:, i] for i, p in enumerate(WORKING_POINTS)}
            return found | {"auc_mean": np.mean(areas, axis=0)}

        found, more = replicas.collect(measure), self.measure(scores, part)
        return found if more is None else found | measured_rows(more, points, replicas)

    def measure(self, scores: NDArray[np.float64], part: Part) -> Measure | None:
        """What a derived task measures beside these, for any weights of the events; its names are in ``metrics``."""
        return None

    def plots(
        self,
        scores: NDArray[np.float64],
        part: Part,
        baselines: Mapping[str, NDArray[np.float64]],
        points: Mapping[str, float],
    ) -> list[Plot]:
        """ROC curve of each class with the baseline's beside it, and the confusion matrix."""
        curves: list[Series] = []
        weights = event_weights(part)
        for source, values in scores_by_source(scores, baselines).items():
            chance = metrics.probabilities(values)
            for index, name in enumerate(self.classes):
                curves.append(_curve(name, source, chance[:, index], part.y == index, weights))
        n = len(self.classes)
        counts = np.zeros((n, n))
        np.add.at(counts, (part.y, scores.argmax(axis=1)), 1 if weights is None else weights)
        rows = counts.sum(axis=1, keepdims=True)
        share = counts / np.where(rows == 0, 1, rows)
        return [
            Plot(
                name="roc",
                title="ROC curve of each class against the rest",
                x_label="signal efficiency",
                y_label="background efficiency",
                log_y=True,
                series=curves,
                caption=f"{len(part)} {part.name} events; bands: one binomial standard deviation of the background "
                "efficiency; dashed: the baselines.",
            ),
            Plot(
                name="confusion",
                title="Confusion matrix",
                x_label="predicted class",
                y_label="true class",
                matrix=share.tolist(),
                x_ticks=list(self.classes),
                y_ticks=list(self.classes),
                caption=f"{len(part)} {part.name} events; each row adds up to 1.",
            ),
        ]


class JetTagging(Task):
    """Multi-class jet tagging from high-level features, constituents, or both."""

    name = "jet-tagging"
    settings = JetSample
    classes = ("g", "q", "w", "z", "t")

    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> JetTaggingProblem:
        """A card's jets, or those of a file. The card has its own seed."""
        return JetTaggingProblem(validate(JetSample, dict(settings), "sample"), self.classes, progress)

    def arrange(self, block: Layout, items: NDArray[np.float32]) -> NDArray[np.float32]:
        """Constituents by falling pT, the hardest 32, as in a sample."""
        return constituents_block(items).values if block == CONSTITUENTS else super().arrange(block, items)


class JetTaggingProblem(ClassificationProblem):
    """Cross-entropy, judged by accuracy, AUC and background rejection."""

    def __init__(self, chosen: JetSample, classes: tuple[str, ...], progress: Progress | None = None) -> None:
        super().__init__(classes)
        self._chosen, self._progress = chosen, progress

    @cached_property
    def sample(self) -> Sample:
        """The card's jets, generated once and then from the cache, or the file's."""
        chosen = self._chosen
        if chosen.card is not None:
            from codesign.data.generated import generated_sample

            return self._completed(generated_sample(chosen.card, chosen.events, progress=self._progress))
        from pathlib import Path

        from codesign.data.readers import read_sample

        assert chosen.file is not None
        return self._completed(read_sample(Path(chosen.file), chosen.class_names))

    def must_read(self) -> None:
        """The file of jets, or the card, is there."""
        if self._chosen.card is not None:
            card_data(self._chosen.card)
        if self._chosen.file is not None:
            must_be_files([self._chosen.file])

    def input_quantisation(self, x: NDArray[np.float32], blocks: tuple[Layout, ...], bits: int) -> InputQuantisation:
        """Standardised; of fields that are made of others, with a range that nearly all of them are within."""
        found = super().input_quantisation(x, blocks, bits)
        return found if self._chosen.fields is None else widened(found, x)

    def _completed(self, sample: Sample) -> Sample:
        """The sample with the task's own classes, and the blocks that the study asks for."""
        sample, chosen = self._known_classes(sample), self._chosen
        if chosen.leading is not None or chosen.above is not None:
            first = self._constituents(sample, "leading and above")[:, : chosen.leading]
            first = np.where(first[..., :1] > (chosen.above or 0), first, 0)
            sample = replace(sample, features=features_of(first), blocks=(constituents_block(first),))
        known = self._named(sample, (*chosen.features, *chosen.jet))
        if chosen.fields is not None:
            if sample.constituents is None:
                raise InputError("sample.fields are of constituents, which this sample does not have: leave fields out")
            sample = replace(sample, blocks=(field_block(sample.constituents, chosen.fields),))
        if chosen.jet:
            units = tuple(known[name][0] for name in chosen.jet)
            layout = Layout(name="jet", shape=(len(chosen.jet),), fields=chosen.jet, units=units)
            values = np.column_stack([known[name][1] for name in chosen.jet])
            sample = replace(sample, blocks=(*sample.blocks, BlockValues(layout, values)))
        if chosen.features:
            sample = replace(
                sample,
                features=np.column_stack([known[name][1] for name in chosen.features]),
                feature_names=chosen.features,
                units=tuple(known[name][0] for name in chosen.features),
            )
        return sample

    @staticmethod
    def _constituents(sample: Sample, key: str) -> NDArray[np.float32]:
        if sample.constituents is None:
            raise InputError(f"sample.{key}: this sample has no constituents, of which it would be made")
        return sample.constituents

    def _named(self, sample: Sample, names: tuple[str, ...]) -> dict[str, tuple[str, NDArray[np.float32]]]:
        """Unit and values (jets,) of the sixteen features, and of shapes where one is among ``names``."""
        found = dict(zip(FEATURE_NAMES, zip(FEATURE_UNITS, sample.features.T, strict=True), strict=True))
        if asked := [name for name in names if name in SHAPES]:
            made = jet_shapes(self._constituents(sample, f"features: {asked[0]}"))
            found |= dict(zip(SHAPES, zip(SHAPES.values(), made.T, strict=True), strict=True))
        return found

    def _known_classes(self, sample: Sample) -> Sample:
        """The sample with the task's own classes, which it names in any order and in capitals or not."""
        found = [name.lower() for name in sample.class_names]
        wanted = [name.lower() for name in self.classes]
        if sorted(found) != sorted(wanted):
            raise InputError(
                f"the sample's classes are {', '.join(sample.class_names)}; the task jet-tagging tells apart "
                f"{', '.join(self.classes)}: give a sample of these, or write a task with your classes "
                "(codesign/tasks/base.py)"
            )
        place = np.array([wanted.index(name) for name in found])
        return replace(sample, labels=place[sample.labels], class_names=self.classes)

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Boosted decision trees on the same inputs."""
        return [BoostedClasses(train, seed)]


def _curve(of: str, source: str, score: NDArray[np.float64], signal: NDArray[np.bool_], weights: Weights) -> Series:
    """The curve of a class; ``source``: the baseline whose it is, empty for the design."""
    background, efficiency = metrics.roc(score, signal, weights)
    x = np.linspace(0.05, 1.0, _CURVE_POINTS)
    y = np.interp(x, efficiency, background)
    count = effective(some(weights, ~signal), int((~signal).sum()))
    seen = y * count >= 1  # below one event the curve says nothing
    x, y = x[seen], y[seen]
    error = np.sqrt(np.maximum(y * (1 - y), 0) / count)
    return line(source, x, y, of=of, low=np.maximum(y - error, 0.5 / count), high=y + error)
