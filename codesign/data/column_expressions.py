"""Expressions over the columns of a table, such as ``log(m)``, ``pt / ht``, ``jets.pt[0]``: data, never run as code.

The text is parsed by :mod:`ast` into a tree of a few kinds of nodes, and those are applied to arrays; nothing else is
evaluated. ``&``, ``|`` and ``~`` bind as ``and``, ``or`` and ``not`` do, as in pandas' ``query`` and ROOT's cuts.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from codesign.core.errors import InputError, nearest

__all__ = ("FUNCTIONS", "ColumnExpression", "Columns", "expand_slice")

#: name of a column -> (rows,) numbers or text, or an awkward array of lists of numbers
Columns: TypeAlias = Mapping[str, Any]

MOST_CHARACTERS, MOST_NODES = 500, 120
#: the largest constant exponent and slice
_MOST_POWER, _MOST_PLACES = 64, 128
#: of a jet of which a shape is computed; rows that are computed at once
_MOST_CONSTITUENTS, _ROWS = 256, 10_000


def _reduction(name: str) -> Callable[[Any], Any]:
    def reduce(values: Any) -> Any:
        import awkward as ak

        return ak.to_numpy(getattr(ak, name)(values, axis=1))

    return reduce


def _longest(name: str, empty: float) -> Callable[[Any], Any]:
    def reduce(values: Any) -> Any:
        import awkward as ak

        return ak.to_numpy(ak.fill_none(getattr(ak, name)(values, axis=1), empty))

    return reduce


def _delta_phi(a: Any, b: Any) -> Any:
    """a - b, brought into [-pi, pi)."""
    return (a - b + np.pi) % (2 * np.pi) - np.pi


#: functions of numbers, element by element: name -> (number of arguments, function)
_ELEMENTWISE: Mapping[str, tuple[int, Callable[..., Any]]] = {
    **{name: (1, getattr(np, name)) for name in (
        "abs", "sqrt", "exp", "log", "log2", "log10", "log1p", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh",
        "arcsin", "arccos", "arctan", "floor", "ceil", "sign", "isfinite",
    )},
    **{name: (2, getattr(np, name)) for name in ("arctan2", "hypot", "minimum", "maximum")},
    "where": (3, np.where),
    "clip": (3, lambda x, low, high: np.minimum(np.maximum(x, low), high)),
    "delta_phi": (2, _delta_phi),
}  # fmt: skip
#: functions of a list a row that give one number a row
_REDUCTIONS: Mapping[str, Callable[[Any], Any]] = {
    "sum": _reduction("sum"),
    "mean": _reduction("mean"),
    "count": _reduction("num"),
    "max": _longest("max", 0.0),
    "min": _longest("min", 0.0),
    "any": _reduction("any"),
    "all": _reduction("all"),
}


def _shape(name: str) -> Callable[..., Any]:
    """A shape of the jet whose constituents' pT, eta and phi are lists a row."""

    def shape(*lists: Any) -> Any:
        import awkward as ak

        from codesign.physics.jet_shapes import SHAPES, jet_shapes

        arrays = [ak.Array(each) for each in lists]
        if any(array.ndim != 2 for array in arrays):
            raise InputError(f"jet_{name} is of lists a row, constituents' pT, eta and phi; this is one number a row")
        if any(ak.any(ak.num(array) != ak.num(arrays[0])) for array in arrays):
            raise InputError(f"jet_{name} is of three lists of one length a row")
        most = int(ak.max(ak.num(arrays[0]), initial=1))
        if most > _MOST_CONSTITUENTS:
            raise InputError(f"jet_{name} is of at most {_MOST_CONSTITUENTS} constituents a row, not {most}: cut them")
        found = np.empty(len(arrays[0]))
        for start in range(0, len(found), _ROWS):
            some = [ak.fill_none(ak.pad_none(array[start : start + _ROWS], most, clip=True), 0.0) for array in arrays]
            shapes = jet_shapes(np.stack([ak.to_numpy(each).reshape(-1, most) for each in some], axis=-1))
            found[start : start + _ROWS] = shapes[:, list(SHAPES).index(name)]
        return found

    return shape


