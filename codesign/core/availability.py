"""Whether a tool or a flow can run here."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("Availability",)


@dataclass(frozen=True)
class Availability:
    """Whether a flow or tool can run here, and if not, why and how to get it."""

    available: bool
    reason: str
    version: str | None = None
