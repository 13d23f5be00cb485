"""C++ of an integer circuit: one short loop over a block of events per node, each in the narrowest proven integers.

A block holds its nodes as arrays over events, so that compilers vectorise every loop. Sixteen bits where the bounds
allow them are eight lanes of the oldest x86-64, and multiply in one instruction there.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable

from codesign.core.errors import UnsupportedError
from codesign.handoff.emulator.circuit import (
    Circuit,
    CircuitNode,
    Clip,
    Floor,
    Input,
    Linear,
    Lookup,
    Product,
    Selected,
    Sign,
)

__all__ = ("kernel",)

_BITS = (16, 32, 64)
#: reads and writes per function: compilers take more than proportional time for long functions
_LONGEST = 300
#: terms of a sum in one loop, for the same reason
_TERMS = 64


def _bits(low: int, high: int) -> int:
    """The narrowest integer that holds both ends."""
    for bits in _BITS:
        if -(1 << (bits - 1)) <= low and high < 1 << (bits - 1):
            return bits
    raise UnsupportedError(f"a signal between {low} and {high} needs more than 64 bits")


def _type(bits: int) -> str:
    return f"std::int{bits}_t"


def _literal(value: int) -> str:
    # the smallest 64-bit integer has no literal of its own
    if value == -(1 << 63):
        return "(-INT64_C(9223372036854775807) - 1)"
    return str(value) if -(1 << 31) < value < 1 << 31 else f"INT64_C({value})"


def _constant(node: CircuitNode) -> bool:
    return isinstance(node.op, Linear) and not node.op.terms


def _is_long(node: CircuitNode) -> bool:
    return isinstance(node.op, Linear) and len(node.op.terms) > _TERMS


def _worst(sum_of: Linear) -> int:
    """What no part of a sum exceeds."""
    return abs(sum_of.constant) + sum(max(abs(n.low * c), abs(n.high * c)) for n, c in sum_of.terms)


class _Loop:
    """The statements of one loop over events."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def let(self, bits: int, expression: str) -> str:
        """A constant in the loop: the cast loses nothing, the bounds say so."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"const auto {name} = static_cast<{_type(bits)}>({expression});")
        return name


class _Kernel:
    def __init__(self, circuit: Circuit) -> None:
        self._circuit = circuit
        users = Counter(n.number for node in circuit.nodes for n in node.operands)
        users.update(n.number for n in circuit.outputs)
        self._inlined: set[int] = set()
        for node in circuit.nodes:
            if len(node.operands) == 1 and users[node.operands[0].number] == 1:
                self._inlined.add(node.operands[0].number)
            if isinstance(node.op, Selected):
                self._inlined.update(n.number for n in (node.op.chosen, node.op.other) if _constant(n))
        self._inlined -= {n.number for n in circuit.outputs}
        self._inlined -= {n.number for n in circuit.nodes if _is_long(n)}
        self._slots: dict[int, str] = {}
        self._free: dict[int, list[int]] = {bits: [] for bits in _BITS}
        self._made = dict.fromkeys(_BITS, 0)
        self._tables: dict[tuple[int, ...], str] = {}

    def text(self) -> str:
        """The block and what fills, computes and reads it."""
        stages = [n for n in self._circuit.nodes if n.number not in self._inlined]
        reads = {node.number: list(self._reads(node)) for node in stages}
        last: dict[int, int] = {}
        for node in stages:
            last.update(dict.fromkeys(reads[node.number], node.number))
        kept = {n.number for n in self._circuit.outputs}
        loops = []
        for node in stages:
            loops += self._sum(node) if _is_long(node) else self._loop(node)
            for number in dict.fromkeys(reads[node.number]):
                if last[number] == node.number and number not in kept:
                    self._give_back(self._slots[number])
        steps = _functions("step", "[[maybe_unused]] const std::int32_t* in", loops)
        stores = [
            f"  for (std::size_t e = 0; e < B; ++e) {{\n    out[e * OUTPUTS + {i}] = "
            f"static_cast<std::int32_t>({self._slots[node.number]}[e]);\n  }}"
            for i, node in enumerate(self._circuit.outputs)
        ]
        stored = _functions("store", "std::int32_t* out", stores)
        calls = [f"  step{i}(b, in);" for i in range(len(steps))] + [f"  store{i}(b, out);" for i in range(len(stored))]
        arrays = "\n".join(
            f"  alignas(64) {_type(bits)} v{bits}[{self._made[bits]}][B];" for bits in _BITS if self._made[bits]
        )
        return "\n".join(
            [
                "/// One block of events: what is alive of the circuit, by width.",
                f"template <std::size_t B>\nstruct Block {{\n{arrays}\n}};\n",
                *self._arrays(),
                *steps,
                *stored,
                "/// B events, one after another in `in` and in `out`.",
                "template <std::size_t B>",
                "void run(Block<B>& b, const std::int32_t* in, std::int32_t* out) {",
                *calls,
                "}",
            ]
        )

    def _loop(self, node: CircuitNode) -> list[str]:
        loop = _Loop()
        name = self._value(loop, node, top=True)
        return [_write(loop, self._slot(node), name)]

    def _sum(self, node: CircuitNode) -> list[str]:
        """A long sum: the sum so far is as wide as any part of it can become."""
        assert isinstance(node.op, Linear)
        terms, worst = node.op.terms, _worst(node.op)
        bits = _bits(-worst, worst)
        so_far = self._place(bits)
        loops = []
        for start in range(0, len(terms), _TERMS):
            loop = _Loop()
            part = terms[start : start + _TERMS]
            found = self._linear(loop, part, 0 if start else node.op.constant, bits)
            name = loop.let(bits, _join([_wide(f"{so_far}[e]", bits), found])) if start else found
            loops.append(_write(loop, so_far, name))
        self._give_back(so_far)
        slot = self._slot(node)
        if slot != so_far:
            last = _Loop()
            loops.append(_write(last, slot, last.let(_bits(node.low, node.high), f"{so_far}[e]")))
        return loops

    def _arrays(self) -> Iterable[str]:
        """The tables that are read, each in the narrowest integers."""
        for values, name in self._tables.items():
            written = textwrap.fill(", ".join(map(_literal, values)), 100)
            yield f"constexpr {_type(_bits(min(values), max(values)))} {name}[] = {{\n{written}\n}};\n"

    def _slot(self, node: CircuitNode) -> str:
        self._slots[node.number] = self._place(_bits(node.low, node.high))
        return self._slots[node.number]

    def _place(self, bits: int) -> str:
        """An array of the block that nothing needs."""
        if self._free[bits]:
            index = self._free[bits].pop()
        else:
            index = self._made[bits]
            self._made[bits] += 1
        return f"b.v{bits}[{index}]"

    def _give_back(self, slot: str) -> None:
        place, index = slot.rstrip("]").split("[")
        self._free[int(place.removeprefix("b.v"))].append(int(index))

    def _reads(self, node: CircuitNode) -> Iterable[int]:
        """What a loop reads of the block."""
        for operand in node.operands:
            if operand.number in self._inlined:
                yield from self._reads(operand)
            else:
                yield operand.number

    def _value(self, loop: _Loop, node: CircuitNode, top: bool = False) -> str:
        """Name of a node's value in a loop, computed there if it has no place in the block."""
        if not top and node.number not in self._inlined:
            return f"{self._slots[node.number]}[e]"
        bits = _bits(node.low, node.high)
        match node.op:
            case Input(index, kind):
                return loop.let(bits, f"wrap<{kind.width}, {str(kind.signed).lower()}>(in[e * INPUTS + {index}])")
            case Linear(terms, constant):
                return self._linear(loop, terms, constant, bits)
            case Product(left, right):
                wide = max(bits, *(_bits(n.low, n.high) for n in (left, right)))
                a, b = self._value(loop, left), self._value(loop, right)
                return loop.let(bits, f"{_wide(a, wide)} * {b}")
            case Floor():
                return self._floor(loop, node.op, bits)
            case Clip(x, low, high):
                value, wide = self._value(loop, x), _bits(x.low, x.high)
                # a bound outside the operand's integers cannot bite, and Clip has only bounds that can
                if low is not None:
                    value = loop.let(wide, f"{value} < {_literal(low)} ? {_literal(low)} : {value}")
                if high is not None:
                    value = loop.let(wide, f"{value} > {_literal(high)} ? {_literal(high)} : {value}")
                return loop.let(bits, value)
            case Sign(x):
                return loop.let(bits, f"{self._value(loop, x)} < 0 ? -1 : 1")
            case Selected(bit, chosen, other):
                condition, a, b = (self._value(loop, n) for n in (bit, chosen, other))
                return loop.let(bits, f"{condition} != 0 ? {a} : {b}")
            case Lookup(x, first, values):
                name, wide = self._tables.setdefault(values, f"table{len(self._tables)}"), _bits(first, x.high - first)
                place = _wide(self._value(loop, x), wide)
                return loop.let(bits, f"{name}[{place}{f' - {_literal(first)}' if first else ''}]")

    def _linear(self, loop: _Loop, terms: tuple[tuple[CircuitNode, int], ...], constant: int, bits: int) -> str:
        """Sum in parts, each as narrow as the worst case of any of its terms allows."""
        sums: list[tuple[int, str]] = []
        left = list(terms)
        for wide in _BITS:
            half = 1 << (wide - 1)
            low = high = 0
            part: list[str] = []
            later: list[tuple[CircuitNode, int]] = []
            for node, c in left:
                ends = sorted((node.low * c, node.high * c))
                if max(_bits(node.low, node.high), _bits(c, c), _bits(*ends)) > wide:
                    later.append((node, c))
                    continue
                if part and (low + min(0, ends[0]) < -half or high + max(0, ends[1]) >= half):
                    sums.append((wide, loop.let(wide, _join(part))))
                    low, high, part = 0, 0, []
                low, high = low + min(0, ends[0]), high + max(0, ends[1])
                value = self._value(loop, node)
                part.append(value if c == 1 else f"-{value}" if c == -1 else f"{_wide(value, wide)} * {_literal(c)}")
            if part:
                sums.append((wide, loop.let(wide, _join(part))))
            left = later
        if left:
            raise UnsupportedError("a product needs more than 64 bits")
        worst = _worst(Linear(terms, constant))
        wide = max(bits, _bits(-worst, worst))
        parts = [_wide(name, wide) for _, name in sums]
        if constant or not parts:
            parts.append(_literal(constant))
        return loop.let(bits, _join(parts))

    def _floor(self, loop: _Loop, op: Floor, bits: int) -> str:
        x = op.x
        added = (op.constant, op.constant + op.coefficient)
        low, high = x.low + min(0, *added), x.high + max(0, *added)
        wide = max(_bits(low, high), 32 if op.shift >= 15 else 16, 64 if op.shift >= 31 else 16)
        value = self._value(loop, x)
        total = _wide(value, wide)
        if op.bit == "negative":
            total += f" + ({value} < 0 ? {_literal(added[1])} : {_literal(added[0])})"
        elif op.bit == "odd":
            odd = loop.let(wide, f"({_wide(value, wide)} >> {op.shift}) & 1")
            total += f" + {odd} * {_literal(op.coefficient)} + {_literal(op.constant)}"
        elif op.constant:
            total += f" + {_literal(op.constant)}"
        return loop.let(bits, f"{loop.let(wide, total)} >> {op.shift}")


