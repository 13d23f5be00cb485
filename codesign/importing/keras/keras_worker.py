"""The process that holds Keras: reads one file into a graph, and runs it on values.

``python -m codesign.importing.keras.keras_worker JOB.json``: a job names the file, a folder of ours for what is
written, and optionally values to predict. It ends with ``answer.json`` in that folder, whatever happens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError, UnsupportedError
from codesign.importing.keras.graph_writer import GraphWriter, WrittenSignal
from codesign.importing.keras.keras_container import Checked, check
from codesign.importing.keras.keras_library import load_keras
from codesign.importing.keras.layer_readers import readers
from codesign.importing.keras.layer_walk import LayerWalk
from codesign.importing.own_process import answer_job

__all__ = ("load", "predict")

_BATCH = 1000


def load(path: Path, work: Path, more: Collection[str] = ()) -> tuple[Any, Checked, dict[str, str]]:
    """The model of a file that was checked, what it says of itself, and versions; ``more``: classes beside readers'."""
    checked = check(path, work / "model", {*readers(), *more})
    keras, classes, versions = load_keras()
    classes |= {name: known for reader in readers().values() for name, known in reader.classes().items()}
    copy = next(p for p in (work / "model.keras", work / "model.h5") if p.exists())
    try:
        model = keras.saving.load_model(copy, custom_objects=classes, compile=False, safe_mode=True)
    except Exception as error:  # Keras and HGQ2 raise what they like
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: Keras cannot load it ({type(error).__name__}: {said})") from None
    copy.unlink()
    if not model.built:
        model.build(model.input_shape)
    return model, checked, versions


def convert(model: Any) -> tuple[bytes, dict[str, Any]]:
    """The graph of a model, and the facts of it; UnsupportedError with every layer that cannot be read."""
    walk = LayerWalk(GraphWriter(), readers())
    graph = walk.graph

    def run(operation: Any) -> Callable[..., Any]:
        def called(*args: Any, **named: Any) -> Any:
            return _called(operation, args, named, walk)

        return called

    function = getattr(model, "_functional", None) or model
    shapes = [tuple(x.shape)[1:] for x in function.inputs]
    if any(n is None for shape in shapes for n in shape):
        raise UnsupportedError(f"inputs of shapes {shapes}: only the events' axis may be open")
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


def predict(model: Any, values: dict[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Keras' own outputs (events, m), heads one after another; values of each input by its place, float32."""
    given = [values[f"in{i}"].astype(np.float32) for i in range(len(model.inputs))]
    found = model.predict(given if len(given) > 1 else given[0], batch_size=_BATCH, verbose=0)
    heads = found if isinstance(found, list | tuple) else [found]
    return np.concatenate([np.asarray(h, dtype=np.float64).reshape(len(h), -1) for h in heads], axis=1)


def work_on(job: dict[str, Any]) -> dict[str, Any]:
    """Do one job."""
    work = Path(job["work"])
    model, checked, versions = load(Path(job["file"]), work)
    answer: dict[str, Any] = {"versions": versions, "keras_version": checked.keras_version, "backend": checked.backend}
    if job["convert"]:
        content, facts = convert(model)
        (work / "model.onnx").write_bytes(content)
        answer |= facts
    if job["predict"]:
        with np.load(work / "values.npz", allow_pickle=False) as values:
            np.save(work / "outputs.npy", predict(model, dict(values)))
    return answer


if __name__ == "__main__":
    sys.exit(answer_job(sys.argv[1:], work_on))
