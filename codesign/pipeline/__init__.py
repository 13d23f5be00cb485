"""One candidate's way: trained, exported, compiled, gated; on the front judged on test, synthesised, simulated."""

from codesign.pipeline.base import CandidateResult, Pipeline
from codesign.pipeline.board import bitstream_of_trial, close_timing_of_trial
from codesign.pipeline.evaluation import evaluate
from codesign.pipeline.gate_check import verify_gates
from codesign.pipeline.proof import measure, prove, prove_trial
from codesign.pipeline.trial import firmware_for, load_trained, synthesise_trial

__all__ = (
    "CandidateResult",
    "Pipeline",
    "bitstream_of_trial",
    "close_timing_of_trial",
    "evaluate",
    "firmware_for",
    "load_trained",
    "measure",
    "prove",
    "prove_trial",
    "synthesise_trial",
    "verify_gates",
)
