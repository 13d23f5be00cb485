"""What a search does with a candidate: the contract of the stages that are registered with it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field

from pydantic import BaseModel

from codesign.core.figures import Fidelity, Figure
from codesign.core.plugins import PlugIn
from codesign.core.records import Metric
from codesign.core.runfolder import TrialFolder
from codesign.data.sample import Part, Sample
from codesign.families.base import Candidate
from codesign.pipeline.stages import StageReport
from codesign.study.definition import Study

__all__ = ("CandidateResult", "Pipeline")


@dataclass(frozen=True)
class CandidateResult:
    """What the search learns of a candidate that came through: its metrics are those of the validation split."""

    metrics: dict[str, Metric]
    figures: list[Figure]
    seconds: dict[str, float]
    design_hash: str | None
    notes: list[str] = field(default_factory=list)


class Pipeline(PlugIn):
    """The stages of a candidate, as a search calls them, in a worker's process. Installed under ``codesign.pipelines``.

    Each is told its study and writes its records into the trial's folder; ``stage`` is told what it is at. A
    CodesignError says why a candidate failed; it then has no score.
    """

    kind = "pipelines"

    @abstractmethod
    def evaluate(
        self,
        study: Study,
        candidate: Candidate,
        folder: TrialFolder,
        seed: int,
        train: Part,
        validation: Part,
        stage: StageReport,
        settings: BaseModel | None = None,
    ) -> CandidateResult:
        """Make a candidate and score it on the validation split; ``settings`` are the flow's (default: its own)."""

    @abstractmethod
    def prove(self, study: Study, folder: TrialFolder, sample: Sample, seed: int, stage: StageReport) -> None:
        """Judge a trial of the front on the test split, synthesise it, and simulate its RTL."""

    def judge(self, study: Study, folder: TrialFolder, sample: Sample, seed: int, stage: StageReport) -> None:
        """Judge a candidate on the test split, and no more: write its ``test.json``. By default all of a proof."""
        self.prove(study, folder, sample, seed, stage)

    @abstractmethod
    def measure(self, study: Study, folder: TrialFolder, fidelity: Fidelity, stage: StageReport) -> None:
        """Measure a trial at a fidelity; one that was is left as it is."""
