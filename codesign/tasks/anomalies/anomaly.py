"""The task ``anomaly``: a trigger that learns from zero bias alone which events are unusual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.layout import Layout
from codesign.core.reading.detection import must_be_files
from codesign.core.records import Metric, Plot
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample, Splits
from codesign.physics.detector.rate_sample import read_rate_sample
from codesign.statistics.replicas import Replicas, WorkingPoints
from codesign.tasks.anomalies import anomaly_plots as drawing
from codesign.tasks.anomalies import level1_inputs as inputs
from codesign.tasks.anomalies.anomaly_sample import REGIONS, SIGNALS, AnomalySample, sample_of
from codesign.tasks.anomalies.baselines import baselines_of, ceilings_of
from codesign.tasks.anomalies.calorimeter_regions import region_baselines, region_quantisation, standard_regions
from codesign.tasks.anomalies.deposits import with_deposits
from codesign.tasks.anomalies.judging import judge, menu_events, replicate, thresholds_of
from codesign.tasks.anomalies.rate_events import assigned, rate_events, with_rate_events
from codesign.tasks.anomalies.rates import RATES
from codesign.tasks.anomalies.synthetic import with_synthetic
from codesign.tasks.base import Baseline, Inputs, Problem, Progress, Settings, Task
from codesign.tasks.heads import Head, LossObjective
from codesign.tasks.outcome import Axis, Outcome
from codesign.tasks.weighting import event_weights, moments

if TYPE_CHECKING:
    import awkward as ak

__all__ = ("Anomaly", "AnomalyProblem")

#: weight of an angle beside a pT in what is to be reproduced: angles say little, and no network can foretell them
_ANGLE_WEIGHT = 0.125
#: standard deviations, at least so many L1 units, at which what is to be reproduced is cut off
_LEAST_WIDTH, _MOST = 4.0, 16.0


class Anomaly(Task):
    """Unusual events among all collisions, from the objects of the Level-1 trigger (:mod:`.anomalies.inputs`)."""

    name = "anomaly"
    settings = AnomalySample
    collections = inputs.COLLECTIONS

    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> AnomalyProblem:
        """The cards' events, or those of files. The cards have their own seeds."""
        return AnomalyProblem(validate(AnomalySample, dict(settings), "sample"), progress)

    def inputs(self, events: ak.Array) -> Inputs:
        """The inputs of a chunk of events, one row per event."""
        return inputs.event_inputs(events)


