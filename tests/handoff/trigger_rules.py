"""The trigger rules of a stream, slowly and plainly."""

from __future__ import annotations

from codesign.handoff.stream.trigger_menu import RULES


def accepted_by_rules(crossings):
    """Slowly and plainly: no window of consecutive crossings holds more than its rule allows."""
    kept = []
    for now in crossings:
        if all(sum(now - before < width for before in kept) < n for n, width in RULES):
            kept.append(now)
    return kept
