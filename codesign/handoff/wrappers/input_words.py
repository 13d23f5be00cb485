"""How the bits of an experiment's words become the codes of a design's inputs, in integers: in Python and in VHDL.

``code = clip((raw + added) >> shift, low, high)``, where ``raw`` is a field of a word, whole or signed, an azimuth
counted from -pi to pi. It is what the study's own quantisation makes of the raw integer, of every one that the field
can hold; a scale that is no power of two, or less than one, has no such rule and is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log2

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.printing import visible
from codesign.core.quoting import comment
from codesign.rtl.packing import offsets

__all__ = ("CODE_OF", "InputRule", "InputWords", "WordField")

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class WordField:
    """Bits of the pin ``pin`` from ``low`` on; ``turn``: of an azimuth, its codes of a full turn."""

    pin: str
    low: int
    width: int
    signed: bool = False
    turn: int = 0

    @property
    def high(self) -> int:
        """The highest bit."""
        return self.low + self.width - 1

    @property
    def span(self) -> tuple[int, int]:
        """Smallest and largest raw integer of all its words."""
        if self.turn:
            top = (1 << self.width) - 1
            return self.turn // 2 - self.turn, max(self.turn // 2 - 1, top - self.turn)
        half = 1 << (self.width - 1)
        return (-half, half - 1) if self.signed else (0, 2 * half - 1)

    def raw(self, words: Sequence[int]) -> Codes:
        """Raw integers of the words that the pin holds, of any width, (events,)."""
        found = np.array([(int(word) >> self.low) & ((1 << self.width) - 1) for word in words], dtype=np.int64)
        if self.turn:
            return np.where(found >= self.turn // 2, found - self.turn, found)
        half = 1 << (self.width - 1)
        return np.where(found >= half, found - 2 * half, found) if self.signed else found

    def words(self, raw: Codes) -> list[int]:
        """The bits, in their place, that stand for raw integers within the span."""
        value = np.where(raw < 0, raw + self.turn, raw) if self.turn else raw
        return [(int(v) & ((1 << self.width) - 1)) << self.low for v in value]


@dataclass(frozen=True)
class InputRule:
    """Where one input comes from, and its rule; ``field`` is None for one that is always of the raw integer 0."""

    label: str
    kind: FixedPoint
    field: WordField | None
    added: int = 0
    shift: int = 0

    def codes(self, raw: Codes) -> Codes:
        """Codes of raw integers."""
        return np.asarray(np.clip((raw + self.added) >> self.shift, self.kind.minimum, self.kind.maximum), np.int64)

    def raw_of(self, codes: Codes) -> Codes:
        """A raw integer of each code, where there is one; else another's."""
        low, high = self.field.span if self.field is not None else (0, 0)
        return np.asarray(np.clip((codes << self.shift) - self.added, low, high), np.int64)

    def vhdl(self) -> str:
        """Its bits, as an expression."""
        kind = self.kind
        if self.field is None:
            code = int(self.codes(np.zeros(1, dtype=np.int64))[0]) & ((1 << kind.width) - 1)
            return f'"{code:0{kind.width}b}"'
        taken = f"{self.field.pin}({self.field.high} downto {self.field.low})"
        low, high = self.field.span
        alike = (self.field.width, self.field.signed) == (kind.width, kind.signed)
        if alike and not self.field.turn and (self.added, self.shift) == (0, 0):
            return taken
        bits = max(abs(v).bit_length() for v in (low + self.added, high + self.added, low, high, self.field.turn)) + 2
        bits = max(bits, kind.width + 1)
        way = str(self.field.signed and not self.field.turn).lower()
        return (
            f"code_of({taken}, {way}, {self.field.turn}, {self.added}, {self.shift}, {kind.minimum}, {kind.maximum}, "
            f"{bits}, {kind.width})"
        )


