"""Random small networks, for property-based tests: the same seed gives the same design."""

from __future__ import annotations

import numpy as np

from codesign.core.design import Design
from codesign.graph.quantiser import RoundingMode
from codesign.testing.graphs import GraphBuilder, design_of, kind_of, weights

__all__ = ("random_design",)


def random_design(
    seed: int,
    depth: int = 1,
    widest: int = 6,
    most_bits: int = 5,
    modes: tuple[str, ...] = (RoundingMode.FLOOR.value, RoundingMode.ROUND.value),
    per_channel: bool = False,
) -> Design:
    """A network of ``depth`` hidden layers of up to ``widest`` neurons, drawn with ``seed``.

    Inputs, weights and signals have up to ``most_bits`` bits and scales of any power of two near 1; some weights are 0,
    some layers have no bias, some no ReLU, some narrow types. ``per_channel`` gives each neuron a scale of its own.
    """
    rng = np.random.default_rng(seed)
    kind = kind_of(int(rng.integers(2, most_bits + 2)), bool(rng.integers(0, 2)), int(rng.integers(0, 4)))
    inputs = int(rng.integers(1, widest + 1))
    build = GraphBuilder(inputs)
    x, size = "x", inputs
    for layer in range(depth + 1):
        following = int(rng.integers(1, widest + 1))
        matrix = weights(rng, (size, following), int(rng.integers(2, most_bits + 1)), 2.0 ** -rng.integers(0, 4))
        matrix *= rng.random(matrix.shape) < 0.8
        bias = rng.integers(-9, 10, following) * 2.0 ** -rng.integers(0, 6) if rng.random() < 0.7 else None
        x, size = build.layer(x, matrix, bias), following
        if layer < depth:
            signed = int(rng.random() < 0.3)
            x = x if signed else build.node("Relu", x)
            scale = 2.0 ** rng.integers(-3, 2, following if per_channel else ())
            bits = float(rng.integers(2, most_bits + 1))
            narrow = int(signed and rng.random() < 0.3)
            x = build.quant(x, scale, bits, signed, narrow, str(rng.choice(modes)))
    return design_of(build.finish(x, size), kind, inputs)
