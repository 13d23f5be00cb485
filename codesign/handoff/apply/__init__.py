"""Use a bundle offline: score files of events in chunks, or arrays inside an analysis."""

from codesign.handoff.apply.job import Applied, apply_bundle
from codesign.handoff.apply.scorer import Scorer

__all__ = ("Applied", "Scorer", "apply_bundle")