@dataclass(frozen=True)
class InputWords:
    """The rules of all inputs of a design, in their order."""

    port: Port
    rules: tuple[InputRule, ...]

    @classmethod
    def of(cls, design: Design, fields: Sequence[WordField | None], place: str) -> InputWords:
        """Of raw integers in ``fields``; InputError where an input's scale has no rule."""
        q = design.input_quantisation
        rules = []
        for label, kind, field, offset, step in zip(q.port.labels, q.types, fields, q.offset, q.step, strict=True):
            exponent = log2(step)
            if exponent < 0 or not exponent.is_integer():
                raise InputError(
                    f"{place}: input '{visible(label)}' has steps of {step:g} raw units, and only whole powers of two "
                    "are shifts: give the study 'inputs: {raw: ..., prepare: ...}', and raw codes go in as they are"
                )
            shift = int(exponent)
            added = floor(2.0 ** (shift - 1) - offset)
            rules.append(InputRule(label, kind, field, added, shift))
        return cls(q.port, tuple(rules))

    @classmethod
    def of_codes(cls, design: Design, fields: Sequence[WordField]) -> InputWords:
        """Of fields that hold the design's own codes."""
        port = design.inputs
        return cls(
            port,
            tuple(InputRule(n, k, f) for n, k, f in zip(port.labels, port.types, fields, strict=True)),
        )

    def codes_of(self, words: Mapping[str, Sequence[int]], events: int) -> Codes:
        """Input codes (events, n) of what the pins hold; a pin that is not there holds 0."""
        columns = []
        for rule in self.rules:
            raw = np.zeros(events, dtype=np.int64)
            if rule.field is not None and rule.field.pin in words:
                raw = rule.field.raw(words[rule.field.pin])
            columns.append(rule.codes(raw))
        return np.stack(columns, axis=1)

    def words_of(self, codes: Codes) -> tuple[dict[str, list[int]], NDArray[np.bool_]]:
        """Words of each pin that stand for input codes (events, n), and for which events there are any."""
        words: dict[str, list[int]] = {}
        for i, rule in enumerate(self.rules):
            if rule.field is not None:
                placed = rule.field.words(rule.raw_of(codes[:, i]))
                before = words.get(rule.field.pin, [0] * len(codes))
                words[rule.field.pin] = [a | b for a, b in zip(before, placed, strict=True)]
        return words, np.asarray((self.codes_of(words, len(codes)) == codes).all(axis=1))

    def vhdl(self, target: str) -> str:
        """Concurrent assignments of the packed inputs to the vector ``target``."""
        lines = []
        for rule, low in zip(self.rules, offsets(self.port), strict=True):
            if rule.kind.width:
                high = low + rule.kind.width - 1
                lines.append(f"    {target}({high} downto {low}) <= {rule.vhdl()};  -- {comment(rule.label)}\n")
        return "".join(lines)

    def markdown(self) -> list[str]:
        """A table of where each input comes from."""
        rows = ["| input | bits | rule | code |", "|---|---|---|---|"]
        for rule in self.rules:
            where = f"`{rule.field.pin}({rule.field.high} downto {rule.field.low})`" if rule.field else "0"
            wrap = f", {rule.field.turn} a turn" if rule.field and rule.field.turn else ""
            said = f"`(raw + {rule.added}) >> {rule.shift}`{wrap}"
            rows.append(f"| `{comment(rule.label)}` | {where} | {said} | {rule.kind.minimum} .. {rule.kind.maximum} |")
        return rows


#: declared in an architecture that holds such expressions
CODE_OF = """\
    -- the code of a field of a word: counted from minus half a turn, shifted, and saturated
    function code_of(word : std_logic_vector; is_signed : boolean; turn, added, shift, low, high : integer;
                     bits, width : positive) return std_logic_vector is
        variable x : signed(bits - 1 downto 0);
    begin
        if is_signed then
            x := resize(signed(word), bits);
        else
            x := signed(resize(unsigned(word), bits));
        end if;
        if turn > 0 and x >= turn / 2 then
            x := x - turn;
        end if;
        x := x + added;
        -- not shift_right: GHDL 2.0 translates that of a signed number into a shift that forgets the sign
        x := resize(x(bits - 1 downto shift), bits);
        if x < low then
            x := to_signed(low, bits);
        elsif x > high then
            x := to_signed(high, bits);
        end if;
        return std_logic_vector(x(width - 1 downto 0));
    end function;
"""
