"""Random graphs with factors that are no powers of two, real functions, thresholds off the grid, and Trunc."""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.core.probes import probe_codes
from codesign.graph.nodes import QONNX
from codesign.testing.graphs import port_of_one_kind
from tests.graph.random_graphs import REASONS, ROUNDINGS, RandomGraph
from tests.graph.sources import equal_to_reals

#: what a random source may be refused for beside what any graph may; anything else is a fault
MORE_REASONS = (
    "put a quantiser behind",
    "is not quantised",
    "a table takes at most 16 bits",
    "codes on one grid; quantise it first",
    "needs more than 24 bits",
    "the logarithm of",
    "the reciprocal of 0",
    "cannot be told from a tie",
)
FUNCTIONS = ("Sigmoid", "Tanh", "Exp", "Softplus", "Erf", "Elu", "Gelu", "HardSwish", "Mish")


class RandomSource(RandomGraph):
    """As other people's exporters write them; every output ends in a quantiser of a power of two."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.standard = False
        for _ in range(2 + int(self.rng.integers(0, 3))):
            self.grow_awkward()
        self.outputs = [self._last(o) for o in dict.fromkeys([*self.outputs[-1:], list(self.shapes)[-1]])]

    def _last(self, x: str) -> str:
        bits = self.constant(float(self.rng.integers(2, 7)))
        given = [x, self.constant(2.0 ** int(self.rng.integers(-3, 1))), self.constant(0.0), bits]
        mode = str(self.rng.choice(ROUNDINGS))
        return self.node("Quant", given, self.shapes[x], QONNX, signed=1, narrow=0, rounding_mode=mode)

    def _grow(self) -> None:
        if self.rng.random() < 0.3:
            self.grow_awkward()
        else:
            super()._grow()

    def awkward(self, shape=()) -> np.ndarray:
        return np.float32(self.rng.uniform(0.1, 1.5, shape))

    def grow_awkward(self) -> bool:
        # the last: after all of those that any graph may have
        kind = str(self.rng.choice(["factor", "function", "norm", "trunc", "thresholds", "mean", "layer"]))
        y = getattr(self, f"awkward_{kind}")(self.pick(1 if kind in ("norm", "mean", "layer") else 0))
        if y and self.rng.random() < 0.9:
            self.any_quant(y)
        return True

    def any_quant(self, x: str) -> str:
        """Any scale, one or for each element; a zero point now and then."""
        shape, rng = self.shapes[x], self.rng
        scale = self.awkward(self.stretched(shape) if rng.random() < 0.3 else ())
        scale = scale if rng.random() < 0.7 else np.float32(2.0 ** int(rng.integers(-2, 2)))
        signed, bits = int(rng.integers(0, 2)), float(rng.integers(2, 5))
        zero = float(rng.integers(0, 5)) if rng.random() < 0.2 else 0.0
        return self.node(
            "Quant", [x, self.constant(scale), self.constant(zero), self.constant(bits)], shape, QONNX, signed=signed,
            narrow=int(rng.integers(0, 2)), rounding_mode=str(rng.choice(ROUNDINGS)),
        )  # fmt: skip

    def awkward_factor(self, x: str) -> str:
        shape = self.shapes[x]
        op = str(self.rng.choice(["Mul", "Div", "Add", "Sub", "LeakyRelu"]))
        if op == "LeakyRelu":
            return self.node(op, [x], shape, alpha=0.3)
        given = [x, self.constant(self.awkward(self.stretched(shape)) * self.rng.choice([-1, 1]))]
        if op in ("Add", "Sub", "Mul") and self.rng.random() < 0.4:
            given.reverse()
        return self.node(op, given, shape)

    def awkward_function(self, x: str) -> str:
        return self.node(str(self.rng.choice(FUNCTIONS)), [self.quantised(x)], self.shapes[x])

    def awkward_norm(self, x: str) -> str:
        shape = self.shapes[x]
        given = [self.constant(self.awkward(shape[0]) * self.rng.choice([-1, 1], shape[0])) for _ in range(3)]
        return self.node("BatchNormalization", [x, *given, self.constant(self.awkward(shape[0]))], shape, epsilon=1e-3)

    def awkward_trunc(self, x: str) -> str:
        q = self.any_quant(x)
        bits, scale = 4.0, self.nodes[-1].input[1]
        given = [q, scale, self.constant(0.0), self.constant(bits), self.constant(bits - int(self.rng.integers(0, 3)))]
        if next(c for c in self.constants if c.name == scale).dims:
            return q
        return self.node("Trunc", given, self.shapes[x], QONNX, rounding_mode=str(self.rng.choice(["FLOOR", "CEIL"])))

    def awkward_thresholds(self, x: str) -> str:
        shape, rng = self.shapes[x], self.rng
        if not shape:
            return ""
        channels = shape[0] if rng.random() < 0.5 else 1
        steps = np.sort(np.float32(rng.normal(size=(channels, int(rng.integers(1, 6)))) * 2), axis=1)
        factor, offset = (float(self.awkward()) if rng.random() < 0.5 else 1.0 for _ in range(2))
        return self.node(
            "MultiThreshold", [x, self.constant(steps)], shape, QONNX, out_scale=factor, out_bias=offset,
        )  # fmt: skip

    def awkward_mean(self, x: str) -> str:
        axis = int(self.rng.integers(1, len(self.shapes[x]) + 1))
        out = tuple(1 if i + 1 == axis else n for i, n in enumerate(self.shapes[x]))
        return self.node("ReduceMean", [x, self.constant([axis], np.int64)], out, keepdims=1)

    def awkward_layer(self, x: str) -> str:
        """A weight with a scale for each of its columns, and a bias of any numbers."""
        shape = self.shapes[x]
        m = int(self.rng.integers(1, 4))
        weight = [self.constant(v) for v in (self.rng.normal(size=(shape[-1], m)), self.awkward((1, m)), 0.0, 3.0)]
        quantised = self.node("Quant", weight, None, QONNX, signed=1, narrow=1, rounding_mode="ROUND")
        out = self.node("MatMul", [x, quantised], (*shape[:-1], m))
        return self.node("Add", [out, self.constant(self.awkward(m))], (*shape[:-1], m))


def tried(seed: int) -> str:
    """'equal', or the reason for which a random source is refused; anything else is a fault."""
    grown = RandomSource(seed)
    content = grown.content()
    kinds = tuple(grown.kinds)
    first = port_of_one_kind(kinds[0], len(kinds)).port.model_copy(update={"types": kinds})
    codes = probe_codes(first, events=30, seed=seed)
    codes = codes[np.random.default_rng(seed).choice(len(codes), min(60, len(codes)), replace=False)]
    try:
        equal_to_reals(content, grown.kinds, codes, circuit=12, reals=12)
    except UnsupportedError as error:
        return reason_of(error)
    return "equal"


def reason_of(error: UnsupportedError) -> str:
    reasons = [r for r in (*REASONS, *MORE_REASONS) if r in str(error)]
    assert reasons, f"refused for a reason that is not on the list: {error}"
    return reasons[0]


def main() -> int:
    """Many of them: ends with 1 where any domain, or real arithmetic, gives another integer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--start", type=int, default=0)
    options = parser.parse_args()
    outcomes: Counter[str] = Counter()
    for seed in range(options.start, options.start + options.count):
        try:
            outcomes[tried(seed)] += 1
        except Exception as error:  # every kind of it is what this looks for
            outcomes["faults"] += 1
            print(f"{seed}: {type(error).__name__}: {str(error)[:300]}")
    print(", ".join(f"{number} {what}" for what, number in outcomes.most_common()))
    return int(outcomes["faults"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