class AnomalyProblem(Problem):
    """One output, the score, which the firmware compares with a threshold: the one for the smallest false-positive rate
    that the validation split can tell. Signals are for judging only: the sample holds them out of the training split.
    """

    tabulates = True
    trigger = "score"

    def __init__(self, chosen: AnomalySample, progress: Progress | None = None) -> None:
        self._chosen, self._progress = chosen, progress
        self._rated = 0
        each = [f"auc_{s}" for s in (*SIGNALS, "mean")]
        each += [f"tpr_{s}_{rate}" for rate in RATES for s in (*SIGNALS, "mean")]
        each += [f"{what}_tpr_{s}" for what in ("unique", "added") for s in (*SIGNALS, "mean")]
        names = tuple(chosen.signal_files) or tuple(SIGNALS)
        if "held-out" in chosen.selection:
            each += [f"tpr_without_{s}_{rate}" for rate in RATES for s in names]
        if "synthetic" in chosen.selection:
            each += ["auc_synthetic", *(f"tpr_synthetic_{rate}" for rate in RATES)]
        self.metrics = dict.fromkeys(each, "maximise")
        self.metrics |= dict.fromkeys(("unique_rate_khz", "rate_khz", "pile_up_slope"), "minimise")

    @cached_property
    def sample(self) -> Sample:
        """The cards' events, simulated once and then from the cache, or the files'; behind them those of a rate
        sample."""
        if self._chosen.rate_sample is None:
            return sample_of(self._chosen, self._progress)
        found = rate_events(self._chosen.rate_sample)  # before anything is simulated
        self._rated = len(found.features)
        return with_rate_events(sample_of(self._chosen, self._progress), found, self._chosen.rate_sample)

    def completed(self, sample: Sample, splits: Splits) -> Sample:
        """With a rate sample: validation and test share its events, and no other zero bias. Where networks are chosen
        by synthetic anomalies, these."""
        whole = super().completed(sample, splits)
        whole = assigned(whole, self._rated, splits) if self._rated else whole
        if "synthetic" not in self._chosen.selection:
            return whole
        return with_synthetic(whole, self._chosen.signal // 2, splits)

    def must_read(self) -> None:
        """Files of events are there; the rate sample, where there is one, is whole."""
        must_be_files([*self._chosen.files, *chain.from_iterable(self._chosen.signal_files.values())])
        if self._chosen.rate_sample is not None:
            read_rate_sample(Path(self._chosen.rate_sample))

    def input_quantisation(self, x: NDArray[np.float32], blocks: tuple[Layout, ...], bits: int) -> InputQuantisation:
        """Whole numbers of the trigger's own units are taken off, and the rest is shifted."""
        if REGIONS in blocks:
            if len(blocks) > 1:
                raise InputError("view: the regions stand alone: objects beside them have other units and widths")
            return region_quantisation(x, bits)
        (features,) = blocks
        return inputs.quantisation_of(x, features.fields, features.units, bits)

    def remarks(self, sample: Sample, splits: Splits) -> Iterable[str]:
        """Whether there are too few zero-bias events for what is beside a menu."""
        usual = int((sample.labels[sample.places("validation", splits)] == 0).sum())
        if usual < menu_events():
            yield (
                f"{usual} zero-bias events in the validation split set no cuts of a menu: unique_* and added_* are not "
                f"measured, which takes {menu_events()}"
            )

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """The score, of a network that reproduces its inputs."""
        return (Head("score", ("score",), LossObjective("reconstruction")),)

    def target(self, part: Part) -> Mapping[str, NDArray[np.float32]]:
        """The standardised inputs, (events, 57), the angles with a smaller weight; of regions, (events, 252), over the
        spread of all."""
        if part.view == (REGIONS.name,):
            return {"score": standard_regions(part)}
        x = part.features.astype(np.float64)
        middle, spread = moments(x, event_weights(part))
        standard = np.clip((x - middle) / np.maximum(spread, _LEAST_WIDTH), -_MOST, _MOST)
        weights = [1.0 if name.endswith("_pt") else _ANGLE_WEIGHT for name in inputs.FEATURES]
        return {"score": np.asarray(standard * weights, dtype=np.float32)}

    def exposures(self, train: Part, events: int, seed: int) -> Part | None:
        """Of regions: zero bias with deposits of energy more. None of objects."""
        return with_deposits(train, events, seed) if train.view == (REGIONS.name,) else None

    def undisturbed(self, part: Part) -> NDArray[np.bool_]:
        """Zero bias."""
        return np.asarray(part.y == 0)

    def working_points(self, scores: NDArray[np.float64], validation: Part) -> WorkingPoints:
        """Thresholds on the score for every false-positive rate that the validation split can tell, and on the menu."""
        return thresholds_of(scores, validation)

    def judge(self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """AUC and efficiency per signal, rate, what is added to single-object triggers, and dependence on pile-up."""
        return judge(scores, part, points, self._chosen.selection)

    def replicate(
        self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """All of them at once in every replica."""
        return replicate(scores, part, points, replicas, self._chosen.selection)

    def outcome(self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> Outcome:
        """Whether an event fires, by its process and the pile-up."""
        axes = {
            "Process": Axis(part.y.astype(np.float64), names=part.class_names, meaning="process of the hard collision"),
            "PileUp": Axis(part.truth["pile_up"], (0.0, 35, 42, 49, 56, 300), meaning="mean number of collisions"),
        }
        return Outcome(axes, passed=scores[:, 0] >= points["threshold"])

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """Isolation forest, principal components, sums and largest of standardised inputs, cuts, and their sum."""
        return baselines_of(train, seed) + region_baselines(train)

    def ceilings(self, train: Part, validation: Part, seed: int) -> list[Baseline]:
        """A searched sum, and a supervised tree, which know the signals of the validation split."""
        return ceilings_of(train, validation, seed)

    def plots(
        self,
        scores: NDArray[np.float64],
        part: Part,
        baselines: Mapping[str, NDArray[np.float64]],
        points: Mapping[str, float],
    ) -> list[Plot]:
        """Scores, ROC curves, rate against threshold, efficiency beside the baselines', rate against pile-up."""
        return drawing.plots(scores, part, baselines, points)
