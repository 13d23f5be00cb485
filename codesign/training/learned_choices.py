"""Choices of how ranges are learned, by the names that studies have: nothing of torch."""

from __future__ import annotations

from typing import Literal

__all__ = ("Overflow", "WeightRange")

#: what becomes of an activation beyond its range; where a weight's integer bits come from
Overflow = Literal["saturate", "wrap"]
WeightRange = Literal["magnitude", "learned"]