#: functions of the lists of a jet's constituents, pT, eta and phi, that give one number a row
_SHAPES: Mapping[str, Callable[..., Any]] = {
    f"jet_{name}": _shape(name) for name in (
        "mass", "pt", "width", "ptd", "c2", "d2", "area", "image_area", "image_perimeter", "image_euler",
    )
}  # fmt: skip
#: what an expression may call: of how many arguments, and what gives it
_CALLED: Mapping[str, tuple[int, Callable[..., Any]]] = {
    **_ELEMENTWISE,
    **{name: (1, function) for name, function in _REDUCTIONS.items()},
    **{name: (3, function) for name, function in _SHAPES.items()},
}
FUNCTIONS = tuple(_CALLED)

_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.true_divide, ast.Mod: np.mod,
    ast.FloorDiv: np.floor_divide, ast.Pow: np.power, ast.USub: np.negative, ast.UAdd: np.positive,
    ast.Not: np.logical_not, ast.And: np.logical_and, ast.Or: np.logical_or, ast.Gt: np.greater, ast.Lt: np.less,
    ast.GtE: np.greater_equal, ast.LtE: np.less_equal, ast.Eq: np.equal, ast.NotEq: np.not_equal,
}  # fmt: skip


@dataclass(frozen=True)
class ColumnExpression:
    """An expression that was parsed. ``columns``: what it reads, in the order of first mention."""

    text: str
    columns: tuple[str, ...]
    _tree: ast.expr | None = field(repr=False, compare=False)

    @classmethod
    def of(cls, text: str, known: Collection[str], where: str = "an expression") -> ColumnExpression:
        """Parse; a text that is the whole name of a column is that column. InputError: what is wrong, and where."""
        if text in known:
            return cls(text, (text,), None)
        if len(text) > MOST_CHARACTERS:
            raise InputError(f"{where}: {len(text)} characters long, at most {MOST_CHARACTERS} are read")
        try:
            tree = ast.parse(_spelled_out(text), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            said = getattr(error, "msg", None) or "cannot be read"
            raise InputError(f"{where}: '{text}' is no expression over columns ({said})") from None
        if sum(1 for _ in ast.walk(tree)) > 4 * MOST_NODES:
            raise InputError(f"{where}: '{text[:60]}...' has more than {MOST_NODES} parts: write it in several")
        reader = _Reader(text, known, where)
        reader.check(tree)
        return cls(text, tuple(reader.columns), tree)

    @property
    def tree(self) -> ast.expr:
        """What was parsed: nodes of the few kinds that an expression has."""
        return ast.Name(self.text) if self._tree is None else self._tree

    def values(self, columns: Columns) -> Any:
        """The expression's value of each row, (rows,) float64, bool or text, or an awkward array of lists.

        What has no value (the logarithm of a negative number) is not finite. InputError where shapes do not fit.
        """
        if self._tree is None:
            return columns[self.text]
        try:
            with np.errstate(all="ignore"):
                found = _value(self._tree, columns)
        except InputError:
            raise
        except (ValueError, TypeError, IndexError, np.exceptions.AxisError, OverflowError) as error:
            said = " ".join(str(error).split())[:160]
            raise InputError(f"'{self.text}' cannot be computed of these columns ({said})") from None
        if getattr(found, "ndim", 0) == 0:  # of constants alone; np.ndim would take a list a row for a matrix
            raise InputError(f"'{self.text}' is of no column")
        return found


def expand_slice(text: str, known: Collection[str]) -> list[str]:
    """``jets.pt[:4]`` as ``jets.pt[0]`` to ``jets.pt[3]``; anything else as it is."""
    match = re.fullmatch(r"(.+)\[\s*:\s*(\d+)\s*\]", text.strip())
    if text in known or match is None:
        return [text]
    places = int(match[2])
    if not 0 < places <= _MOST_PLACES:
        raise InputError(f"'{text}' takes {places} places of a list: 1 to {_MOST_PLACES} are possible")
    return [f"{match[1]}[{place}]" for place in range(places)]


def _spelled_out(text: str) -> str:
    """Cuts' signs as words of their own precedence: ``pt > 30 & abs(eta) < 2``."""
    if "`" in text or "\\" in text or "\n" in text:
        raise ValueError("no back quotes, backslashes or line ends")
    signs = {"&&": " and ", "||": " or ", "&": " and ", "|": " or ", "~": " not ", "!": " not "}
    return re.sub(r"&&|\|\||!=|[&|~!]", lambda m: signs.get(m[0], m[0]), text).strip()


class _Reader:
    """Looks at each node before anything is computed."""

    def __init__(self, text: str, known: Collection[str], where: str) -> None:
        self._text, self._known, self._where = text, known, where
        self.columns: dict[str, None] = {}

    def check(self, node: ast.expr, depth: int = 0) -> None:
        if depth > 30:
            raise self._refusal("it is nested too deep")
        match node:
            case ast.Constant(value=int() | float() | bool() | str() as value):
                if isinstance(value, int) and abs(value) > 1 << 62:
                    raise self._refusal(f"the number {value} is too large")
            case ast.Name() | ast.Attribute():
                self.columns[self._column(node)] = None
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=one):
                self.check(one, depth + 1)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                if isinstance(op, ast.Pow) and not _is_small(right):
                    raise self._refusal(f"an exponent is a number of at most {_MOST_POWER}")
                self.check(left, depth + 1)
                self.check(right, depth + 1)
            case ast.BoolOp(values=values):
                for each in values:
                    self.check(each, depth + 1)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _OPERATORS for op in ops):
                for each in (left, *others):
                    self.check(each, depth + 1)
            case ast.Subscript(value=listed, slice=ast.Constant(value=int() as place)) if 0 <= place < _MOST_PLACES:
                self.check(listed, depth + 1)
            case ast.Subscript():
                raise self._refusal(f"a place in a list is a number from 0 to {_MOST_PLACES - 1}")
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                if name not in FUNCTIONS:
                    raise self._refusal(f"there is no function '{name}'{nearest(name, FUNCTIONS)}")
                needed = _CALLED[name][0]
                if len(arguments) != needed:
                    raise self._refusal(f"'{name}' takes {needed} argument{'s' * (needed > 1)}, not {len(arguments)}")
                for each in arguments:
                    self.check(each, depth + 1)
            case _:
                raise self._refusal(
                    f"'{ast.unparse(node)[:60]}' is neither a number, a column, arithmetic nor a function"
                )

    def _column(self, node: ast.expr) -> str:
        name = _dotted_name(node)
        if name is None:
            raise self._refusal(f"'{ast.unparse(node)[:60]}' names no column")
        for spelled in (name, name.replace(".", "_")):
            if spelled in self._known:
                return spelled
        raise self._refusal(f"there is no column '{name}'{nearest(name, self._known)}")

    def _refusal(self, why: str) -> InputError:
        return InputError(f"{self._where}: '{self._text}': {why}")


