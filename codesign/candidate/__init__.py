"""One candidate's way: trained, exported, compiled, gated; on the front judged on test, synthesised, simulated."""

from codesign.candidate.base import CandidateResult, Pipeline
from codesign.candidate.board import bitstream_of_trial, close_timing_of_trial
from codesign.candidate.evaluation import evaluate
from codesign.candidate.gates import verify_gates
from codesign.candidate.proof import measure, prove, prove_trial
from codesign.candidate.trial import firmware_for, load_trained, synthesise_trial

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
