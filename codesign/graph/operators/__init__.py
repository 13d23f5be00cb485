"""The operators that have exact hardware, each one a composition of a domain's primitives."""

from codesign.graph.operators import (  # fmt: skip
    elementwise,
    linear,
    logic,
    normalisation,
    quantisers,
    reduce,
    shape,
    trees,
)
from codesign.graph.operators import real_functions as functions

__all__ = ("elementwise", "functions", "linear", "logic", "normalisation", "quantisers", "reduce", "shape", "trees")
