"""The shipped pipeline: real training, real compilation, real tools."""

from __future__ import annotations

from pydantic import BaseModel

from codesign.core.figures import Fidelity
from codesign.core.runfolder import TrialFolder
from codesign.data.sample import Part, Sample
from codesign.families.base import Candidate
from codesign.pipeline import evaluation, proof
from codesign.pipeline.base import CandidateResult, Pipeline
from codesign.pipeline.stages import StageReport
from codesign.study.definition import Study

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
        """See :func:`codesign.pipeline.evaluation.evaluate`."""
        return evaluation.evaluate(study, candidate, folder, seed, train, validation, stage, settings)

    def prove(self, study: Study, folder: TrialFolder, sample: Sample, seed: int, stage: StageReport) -> None:
        """See :func:`codesign.pipeline.proof.prove`."""
        proof.prove(study, folder, sample, seed, stage)

    def judge(self, study: Study, folder: TrialFolder, sample: Sample, seed: int, stage: StageReport) -> None:
        """See :func:`codesign.pipeline.proof.judge_on_test`."""
        proof.judge_on_test(study, folder, sample, stage)

    def measure(self, study: Study, folder: TrialFolder, fidelity: Fidelity, stage: StageReport) -> None:
        """See :func:`codesign.pipeline.proof.measure`."""
        proof.measure(study, folder, fidelity, stage)
