"""Use a bundle offline: score files of events in chunks, or arrays inside an analysis."""

from codesign.handoff.apply.advance import Advance
from codesign.handoff.apply.job import Applied, apply_bundle
from codesign.handoff.apply.scorer import Scorer

__all__ = ("Advance", "Applied", "Scorer", "apply_bundle")
