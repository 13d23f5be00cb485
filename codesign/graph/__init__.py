"""QONNX graphs as exact integer functions: read once, evaluated over integers, intervals, or hardware signals.

The reader (:mod:`codesign.graph.reader`) checks a graph and runs it over a *domain*: exact numbers
(:class:`~codesign.graph.exact.Exact`), intervals (:class:`~codesign.graph.interval.Intervals`), or a compiler's
signals.
So every tool sees the same graph, read by the same code.
"""