def _functions(name: str, parameter: str, loops: list[str]) -> list[str]:
    """Functions of some loops each."""
    parts: list[list[str]] = []
    length = _LONGEST
    for loop in loops:
        size = loop.count("[e")
        if length + size > _LONGEST:
            parts.append([])
            length = 0
        parts[-1].append(loop)
        length += size
    return [
        f"template <std::size_t B>\nAPART void {name}{i}(Block<B>& b, {parameter}) {{\n" + "\n".join(part) + "\n}\n"
        for i, part in enumerate(parts)
    ]


def _wide(value: str, bits: int) -> str:
    """An operand as it must be so that the arithmetic with it has at least these bits; C++ makes 16 bits 32 itself."""
    return f"std::int64_t{{{value}}}" if bits == 64 else value


def _join(parts: list[str]) -> str:
    return " + ".join(parts)


def _write(loop: _Loop, slot: str, name: str) -> str:
    lines = "\n".join(f"    {line}" for line in [*loop.lines, f"{slot}[e] = {name};"])
    return f"  for (std::size_t e = 0; e < B; ++e) {{\n{lines}\n  }}"


def kernel(circuit: Circuit) -> str:
    """C++ of ``template <std::size_t B> struct Block`` and of ``run`` over it."""
    return _Kernel(circuit).text()
