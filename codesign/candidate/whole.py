"""The shipped pipeline: real training, real compilation, real tools."""

from __future__ import annotations

from pydantic import BaseModel

from codesign.candidate import evaluation, proof
from codesign.candidate.base import CandidateResult, Pipeline
from codesign.candidate.stages import StageReport
from codesign.figures import Fidelity
from codesign.models.base import Candidate
from codesign.physics.sample import Part, Sample
from codesign.runfolder import TrialFolder
from codesign.study import Study

__all__ = ("WholePipeline",)


class WholePipeline(Pipeline):
    """Train, export, compile, gate and judge; on the front judge on test, synthesise, simulate and explain."""

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
        """See :func:`codesign.candidate.evaluation.evaluate`."""
        return evaluation.evaluate(study, candidate, folder, seed, train, validation, stage, settings)

    def prove(self, study: Study, folder: TrialFolder, sample: Sample, seed: int, stage: StageReport) -> None:
        """See :func:`codesign.candidate.proof.prove`."""
        proof.prove(study, folder, sample, seed, stage)

    def measure(self, study: Study, folder: TrialFolder, fidelity: Fidelity, stage: StageReport) -> None:
        """See :func:`codesign.candidate.proof.measure`."""
        proof.measure(study, folder, fidelity, stage)
