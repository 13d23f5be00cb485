"""The tasks ``jet-energy`` and ``jet-energy-offline``: the energy of jets, and where wanted their flavour at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from codesign.core.reading.detection import must_be_files
from codesign.core.records import Metric, Plot
from codesign.core.validation import validate
from codesign.data.sample import Part, Sample
from codesign.physics.card import card_data
from codesign.statistics.comparison import summary
from codesign.statistics.replicas import Replicas, WorkingPoints
from codesign.tasks.base import Baseline, Inputs, Problem, Progress, Settings, Task
from codesign.tasks.heads import Head
from codesign.tasks.jets import jet_plots as drawing
from codesign.tasks.jets.jet_baseline import FactorisedBaseline, TreesBaseline, UncorrectedBaseline
from codesign.tasks.jets.jet_heads import ENERGY, FLAVOUR, QUANTILES, heads_for
from codesign.tasks.jets.jet_inputs import advice_of, fields_of, jet_inputs
from codesign.tasks.jets.jet_judging import corrected_pt, replicate
from codesign.tasks.jets.jet_outcome import outcome_of, table_of
from codesign.tasks.jets.jet_sample import FLAVOURS, JetEnergySample, sample_of
from codesign.tasks.jets.response import cell_of
from codesign.tasks.jets.turn_on import OFFLINE_PT, thresholds
from codesign.tasks.jets.weights import learning_weights
from codesign.tasks.outcome import Outcome, Tabulated
from codesign.tasks.weighting import event_weights, replicas_of

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

    def advice(self, columns: Collection[str]) -> str:
        """Which tier of jets the file has, and which task is for those."""
        return advice_of(self.jets, columns)

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
            "resolution_raw": "minimise",
            "closure_mean": "minimise",
            "closure_sure": "minimise",
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

    def must_read(self) -> None:
        """The files of events, or the cards, are there."""
        for card in self._chosen.cards:
            card_data(card)
        must_be_files(self._chosen.files)

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

    def working_points(self, scores: NDArray[np.float64], validation: Part) -> WorkingPoints:
        """``threshold_gev`` on the corrected pT: the rate of the offline jets above 100 GeV."""
        offline, reference = validation.truth["offline_pt"], validation.truth["reference_pt"]
        if not (offline > OFFLINE_PT).any():
            return WorkingPoints({})
        pt = corrected_pt(scores, validation)
        found = replicas_of(validation).collect(
            lambda rows: {"threshold_gev": thresholds(pt, offline, reference, rows.weights)}
        )
        return WorkingPoints.of(found)

    def judge(self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> dict[str, Metric]:
        """Closure, resolution, coverage, per flavour too; turn-on at fixed rate; offline jets; dijets; tagging."""
        return summary(self.replicate(scores, part, points, replicas_of(part)))

    def replicate(
        self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float], replicas: Replicas
    ) -> dict[str, NDArray[np.float64]]:
        """All of them at once in every replica."""
        return replicate(scores, part, points, replicas)

    def outcome(self, scores: NDArray[np.float64], part: Part, points: Mapping[str, float]) -> Outcome:
        """What became of generated jets: above the threshold or not, and the response."""
        return outcome_of(scores, part, points)

    def table(self, scores: NDArray[np.float64], part: Part) -> Tabulated:
        """The correction by uncorrected pT, pseudorapidity and density, as a table may hold it."""
        return table_of(scores, part)

    def baselines(self, train: Part, seed: int) -> list[Baseline]:
        """The factorised correction, boosted trees, and jets as they are; flavours, where they are tagged, are those of
        one boosted tree."""
        first = FactorisedBaseline(train, seed, self.tagged)
        return [first, TreesBaseline(train, seed, first), UncorrectedBaseline(train, first)]

    def plots(
        self,
        scores: NDArray[np.float64],
        part: Part,
        baselines: Mapping[str, NDArray[np.float64]],
        points: Mapping[str, float],
    ) -> list[Plot]:
        """Closure against pT and \\|eta\\|, resolution, flavours, turn-on, offline jets, dijet balance, ROC curves."""
        return drawing.plots(scores, part, dict(baselines), dict(points))
