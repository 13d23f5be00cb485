"""The process in which alkaid's own converter traces a Keras model, and Keras runs beside it.

``python -m codesign.flows.alkaid.keras_tracer JOB.json``: in Keras' environment; it ends with ``answer.json`` in the
job's folder, beside the circuit as it was traced, the values that were tried, and what Keras gives of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.probes import probe_codes
from codesign.graph.interval import tightest_type
from codesign.importing.keras.held_keras import predict
from codesign.importing.keras.keras_library import load_keras
from codesign.importing.keras.keras_worker import HGQ
from codesign.importing.own_process import answer_job

__all__ = ("declare_inputs", "work_on")

#: layers that run code or open files of their own
_NEVER = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "Wrapper"}
#: bits of an input that a sensor may give; alkaid takes what a lane could hold for more
_WIDEST = 24


def traced_classes() -> set[str]:
    """Names of the layers that alkaid's converters know."""
    load_keras()
    from alkaid.converter._plugin_loader import maybe_load_for
    from alkaid.converter.builtin.keras.main import _registry
    from hgq.layers import QDense

    maybe_load_for(QDense, "keras", verbose=False)
    return {kind.__name__ for kind in _registry if kind.__module__.split(".")[0] in ("keras", "hgq")} - _NEVER


def declare_inputs(shapes: list[tuple[int, ...]], kinds: Sequence[Sequence[int]] | None) -> Any:
    """Signals of each input, (1, ...), of types (k, i, f): one for all, or one for each element; None to be found."""
    from alkaid.trace import FVArray, HWConfig

    if kinds is None:
        return None
    size = sum(prod(s) for s in shapes)
    if len(kinds) not in (1, size):
        raise InputError(f"--inputs lists {len(kinds)} fields, and the model has {size} inputs")
    columns = np.broadcast_to(np.array(kinds, dtype=np.int64), (size, 3))
    ends = np.cumsum([prod(s) for s in shapes])
    parts = np.split(columns, ends[:-1])
    return tuple(
        FVArray.from_kif(*(part[:, c].reshape(1, *shape) for c in range(3)), HWConfig(1, -1, -1))
        for part, shape in zip(parts, shapes, strict=True)
    )


def _port(circuit: Any) -> Port:
    """The types in which the circuit reads its inputs."""
    types: list[FixedPoint] = []
    for low, high, step in circuit.inp_qint:
        kind = tightest_type(float(low), float(high), float(step))
        if kind.width > _WIDEST:
            raise InputError(
                f"alkaid reads input {len(types)} with {kind.width} bits, as {kind}; no sensor gives as many: declare "
                "the types (--inputs)"
            )
        types.append(kind)
    return Port(name="x", types=tuple(types), labels=tuple(f"x{i}" for i in range(len(types))))


def work_on(job: dict[str, Any]) -> dict[str, Any]:
    """Trace a model, try it, and say of what types it is."""
    from alkaid.converter import trace_model
    from alkaid.trace import HWConfig, trace

    from codesign.flows.alkaid.alkaid_files import save_program

    work = Path(job["work"])
    model, checked, versions = HGQ.load(Path(job["file"]), work, traced_classes())
    shapes = [tuple(int(n) for n in x.shape[1:]) for x in model.inputs]
    try:
        signals = trace_model(model, HWConfig(1, -1, -1), inputs=declare_inputs(shapes, job["kinds"]))
        circuit = trace(*signals, optimize=False)
    except InputError:
        raise
    except Exception as error:  # alkaid and its plug-ins raise what they like
        said = " ".join(str(error).split())[:300]
        raise UnsupportedError(f"alkaid cannot trace it ({type(error).__name__}: {said})") from None
    port = _port(circuit)
    codes = probe_codes(port)
    values = codes * port.lsbs
    parts = np.split(values, np.cumsum([prod(s) for s in shapes])[:-1], axis=1)
    given = {f"in{i}": p.reshape(len(p), *s) for i, (p, s) in enumerate(zip(parts, shapes, strict=True))}
    save_program(circuit, work / "program.json.gz")
    np.save(work / "values.npy", values)
    np.save(work / "outputs.npy", predict(model, given))
    kinds = [[int(t.signed), t.integer_bits, t.fraction_bits] for t in port.types]
    return {"versions": versions, "keras_version": checked.keras_version, "kinds": kinds}


if __name__ == "__main__":
    sys.exit(answer_job(sys.argv[1:], work_on))
