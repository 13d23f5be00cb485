"""The tasks ``jet-energy`` and ``jet-energy-offline``: the energy of jets, and where wanted their flavour at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codesign.core.records import Metric, Plot
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample
from codesign.tasks import metrics as classification
from codesign.tasks.base import Baseline, Inputs, Problem, Progress, Settings, Task
from codesign.tasks.heads import Head
from codesign.tasks.jets import jet_plots as drawing
from codesign.tasks.jets.dijet import balance, balance_mean
from codesign.tasks.jets.jet_baseline import FactorisedBaseline
from codesign.tasks.jets.jet_heads import ENERGY, FLAVOUR, QUANTILES, heads_for, heads_of
from codesign.tasks.jets.jet_inputs import fields_of, jet_inputs, kinematics
from codesign.tasks.jets.jet_outcome import outcome_of, table_of
from codesign.tasks.jets.jet_sample import FLAVOURS, JetEnergySample, sample_of
from codesign.tasks.jets.response import (
    ETA_EDGES,
    FLAVOUR_PT_EDGES,
    bin_response,
    cell_of,
    closure,
    median,
    resolution_mean,
)
from codesign.tasks.jets.turn_on import OFFLINE_PT, threshold, turn_on
from codesign.tasks.jets.weights import learning_weights
from codesign.tasks.outcome import Outcome, Tabulated
from codesign.tasks.weighting import Weights, correlation, effective, event_weights, mean
from codesign.tasks.weighting import some as some_weights

if TYPE_CHECKING:
    import awkward as ak

__all__ = ("JetEnergy", "JetEnergyOffline", "JetEnergyProblem")

_PER_FLAVOUR = {"closure": "minimise", "resolution": "minimise"}


class JetEnergy(Task):
    """Corrections of the high-level trigger's jets, and their uncertainty, from what the trigger knows of them."""

    name = "jet-energy"
    settings = JetEnergySample
    #: the collection whose jets are corrected
    jets = "HLTJet"

    @property
    def collections(self) -> tuple[str, ...]:
        """What :meth:`inputs` needs of event files."""
        return fields_of(self.jets)

    def inputs(self, events: ak.Array) -> Inputs:
        """Features of every jet of a chunk of events (:mod:`codesign.tasks.jets.jet_inputs` says what they are)."""
        return jet_inputs(events, self.jets)

    def open(self, settings: Settings, seed: int, progress: Progress | None = None) -> JetEnergyProblem:
        """Jets of the cards' events, or of files."""
        return JetEnergyProblem(validate(JetEnergySample, dict(settings), "sample"), self.jets, progress)


class JetEnergyOffline(JetEnergy):
    """The same for offline jets: CMS's own files hold everything that it needs."""

    name = "jet-energy-offline"
    jets = "Jet"


