"""How the producer's values become a trial's codes, and its outputs the reader's numbers: exactly, or refused.

An input's feature is the producer's value times the profile's factor, and its code what the study's own quantisation
makes of that. The library computes it with integers alone: a shift where scale and offset allow it, else a table of
the smallest raw integer of each code, both found here. So a producer's value has one code, the one that the trial was
trained with.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, log2

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint
from codesign.core.printing import visible
from codesign.handoff.cmssw.arbitrary_precision import PrecisionNumber
from codesign.handoff.cmssw.profile import InputField, Profile, ResultPart
from codesign.handoff.emulator.circuit import Circuit

__all__ = ("CodeRule", "NumberRule", "ValueConversion", "conversion_of")

#: bits of an input whose codes are found in a table, and entries of all tables
_TABLE_BITS, _MOST_ENTRIES = 14, 1 << 18
#: beyond, sums and shifts of codes would not be safe in 64 bits
_MOST_SHIFT = 40


@dataclass(frozen=True)
class CodeRule:
    """The code of one input: ``clip((raw + added) >> shift, low, high)``, or counted in ``table``.

    ``table[i]`` is the smallest raw integer whose code is ``low + i + 1``. ``wrap`` is a full turn in raw integers, 0
    for none: a raw integer is first brought into half of it about 0.
    """

    number: PrecisionNumber
    wrap: int
    low: int
    high: int
    added: int
    shift: int
    table: tuple[int, ...] | None

    def turned(self, raws: NDArray[np.int64]) -> NDArray[np.int64]:
        """Raw integers within half a turn about 0."""
        if not self.wrap:
            return raws
        half = self.wrap // 2
        return np.asarray((raws + half) % self.wrap - half, dtype=np.int64)

    def raw(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """A raw integer of each code, in range of the number where it has one; where it has none, another's."""
        half = self.wrap // 2
        low, high = (-half, half - 1) if self.wrap else (self.number.low, self.number.high)
        if self.table is None:
            found = (codes << self.shift) - self.added + (1 << self.shift >> 1)
        else:
            found = np.array([low, *self.table], dtype=np.int64)[codes - self.low]
        within = np.asarray(np.clip(found, low, high), dtype=np.int64)
        # the producer counts a turn from 0
        return np.asarray(np.where(within < 0, within + self.wrap, within), dtype=np.int64) if self.wrap else within


@dataclass(frozen=True)
class NumberRule:
    """One number of the result: ``raw = code << shift`` of an output, or 0 where ``output`` is None."""

    number: PrecisionNumber
    output: int | None
    shift: int