def _is_small(node: ast.expr) -> bool:
    inner = node.operand if isinstance(node, ast.UnaryOp) else node
    return isinstance(inner, ast.Constant) and isinstance(inner.value, int | float) and abs(inner.value) <= _MOST_POWER


def _dotted_name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _dotted_name(node.value)) is not None:
        return f"{before}.{node.attr}"
    return None


def _value(node: ast.expr, columns: Columns) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name() | ast.Attribute():
            name = str(_dotted_name(node))
            return _number(columns[name] if name in columns else columns[name.replace(".", "_")])
        case ast.UnaryOp(op=op, operand=one):
            return _OPERATORS[type(op)](_value(one, columns))
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value(left, columns), _value(right, columns))
        case ast.BoolOp(op=op, values=values):
            found = _value(values[0], columns)
            for each in values[1:]:
                found = _OPERATORS[type(op)](found, _value(each, columns))
            return found
        case ast.Compare(left=left, ops=ops, comparators=others):
            operands = [_value(each, columns) for each in (left, *others)]
            found = True
            for sign, one, other in zip(ops, operands, operands[1:], strict=False):
                found = np.logical_and(found, _OPERATORS[type(sign)](one, other))
            return found
        case ast.Subscript(value=listed, slice=ast.Constant(value=int() as place)):
            return _place_of(_value(listed, columns), place)
        case ast.Call(func=ast.Name(id=name), args=arguments):
            operands = [_value(each, columns) for each in arguments]
            function = _CALLED[name][1]
            return function(*operands)
    raise AssertionError(ast.dump(node))


def _number(values: Any) -> Any:
    """Numbers in double precision, so that no integer overflows; text as it is."""
    import awkward as ak

    if isinstance(values, ak.Array):
        return ak.values_astype(values, np.float64)
    kind = np.asarray(values).dtype.kind
    return np.asarray(values, dtype=np.float64) if kind in "iufb" else values


def _place_of(lists: Any, place: int) -> Any:
    """One place of a list a row, 0 where a list is shorter; by its order in the file."""
    import awkward as ak

    array = ak.Array(lists)
    if array.ndim != 2:
        raise InputError("a place is taken of a list a row, and this is one number a row")
    return ak.to_numpy(ak.fill_none(ak.pad_none(array, place + 1, clip=True)[:, place], 0.0))
