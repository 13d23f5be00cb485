"""What a suite says of a plug-in that breaks a promise."""

from __future__ import annotations

__all__ = ("Nonconformity", "must")


class Nonconformity(AssertionError):
    """A plug-in does not keep its contract."""


def must(holds: bool, words: str) -> None:
    """Nonconformity with these words where it does not hold."""
    if not holds:
        raise Nonconformity(words)
