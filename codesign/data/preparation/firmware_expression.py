"""Expressions over raw features as the firmware computes them."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.data.preparation.fixed_numbers import FixedNumber, PrefixWriter
from codesign.data.preparation.raw_codes import PreparedInput

__all__ = ("FirmwareExpression",)

#: functions that rise or fall everywhere, by their names in expressions
_MONOTONE: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    name: getattr(np, name)
    for name in ("sqrt", "exp", "log", "log2", "log10", "log1p", "expm1", "sinh", "tanh", "arctan", "arcsin", "arccos")
}
#: others, of exact numbers only
_OTHERS: Mapping[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    name: getattr(np, name) for name in ("sin", "cos", "cosh", "tan")
}
_COMPARISONS: Mapping[type[ast.cmpop], tuple[str, str]] = {
    ast.Gt: ("Greater", "Less"), ast.Lt: ("Less", "Greater"), ast.GtE: ("GreaterOrEqual", "LessOrEqual"),
    ast.LtE: ("LessOrEqual", "GreaterOrEqual"), ast.Eq: ("Equal", "Equal"),
}  # fmt: skip
#: of two numbers
_ARITHMETIC: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


class FirmwareExpression:
    """One prepared input's expression over raw codes."""

    def __init__(self, writer: PrefixWriter, columns: dict[str, FixedNumber], of: PreparedInput) -> None:
        self._writer, self._columns, self._of = writer, columns, of

    def number(self, node: ast.expr) -> FixedNumber:
        """What the expression is; a number alone is refused."""
        found = self._any(node)
        if not isinstance(found, FixedNumber):
            raise self._writer.refusal("it is of no raw feature")
        return found

    def _any(self, node: ast.expr) -> FixedNumber | float:
        write = self._writer
        match node:
            case ast.Constant(value=int() | float() as value):
                return float(value)
            case ast.Name() | ast.Attribute():
                return self._columns[_name_of(node, self._columns)]
            case ast.UnaryOp(op=ast.UAdd(), operand=one):
                return self._any(one)
            case ast.UnaryOp(op=ast.USub(), operand=one):
                found = self._any(one)
                return write.scale(found, -1.0) if isinstance(found, FixedNumber) else -found
            case ast.UnaryOp(op=ast.Not(), operand=one):
                return write.logic("Not", self.number(one))
            case ast.BoolOp(op=op, values=values):
                found = self.number(values[0])
                for each in values[1:]:
                    found = write.logic("And" if isinstance(op, ast.And) else "Or", found, self.number(each))
                return found
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._comparisons([left, *others], ops)
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self._any(left), self._any(right))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise write.refusal(f"'{ast.unparse(node)[:60]}' is not computed in the firmware")

    def _binary(self, op: ast.operator, a: FixedNumber | float, b: FixedNumber | float) -> FixedNumber | float:
        write = self._writer
        if (
            isinstance(a, float)
            and isinstance(b, float)
            and type(op) in _ARITHMETIC
            and (b or not isinstance(op, ast.Div))
        ):
            return _ARITHMETIC[type(op)](a, b)
        match op, a, b:
            case ast.Add(), FixedNumber(), FixedNumber():
                return write.add(a, b)
            case ast.Sub(), FixedNumber(), FixedNumber():
                return write.add(a, b, minus=True)
            case ast.Add(), FixedNumber(), float():
                return write.add_constant(a, b)
            case ast.Add(), float(), FixedNumber():
                return write.add_constant(b, a)
            case ast.Sub(), FixedNumber(), float():
                return write.add_constant(a, -b)
            case ast.Sub(), float(), FixedNumber():
                return write.add_constant(write.scale(b, -1.0), a)
            case ast.Mult(), FixedNumber(), FixedNumber():
                return write.multiply(a, b)
            case ast.Mult(), FixedNumber(), float():
                return write.scale(a, b)
            case ast.Mult(), float(), FixedNumber():
                return write.scale(b, a)
            case ast.Div(), FixedNumber(), float() if b:
                return write.scale(a, 1 / b)
            case ast.Div(), FixedNumber(), FixedNumber():
                if self._of.bits is None:
                    raise write.refusal("a ratio needs 'bits', where it saturates")
                most = ((1 << self._of.bits) - 1) * 2.0**-self._of.fraction
                return write.ratio(a, b, self._of.fraction, most)
            case ast.Pow(), FixedNumber(), 2.0:
                return write.multiply(a, a)
        raise write.refusal(
            f"{type(op).__name__} of these two is not computed in the firmware: +, -, * , / and ** 2 are, of raw "
            "features, and with a number"
        )

    def _comparisons(self, operands: list[ast.expr], ops: list[ast.cmpop]) -> FixedNumber:
        write, found = self._writer, None
        for op, left, right in zip(ops, operands, operands[1:], strict=False):
            known = _COMPARISONS.get(type(op))
            a, b = self._any(left), self._any(right)
            if known is None:
                raise write.refusal(f"{type(op).__name__} is not computed in the firmware: write 'not' and '=='")
            if isinstance(a, FixedNumber) and isinstance(b, FixedNumber):
                one = write.compare(known[0], a, b)
            elif isinstance(a, FixedNumber) and not isinstance(b, FixedNumber):
                one = write.compare_constant(known[0], a, b)
            elif isinstance(b, FixedNumber) and not isinstance(a, FixedNumber):
                one = write.compare_constant(known[1], b, a)
            else:
                raise write.refusal("two numbers are compared")
            found = one if found is None else write.logic("And", found, one)
        assert found is not None
        return found

    def _call(self, name: str, arguments: list[ast.expr]) -> FixedNumber:
        write, fraction = self._writer, self._of.fraction
        operands = [self._any(each) for each in arguments]
        numbers = [x for x in operands if isinstance(x, FixedNumber)]
        if not numbers:
            raise write.refusal(f"'{name}' is of no raw feature")
        if name in _MONOTONE:
            return write.apply(numbers[0], _MONOTONE[name], fraction)
        if name in _OTHERS:
            if numbers[0].error:
                raise write.refusal(f"'{name}' is of a number that is rounded: take it of a raw one")
            return write.apply(numbers[0], _OTHERS[name], fraction)
        match name, operands:
            case "abs", [FixedNumber() as x]:
                return write.absolute(x)
            case (("minimum" | "maximum"), [a, b]):
                if len(numbers) == 2:
                    return write.larger(numbers[0], numbers[1], smaller=name == "minimum")
                (bound,) = (float(x) for x in operands if not isinstance(x, FixedNumber))
                x = numbers[0]
                ends = (x.low * x.size, bound) if name == "minimum" else (bound, x.high * x.size)
                return write.bounded(x, min(ends[0], bound), max(ends[1], bound))
            case "clip", [FixedNumber() as x, float() as low, float() as high]:
                return write.bounded(x, low, high)
            case "where", [FixedNumber() as choice, a, b] if len(numbers) > 1:
                a, b = (x if isinstance(x, FixedNumber) else write.constant_beside(x, numbers[1]) for x in (a, b))
                return write.choose(choice, a, b)
            case "where", [FixedNumber() as choice, float() as a, float() as b] if a != b:
                return write.choose_constant(choice, a, b)
            case "delta_phi", [FixedNumber() as a, FixedNumber() as b]:
                found = write.add(a, b, minus=True)
                turn = 2 * np.pi / found.size
                if abs(turn - round(turn)) > 1e-6 or found.error:
                    raise write.refusal(f"'delta_phi' is of azimuths, {turn:g} of whose codes would be a full turn")
                return write.wrapped(found, round(turn))
        raise write.refusal(f"'{name}' is not computed in the firmware of these")


def _name_of(node: ast.expr, known: Mapping[str, object]) -> str:
    text = node.id if isinstance(node, ast.Name) and node.id in known else ast.unparse(node)
    return text if text in known else text.replace(".", "_")
