"""Layers that read a table: a function of the codes that an activation gives, correctly rounded once.

In training the function is computed and rounded by torch; a folded network, and the graph that is exported of it, read
the table, which is made of rational enclosures (:mod:`codesign.graph.reals`): no libm has a part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from codesign.graph.nodes import CODESIGN
from codesign.graph.reals import FUNCTIONS
from codesign.training.brevitas_quantisers import activation_scale, range_parameter
from codesign.training.quantised_layers import ActivationLayer, GridSignal, Layer, Walk

__all__ = ("TableActivation", "TableFunction", "table_values")

TableFunction = Literal["exp", "sigmoid", "tanh", "reciprocal"]

#: bits to which a function is enclosed before it is rounded
_ENCLOSED = 60
#: the largest reciprocal, as a power of two: what a sum of next to nothing is divided by
_MOST_RECIPROCAL = 3

#: of values and the top of their range; an exponential is relative to that top, so that it never exceeds 1
_IN_TRAINING: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = MappingProxyType(
    {
        "exp": lambda x, top: torch.exp(x - top),
        "sigmoid": lambda x, top: torch.sigmoid(x),
        "tanh": lambda x, top: torch.tanh(x),
        "reciprocal": lambda x, top: 1 / x.clamp_min(2.0**-_MOST_RECIPROCAL),
    }
)


@lru_cache(maxsize=256)
def table_values(function: TableFunction, exponent: int, bits: int, width: int) -> NDArray[np.float64]:
    """The function of every code of ``bits`` bits worth ``2**exponent`` each, the lowest first; read-only.

    Signed codes, but of a reciprocal, which is of numbers from 0 on. Rounded half up to ``width`` bits, the sign of
    ``tanh`` included; an exponential is of the distance to the top of the range.
    """
    lsb = Fraction(2) ** exponent
    first = 0 if function == "reciprocal" else -(1 << (bits - 1))
    low, high, fraction = _codes(function, width)
    found = []
    for code in range(first, first + (1 << bits)):
        x = code * lsb
        if function == "exp":
            x -= lsb * (1 << (bits - 1))
        if function == "reciprocal" and x < Fraction(1, 1 << _MOST_RECIPROCAL):
            found.append(high)
            continue
        ends = FUNCTIONS[function]((x, x), _ENCLOSED)
        found.append(min(max(floor(sum(ends) / 2 * (1 << fraction) + Fraction(1, 2)), low), high))
    values = np.array(found, dtype=np.float64) * 2.0**-fraction
    values.setflags(write=False)
    return values


def _codes(function: TableFunction, width: int) -> tuple[int, int, int]:
    """Smallest and largest code of a result of so many bits, and its fraction bits."""
    if function == "tanh":
        return -(1 << (width - 1)) + 1, (1 << (width - 1)) - 1, width - 1
    return 0, (1 << width) - 1, width - (_MOST_RECIPROCAL if function == "reciprocal" else 0)


class _ReadTable(torch.autograd.Function):
    """Exported as the operator ``Table`` of the project's own domain."""

    @staticmethod
    def symbolic(g: Any, x: Any, values: Any, signed: bool, integer: int, fraction: int) -> Any:
        read = g.op(f"{CODESIGN}::Table", x, values, k_i=int(signed), i_i=integer, f_i=fraction)
        read.setType(x.type())
        return read

    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, signed: bool, integer: int, fraction: int) -> Tensor:
        codes = torch.round(x * 2.0**fraction).long()
        return values[codes + (len(values) // 2 if signed else 0)]


class TableActivation(Layer):
    """An activation of ``bits`` bits, and a function of it of ``width`` bits: an exponential of the distance to the top
    of its range, the reciprocal of what is rectified (at most 8), ``sigmoid`` or ``tanh``."""

    def __init__(self, function: TableFunction, channels: int, bits: int, width: int) -> None:
        super().__init__()
        self.function, self.bits, self.width = function, bits, width
        self._signed = function != "reciprocal"
        self.active = ActivationLayer(channels, bits, signed=self._signed)

    def forward(self, x: GridSignal) -> GridSignal:
        """(events, ..., channels), on the grid of the result."""
        given = self.active(x).values
        low, high, fraction = _codes(self.function, self.width)
        step = 2.0**-fraction
        if self.walk is Walk.FOLDED:
            # the quantiser itself is not asked for its scale: nothing of that shall be in a graph that is exported
            exponent = ceil(range_parameter(self.active.quantiser).detach().item()) - self.bits + int(self._signed)
            values = table_values(self.function, exponent, self.bits, self.width)
            table = torch.as_tensor(values.copy(), dtype=torch.float32, device=given.device)
            integer = self.bits - int(self._signed) + exponent
            return GridSignal(_ReadTable.apply(given, table, self._signed, integer, -exponent))
        top = activation_scale(self.active.quantiser).detach() * 2.0 ** (self.bits - 1)
        exact = _IN_TRAINING[self.function](given, top)
        rounded = torch.clamp(torch.floor(exact / step + 0.5), low, high) * step
        grid = torch.tensor(step, dtype=torch.float64) if self.walk is Walk.FOLDING else None
        return GridSignal(exact + (rounded - exact).detach(), grid)
