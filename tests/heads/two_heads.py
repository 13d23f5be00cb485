"""What a problem of two heads says of its sample."""

from __future__ import annotations

from codesign.core.records import SampleFacts
from codesign.data.sample import Splits
from codesign.pipeline.parts import record


def facts_of(problem):
    return SampleFacts.model_validate(
        record(problem.sample, Splits(0.6, 0.2, 0.2, 1)) | {"outputs": problem.outputs(problem.sample)}
    )