class JetEnergyProblem(Problem):
    """Regresses ln(reference pT / uncorrected pT) and its 16 % and 84 % quantiles; a head of flavours beside them where
    the study gives it a weight.
    """

    tabulates = True

    def __init__(self, chosen: JetEnergySample, jets: str, progress: Progress | None = None) -> None:
        self._chosen, self._jets, self._progress = chosen, jets, progress
        self.metrics = {
            "resolution": "minimise",
            "closure_mean": "minimise",
            "closure_worst": "minimise",
            "coverage_error": "minimise",
            "turn_on_95": "minimise",
            "turn_on_width": "minimise",
            "response_offline": "maximise",
            "correlation_offline": "maximise",
            "balance_mean": "minimise",
        }
        self.metrics |= {f"{what}_{f}": way for f in FLAVOURS for what, way in _PER_FLAVOUR.items()}
        self.metrics |= {"accuracy": "maximise", "auc_mean": "maximise"}
        self.metrics |= {f"auc_{f}": "maximise" for f in FLAVOURS}

    @cached_property
    def sample(self) -> Sample:
        """Jets of the cards' events (simulated once, then from the cache) or of the files, matched."""
        chosen = self._chosen
        if chosen.files:
            paths = [Path(f) for f in chosen.files]
            return sample_of(paths, self._jets, chosen, {"files": [p.name for p in paths]})
        from codesign.physics.detector import simulated_events

        paths = []
        for card, events in chosen.cards.items():
            paths += simulated_events(card, events, progress=self._progress)
        return sample_of(paths, self._jets, chosen, {"cards": dict(chosen.cards)})

    @property
    def settings(self) -> Settings:
        """The weight of each head."""
        return {"heads": self._chosen.heads.model_dump(mode="json")}

    @property
    def tagged(self) -> bool:
        """Whether flavours are learned."""
        return self._chosen.heads.flavour > 0

    def heads(self, sample: Sample) -> tuple[Head, ...]:
        """Logits of the flavours where their head has a weight, then the correction and its quantiles."""
        return heads_for(sample.class_names, self._chosen.heads)

    def meanings(self, sample: Sample) -> Mapping[str, str]:
        """Of each output."""
        shown = "ln(reference pT / uncorrected pT): exp() of it, times the uncorrected pT, is the corrected pT"
        kinds = {"correction": shown}
        kinds |= {
            f"correction_{100 * q:.0f}": f"{100 * q:.0f} % quantile of ln(reference pT / uncorrected pT)"
            for q in QUANTILES
        }
        logits = {name: f"logit of the flavour {name}" for name in sample.class_names} if self.tagged else {}
        return logits | kinds

    def target(self, part: Part) -> Mapping[str, NDArray[np.float32]]:
        """Flavour and learning weight of each jet; log correction, cell of closure and learning weight.

        The weights make the spectrum flat in the logarithm of pT: the same number of jets in every bin of it for the
        regression, which otherwise would pull jets to where many are; and of every flavour for the tagger, which
        otherwise would tag the pT.
        """
        assert part.targets is not None
        flat, by_flavour = learning_weights(part.truth["reference_pt"], part.y, event_weights(part))
        cell = cell_of(part.truth["reference_pt"], part.truth["eta"])
        energy = np.column_stack([part.targets[:, 0], cell, flat]).astype(np.float32)
        found = {ENERGY: energy}
        return {FLAVOUR: np.column_stack([part.y, by_flavour]).astype(np.float32)} | found if self.tagged else found

    def working_points(self, scores: NDArray[np.float64], validation: Part) -> dict[str, float]:
        """``threshold_gev`` on the corrected pT: the rate of the offline jets above 100 GeV."""
        offline, reference = validation.truth["offline_pt"], validation.truth["reference_pt"]
        if not (offline > OFFLINE_PT).any():
            return {}
        at = threshold(corrected_pt(scores, validation), offline, reference, event_weights(validation))
        return {"threshold_gev": at}

    def judge(self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Closure, resolution, coverage, per flavour too; turn-on at fixed rate; offline jets; dijets; tagging."""
        heads, weights = heads_of(scores), event_weights(part)
        truth = part.truth
        assert part.targets is not None
        target = part.targets[:, 0].astype(np.float64)
        response = np.exp(heads.correction - target)
        bins = bin_response(response, truth["reference_pt"], truth["eta"], weights=weights)
        found = closure(bins)
        found |= _present("resolution", resolution_mean(bins))
        found["coverage_error"] = _coverage_error(heads.low, heads.high, target, weights)
        for number, flavour in enumerate(FLAVOURS):
            of_flavour = part.y == number
            some = bin_response(
                response[of_flavour], truth["reference_pt"][of_flavour], truth["eta"][of_flavour],
                FLAVOUR_PT_EDGES, (ETA_EDGES[0], ETA_EDGES[2]), weights=some_weights(weights, of_flavour),
            )  # fmt: skip
            found |= _present(f"closure_{flavour}", closure(some).get("closure_mean"))
            found |= _present(f"resolution_{flavour}", resolution_mean(some))
        pt, offline = corrected_pt(scores, part), truth["offline_pt"]
        if "threshold_gev" in points:
            found |= turn_on(pt > points["threshold_gev"], offline, weights)
        found |= _against_offline(pt, offline, weights)
        pairs = balance(pt, truth["eta"], truth["phi"], truth["event"], weights=weights)
        found |= _present("balance_mean", balance_mean(pairs))
        if heads.logits is not None:
            chance = classification.probabilities(heads.logits)
            found["accuracy"] = classification.accuracy(heads.logits, part.y, weights)
            found |= classification.auc_with_error(chance, part.y, FLAVOURS, weights)
        return found

    def outcome(self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> Outcome:
        """What became of generated jets: above the threshold or not, and the response."""
        return outcome_of(scores, part, points)

    def table(self, scores: NDArray[np.float64], part: Part) -> Tabulated:
        """The correction by uncorrected pT, pseudorapidity and density, as a table may hold it."""
        return table_of(scores, part)

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """The factorised correction, and boosted trees for the flavours where they are tagged."""
        return [FactorisedBaseline(train, seed, self.tagged)]

    def plots(
        self,
        scores: NDArray[np.float64],
        part: Part,
        baselines: Mapping[str, NDArray[np.float64]],
        points: Mapping[str, float],
    ) -> list[Plot]:
        """Closure against pT and \\|eta\\|, resolution, flavours, turn-on, offline jets, dijet balance, ROC curves."""
        return drawing.plots(scores, part, dict(baselines), dict(points))


def corrected_pt(scores: NDArray[np.float64], part: Part) -> NDArray[np.float64]:
    """Corrected pT, GeV, (jets,)."""
    return kinematics(part.features)[0] * np.exp(heads_of(scores).correction)


def _present(name: str, metric: Metric | None) -> dict[str, Metric]:
    return {} if metric is None else {name: metric}


def _coverage_error(
    low: NDArray[np.float64], high: NDArray[np.float64], target: NDArray[np.float64], weights: Weights
) -> Metric:
    """Distance from 68 % of the share of jets whose target lies between the two quantiles; binomial error."""
    share = mean((target >= low) & (target <= high), weights)
    variance = max(share * (1 - share), 0.0) / effective(weights, len(target))
    return Metric(value=abs(share - 0.68), error=float(np.sqrt(variance)))


def _against_offline(pt: NDArray[np.float64], offline: NDArray[np.float64], weights: Weights) -> dict[str, Metric]:
    """``response_offline``: 1 - \\|median of corrected over offline pT - 1\\|; correlation of the logarithms of both.

    The error of the correlation r is (1 - r^2) / sqrt(n - 1); of jets with offline partners above 30 GeV.
    """
    both = offline > 30
    own = some_weights(weights, both)
    number = effective(own, int(both.sum()))
    if number < 100:
        return {}
    ratio = median(pt[both] / offline[both], own)
    r = correlation(np.log(pt[both]), np.log(offline[both]), own)
    return {
        "response_offline": Metric(value=1 - abs(ratio.value - 1), error=ratio.error),
        "correlation_offline": Metric(value=r, error=(1 - r * r) / float(np.sqrt(number - 1))),
    }
