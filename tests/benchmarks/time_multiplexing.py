"""Would an initiation interval of two save logic? One dense layer, unrolled or with its adders used twice.

Unrolled, each half of the outputs has its own adders, and alkaid shares sums between all outputs. Used twice, an adder
takes, by a phase bit, the shifted input that one output needs or the one that another needs, digit by digit in
canonical signed form; what both need alike is taken as it is. Costs are alkaid's, in LUTs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ("circuit", "time_multiplexing", "used_twice")

#: inputs, outputs, weight bits, share of zeros
LAYERS = ((16, 8, 3, 0.5), (16, 8, 4, 0.5), (16, 8, 4, 0.0), (16, 16, 4, 0.5), (32, 16, 5, 0.5), (16, 8, 6, 0.0))
_INPUT_BITS = 6


def time_multiplexing(seed: int = 0) -> list[dict[str, Any]]:
    """For each layer, the cost of it unrolled (interval 1), of its two halves, and of adders that are used twice."""
    rng = np.random.default_rng(seed)
    found = []
    for inputs, outputs, bits, zeros in LAYERS:
        top = 1 << (bits - 1)
        weights = rng.integers(1 - top, top, (inputs, outputs)) * (rng.random((inputs, outputs)) >= zeros)
        first, second = weights[:, : outputs // 2], weights[:, outputs // 2 :]
        unrolled = _cost(inputs, lambda x, w=weights: x[:, :-1] @ w)
        twice = _cost(inputs, lambda x, a=first, b=second: used_twice(x, a, b))
        found.append(
            {
                "layer": f"{inputs} x {outputs}, {bits} bits, {zeros:.0%} zeros",
                "interval_1": unrolled,
                "halves": [_cost(inputs, lambda x, w=half: x[:, :-1] @ w) for half in (first, second)],
                "interval_2": twice,
                "interval_2_over_1": round(twice / unrolled, 2),
            }
        )
    return found


def _cost(inputs: int, layer: Any) -> float:
    return round(float(circuit(inputs, layer).cost), 1)


def circuit(inputs: int, layer: Any) -> Any:
    """alkaid's circuit of a layer of so many inputs and, last, a phase bit."""
    from alkaid.trace import FVArray, HWConfig, trace

    bits = np.full((1, inputs + 1), _INPUT_BITS)
    bits[0, -1] = 1
    x = FVArray.from_kif(np.zeros_like(bits), bits, np.zeros_like(bits), HWConfig(1, -1, -1))
    return trace(x, layer(x), optimize=True)


def used_twice(x: Any, first: NDArray[np.int64], second: NDArray[np.int64]) -> Any:
    """Sums of both halves' outputs, with one tree of adders for each pair of outputs."""
    phase = x[0, -1]
    sums = []
    for column in range(first.shape[1]):
        terms = []
        for row in range(len(first)):
            one, other = _digits(int(first[row, column])), _digits(int(second[row, column]))
            for shift in range(max(len(one), len(other))):
                a, b = (d[shift] * 2.0**shift if shift < len(d) else 0.0 for d in (one, other))
                if a or b:
                    value = x[0, row]
                    terms.append(value * a if a == b else phase.msb_mux(value * a, value * b))
        while len(terms) > 1:
            terms = [sum(terms[i + 1 : i + 2], terms[i]) for i in range(0, len(terms), 2)]
        sums.append(terms[0])
    return type(x)(np.array([sums]), x.solver_options)


def _digits(number: int) -> list[int]:
    """Canonical signed digits, lowest first: no two neighbours are other than 0."""
    digits = []
    while number:
        digit = 2 - (number & 3) if number & 1 else 0
        digits.append(digit)
        number = (number - digit) >> 1
    return digits
