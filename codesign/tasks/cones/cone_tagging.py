"""The task ``cone-tagging``: the class of a seeded-cone jet, and its pT with quantiles, from its candidates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout
from codesign.core.records import Plot, Series
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample
from codesign.physics.detector.cone_pieces import CLASSES
from codesign.statistics import rowwise
from codesign.statistics.replicas import DrawnRows, Replicas
from codesign.tasks.base import Baseline, Progress, Settings, Target, Task
from codesign.tasks.cones.cone_baselines import BoostedCones, PlainCones
from codesign.tasks.cones.cone_sample import CANDIDATES, ConeSample, cone_sample_of
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.plot_lines import line, scores_by_source
from codesign.tasks.tagging.constituent_fields import widened
from codesign.tasks.tagging.jet_tagging import ClassificationProblem
from codesign.tasks.weighting import event_weights, quantile, some

__all__ = ("ConeTagging", "ConeTaggingProblem")

#: of ln(wanted pT / pT of the candidates); the middle one is the correction
QUANTILES = (0.16, 0.5, 0.84)
_OUTPUTS = ("pt_16", "pt", "pt_84")
_BETWEEN = QUANTILES[-1] - QUANTILES[0]
_PT_EDGES = (20.0, 30, 45, 70, 100, 150, 250)


class ConeTagging(Task):
    """Jets of the correlator: eight classes, as CMS' tagger of seeded-cone jets has, and pT with quantiles."""

    name = "cone-tagging"
    settings = ConeSample

    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> ConeTaggingProblem:
        """Jets of the cards' events. The cards have their own seeds."""
        return ConeTaggingProblem(validate(ConeSample, dict(settings), "sample"), progress)


class ConeTaggingProblem(ClassificationProblem):
    """Cross-entropy of the classes and the pinball loss of the pT's quantiles; judged by accuracy, AUC, rejection, and
    what is left of the pT's spread."""

    def __init__(self, chosen: ConeSample, progress: Progress | None = None) -> None:
        super().__init__(CLASSES)
        self._chosen, self._progress = chosen, progress
        self.metrics = {**self.metrics, **dict.fromkeys(("resolution", "bias", "coverage_error"), "minimise")}

    @cached_property
    def sample(self) -> Sample:
        """The cards' jets, simulated once and then from the cache."""
        return cone_sample_of(self._chosen, self._progress)

    @property
    def settings(self) -> Settings:
        """The weight of the pT."""
        return {"quantiles": self._chosen.quantiles}

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """A logit of each class, and three quantiles of ln(wanted pT / pT of the candidates)."""
        pt = Head("pt", _OUTPUTS, LossObjective("quantile", quantiles=QUANTILES), self._chosen.quantiles)
        return (*super().heads(sample), pt)

    def meanings(self, sample: Sample) -> Mapping[str, str]:
        """Of each output."""
        levels = zip(_OUTPUTS, QUANTILES, strict=True)
        shown = {
            name: f"{100 * level:.0f} % quantile of ln(wanted pT / pT of the candidates)" for name, level in levels
        }
        return {name: f"logit of the class {name}" for name in CLASSES} | shown

    def target(self, part: Part) -> Mapping[str, Target]:  # type: ignore[override]  # beside the classes, a number
        """The class of each jet, and its correction."""
        assert part.targets is not None
        return {**super().target(part), "pt": part.targets[:, 0]}

    def input_quantisation(self, x: NDArray[np.float32], blocks: tuple[Layout, ...], bits: int) -> InputQuantisation:
        """Standardised, with a range that nearly all candidates are within: pT and distances have long tails."""
        found = super().input_quantisation(x, blocks, bits)
        return widened(found, x) if CANDIDATES in blocks else found

    def replicate(
        self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """Of the pT, beside what is judged of classes.

        ``resolution``: half of what 68 % of corrected over wanted pT lie within, over their median; ``bias``: how far
        that median is from 1; ``coverage_error``: share of jets between the outer quantiles, less 0.68.
        """
        assert part.targets is not None
        logits, pt = scores[:, : len(CLASSES)], scores[:, len(CLASSES) :]
        found = super().replicate(logits, part, points, replicas)
        target = part.targets[:, 0].astype(np.float64)
        response, between = np.exp(pt[:, 1] - target), (target >= pt[:, 0]) & (target <= pt[:, 2])

        def measure(rows: DrawnRows) -> dict[str, NDArray[np.float64]]:
            low, middle, high = rowwise.quantiles(response, QUANTILES, rows.weights).T
            return {
                "resolution": (high - low) / 2 / middle,
                "bias": np.abs(middle - 1),
                "coverage_error": np.abs(rowwise.means(between, rows.weights) - _BETWEEN),
            }

        return found | replicas.collect(measure)

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Boosted trees of the jet's numbers and of the candidates themselves, and bins."""
        trees = [BoostedCones(train, QUANTILES, seed, block) for block in ("features", CANDIDATES.name)]
        return [*trees, PlainCones(train, QUANTILES)]

    def plots(
        self,
        scores: NDArray[np.float64],
        part: Part,
        baselines: Mapping[str, NDArray[np.float64]],
        points: Mapping[str, float],
    ) -> list[Plot]:
        """ROC curves, the confusion matrix, and the pT's resolution against the wanted pT."""
        tags = {name: values[:, : len(CLASSES)] for name, values in baselines.items()}
        found = super().plots(scores[:, : len(CLASSES)], part, tags, points)
        shown = scores_by_source(scores, baselines, most=1)
        series = [_resolution(name, values[:, len(CLASSES) + 1], part) for name, values in shown.items()]
        return [
            *found,
            Plot(
                name="resolution",
                title="Resolution of the corrected pT",
                x_label="wanted pT [GeV]",
                y_label="half of the central 68 % over the median",
                log_x=True,
                series=series,
                caption=f"{len(part)} {part.name} jets; bins of at least 20; dashed: the primary baseline.",
            ),
        ]


def _resolution(source: str, correction: NDArray[np.float64], part: Part) -> Series:
    assert part.targets is not None
    response, weights = np.exp(correction - part.targets[:, 0]), event_weights(part)
    place = np.digitize(part.truth["reference_pt"], _PT_EDGES)
    x, y = [], []
    for number in np.unique(place):
        inside = place == number
        if inside.sum() >= 20:
            low, middle, high = quantile(response[inside], np.array(QUANTILES), some(weights, inside))
            x.append(float(np.median(part.truth["reference_pt"][inside])))
            y.append(float((high - low) / 2 / middle))
    return line(source, x, y)
