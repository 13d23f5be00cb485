"""Kinds of numbers that the tests of graphs share."""

from __future__ import annotations

from codesign.core.fixedpoint import FixedPoint

BITS = FixedPoint(signed=True, integer_bits=3, fraction_bits=0)
