"""The operators that have exact hardware, each one a composition of a domain's primitives."""

from codesign.graph.operators import elementwise, linear, logic, quantisers, reduce, shape, trees

__all__ = ("elementwise", "linear", "logic", "quantisers", "reduce", "shape", "trees")
