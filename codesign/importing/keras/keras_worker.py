"""The process that holds Keras: reads one file into a graph, and runs it on values.

``python -m codesign.importing.keras.keras_worker JOB.json``: a job names the file, a folder of ours for what is
written, and optionally values to predict. It ends with ``answer.json`` in that folder, whatever happens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from codesign.importing.keras.graph_writer import GraphWriter, WrittenSignal
from codesign.importing.keras.held_keras import HeldKeras, fixed_shapes
from codesign.importing.keras.keras_container import KERAS_3
from codesign.importing.keras.keras_library import load_keras
from codesign.importing.keras.layer_reader import LayerReader
from codesign.importing.keras.layer_readers import readers
from codesign.importing.keras.layer_walk import LayerWalk
from codesign.importing.own_process import answer_job

__all__ = ("HGQ", "HeldHgq")


class HeldHgq(HeldKeras):
    """Keras 3 with HGQ2."""

    title = "Keras"
    rules = KERAS_3

    def readers(self) -> Mapping[str, LayerReader]:
        """By name of a class, what reads it."""
        return readers()

    def library(self) -> tuple[Any, dict[str, Any], dict[str, str]]:
        """Keras, HGQ2's classes, and versions."""
        return load_keras()

    def convert(self, model: Any) -> tuple[bytes, dict[str, Any]]:
        """The graph of a model, and the facts of it."""
        return _convert(model)


HGQ = HeldHgq()


def _convert(model: Any) -> tuple[bytes, dict[str, Any]]:
    walk = LayerWalk(GraphWriter(), readers())
    graph = walk.graph

    def run(operation: Any) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            return _called(operation, args, named, walk)

        return called

    function = getattr(model, "_functional", None) or model
    shapes = fixed_shapes(function.inputs)
    outputs = function._run_through_graph([graph.input(shape) for shape in shapes], operation_fn=run)
    walk.finish()
    ends = list(outputs) if isinstance(outputs, list | tuple) else [outputs]
    facts = {
        "layers": walk.layers,
        "inputs": [{"name": str(x.name), "shape": list(s)} for x, s in zip(function.inputs, shapes, strict=True)],
        "outputs": [list(e.shape) for e in ends],
        "read_as": [sorted(set(graph.read_as.get(i, []))) for i in range(sum(s.size for s in graph.inputs))],
        "read_bare": sorted(graph.read_bare),
    }
    return graph.finish(ends), facts


def _called(operation: Any, args: tuple[Any, ...], named: dict[str, Any], walk: LayerWalk) -> Any:
    from keras import tree

    leaves = tree.flatten([args, {k: v for k, v in named.items() if k != "training"}])
    signals = tuple(v for v in leaves if isinstance(v, WrittenSignal))
    others = tuple(
        a
        for a in args
        if not isinstance(a, WrittenSignal | list | tuple)
        or (type(operation).__name__ == "GetItem" and a is not args[0])
    )
    shape = tuple(int(n) for n in operation.output.shape[1:])
    return walk.step(operation, signals, shape, others, named)


if __name__ == "__main__":
    sys.exit(answer_job(sys.argv[1:], HGQ.work_on))