@dataclass(frozen=True)
class ValueConversion:
    """Rules of every input and of every number of the result, in their orders."""

    design: Design
    profile: Profile
    codes: tuple[CodeRule, ...]
    numbers: tuple[NumberRule, ...]

    def codes_of(self, raws: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the study's own quantisation makes of the producer's raw integers (events, n)."""
        features = np.empty(raws.shape, dtype=np.float64)
        for i, (rule, (field, number)) in enumerate(zip(self.codes, self.profile.input.elements, strict=True)):
            features[:, i] = _features(rule.turned(raws[:, i]), field, number)
        return self.design.input_quantisation.codes(features)

    def raws_of(self, codes: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Raw integers (events, n) that stand for codes, and for which events there are any, (events,)."""
        raws = np.stack([rule.raw(codes[:, i]) for i, rule in enumerate(self.codes)], axis=1)
        for block, place in self.design.inputs.places:
            if block.absent is not None:
                away = (block.rows(codes[:, place]) == 0).all(axis=2)
                rows = block.rows(raws[:, place]).copy()
                rows[away] = 0
                raws[:, place] = rows.reshape(len(codes), block.size)
        return raws, np.asarray((self.codes_of(raws) == codes).all(axis=1))

    def results_of(self, outputs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Raw integers of the result (events, numbers) for output codes (events, m)."""
        none = np.zeros(len(outputs), dtype=np.int64)
        found = [none if r.output is None else outputs[:, r.output] << r.shift for r in self.numbers]
        return np.stack(found, axis=1)


def conversion_of(profile: Profile, design: Design) -> ValueConversion:
    """The rules of a profile for a design; InputError names the first element that does not fit, and what would."""
    given, expected = design.inputs.size, profile.input.size
    if given != expected:
        raise InputError(
            f"profile {profile.name} passes {expected} numbers of {profile.input.cxx}, the trial has {given} inputs "
            f"({visible(', '.join(design.inputs.labels[:3]))}, ...): give a profile with a group for each of its blocks"
        )
    codes = tuple(_code_rules(profile, design))
    entries = sum(map(len, {rule.table for rule in codes if rule.table is not None}))
    if entries > _MOST_ENTRIES:
        raise InputError(
            f"profile {profile.name}: the inputs' tables have {entries:,} entries, above {_MOST_ENTRIES:,}"
        )
    return ValueConversion(design, profile, codes, tuple(_number_rules(profile, design)))


def _code_rules(profile: Profile, design: Design) -> list[CodeRule]:
    q, known, rules = design.input_quantisation, dict[object, CodeRule](), []
    for i, (field, number) in enumerate(profile.input.elements):
        kind, label, unit = q.types[i], q.features[i], q.units[i] if q.units else ""
        where = f"profile {profile.name}, input {i} ('{field.name}' for the trial's '{visible(label)}')"
        if field.unit is not None and field.unit != unit:
            raise InputError(f"{where}: the profile counts in {field.unit}, the trial in {visible(unit) or 'no unit'}")
        if kind.width - int(kind.signed) > 31:
            raise InputError(f"{where}: the trial's type is {kind}, and codes of at most 32 bits are written")
        key = (field.factor, field.wrap, number, kind, q.offset[i], q.step[i])
        if key not in known:
            known[key] = _code_rule(field, number, kind, (q.offset[i], q.step[i]), where)
        rules.append(known[key])
    return rules


def _code_rule(
    field: InputField, number: PrecisionNumber, kind: FixedPoint, scale: tuple[float, float], where: str
) -> CodeRule:
    offset, step = (Fraction(v) for v in scale)
    wrap = 0 if field.wrap is None else field.wrap << max(0, number.fraction_bits)
    if field.wrap is not None and number.fraction_bits < 0:
        raise InputError(f"{where}: {number.text} has no units place, so nothing wraps in it")
    grid = Fraction(field.factor) * Fraction(2) ** -number.fraction_bits
    if grid > step:
        finer = max(1, ceil(log2(grid / step)))
        raise InputError(
            f"{where}: {number.text} counts in {float(grid):g} {field.unit or ''} and the trial's codes in "
            f"{float(step):g}: {finer} more fraction bits would do, or as many fewer bits of the trial's input"
        )
    # code = floor(raw * grid / step + 1/2 - offset / step)
    ratio = step / grid
    if ratio.denominator == 1 and ratio.numerator & (ratio.numerator - 1) == 0:
        shift = ratio.numerator.bit_length() - 1
        added = (Fraction(1, 2) - offset / step) * ratio
        # below a whole number, floor ignores what is less than a step of the grid
        whole = floor(added)
        if shift <= _MOST_SHIFT and abs(whole) < 1 << _MOST_SHIFT and _is_exact(grid, offset, step, number):
            return CodeRule(number, wrap, kind.minimum, kind.maximum, whole, shift, None)
    if kind.width > _TABLE_BITS:
        raise InputError(
            f"{where}: the trial's type is {kind}, whose scale is no power of two of {number.text}: with more than "
            f"{_TABLE_BITS} bits that is not written"
        )
    table = _edges(field, number, kind, scale, wrap)
    return CodeRule(number, wrap, kind.minimum, kind.maximum, 0, 0, tuple(int(v) for v in table))


def _is_exact(grid: Fraction, offset: Fraction, step: Fraction, number: PrecisionNumber) -> bool:
    """Whether float64 computes this quantisation exactly: every number on one grid of powers of two, of few bits."""
    unit = min(Fraction(1, v.denominator) for v in (grid, offset, step))
    most = max(abs(number.low), number.high) * grid + abs(offset) + step
    power = unit.denominator & (unit.denominator - 1) == 0 and step.numerator & (step.numerator - 1) == 0
    return power and most / unit < 1 << 50


def _features(raws: NDArray[np.int64], field: InputField, number: PrecisionNumber) -> NDArray[np.float64]:
    return np.asarray(raws * 2.0**-number.fraction_bits * field.factor)


def _edges(
    field: InputField, number: PrecisionNumber, kind: FixedPoint, scale: tuple[float, float], wrap: int
) -> NDArray[np.int64]:
    """The smallest raw integer of each code but the lowest, by bisection over the study's own formula."""
    offset, step = scale
    wanted = np.arange(kind.minimum + 1, kind.maximum + 1, dtype=np.int64)
    # a raw integer beyond the number's own stands for one that there is none of
    low = np.full(len(wanted), number.low if not wrap else -(wrap // 2), dtype=np.int64)
    high = np.full(len(wanted), (number.high if not wrap else wrap // 2 - 1) + 1, dtype=np.int64)
    while (low < high).any():
        middle = (low + high) >> 1
        reached = np.floor((_features(middle, field, number) - offset) / step + 0.5) >= wanted
        high = np.where(reached, middle, high)
        low = np.where(reached, low, np.minimum(middle + 1, high))
    return low


def _number_rules(profile: Profile, design: Design) -> list[NumberRule]:
    found = Circuit.of(design).outputs
    rules: list[NumberRule] = []
    for p, part in enumerate(profile.result):
        there = [place for place in part.outputs if place < len(found)]
        if not there and part.absent == "zero":
            rules += [NumberRule(PrecisionNumber.of(part.type), None, 0)] * len(part.outputs)
            continue
        for i, place in enumerate(part.outputs):
            where = f"profile {profile.name}, result {p}" + (f"[{i}]" if part.count else "")
            if place >= len(found):
                raise InputError(f"{where} is the trial's output {place}, and it has {len(found)}")
            ends = found[place].low, found[place].high
            rules.append(_number_rule(part, place, design, ends, where))
    unread = set(range(len(found))) - {rule.output for rule in rules}
    if unread:
        first = min(unread)
        raise InputError(
            f"profile {profile.name}: nothing of its result is the trial's output {first} "
            f"('{visible(design.outputs.labels[first])}'): give a profile that reads all {len(found)}"
        )
    return rules


def _number_rule(part: ResultPart, place: int, design: Design, ends: tuple[int, int], where: str) -> NumberRule:
    number, kind = PrecisionNumber.of(part.type), design.outputs.types[place]
    what = f"{where} ('{visible(design.outputs.labels[place])}', {kind})"
    shift = 0 if part.holds == "code" else number.fraction_bits - kind.fraction_bits
    if ends == (0, 0):
        return NumberRule(number, place, 0)
    if shift < 0:
        raise InputError(
            f"{what} has {kind.fraction_bits} fraction bits, {part.type} has {number.fraction_bits}: {-shift} more "
            "would do, or 'holds: code' where the reader may take it as an integer"
        )
    low, high = (end << shift for end in ends)
    if low < number.low or high > number.high:
        signed = low < 0
        bits = max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + int(signed)
        raise InputError(
            f"{what} has codes {ends[0]} to {ends[1]}, which {part.type} does not hold: "
            f"ap_{'' if signed else 'u'}fixed<{bits},{bits - number.fraction_bits}> would"
        )
    return NumberRule(number, place, shift)
