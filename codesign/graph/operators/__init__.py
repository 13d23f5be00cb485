"""The operators that have exact hardware, each one a composition of a domain's primitives."""

from codesign.graph.operators import (
    elementwise,
    functions,
    linear,
    logic,
    normalisation,
    quantisers,
    reduce,
    shape,
)  # fmt: skip

__all__ = ("elementwise", "functions", "linear", "logic", "normalisation", "quantisers", "reduce", "shape")
