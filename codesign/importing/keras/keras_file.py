"""Files of Keras 3 as designs: typed at their inputs by the model's own quantisers or by what is declared."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Sequence
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.plain import given_bytes
from codesign.graph.interval import FLOAT64_EXACT, Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from codesign.importing.base import Imported, Importer, Question, Source, SourceValues
from codesign.importing.declared import DeclaredInputs
from codesign.importing.import_report import Change, ImportReport, LayerFacts, SourceFile, types_in_words
from codesign.importing.keras.keras_container import looks_like_keras
from codesign.importing.keras.keras_process import KerasFacts, convert_keras, predict_keras
from codesign.importing.operations import count_operations

__all__ = ("KerasFile", "blocks_of", "design_of_keras", "imported_keras", "inferred_types")

_WIDEST = 24
_BARE = re.compile(r"[^A-Za-z0-9_]+")


class KerasFile(Importer):
    """``.keras`` and Keras-3 ``.h5`` files, with the layers of HGQ2."""

    name = "keras"

    def takes(self, source: Source) -> bool:
        """Whether it is an archive or an HDF5 file of Keras."""
        return isinstance(source, Path) and source.is_file() and looks_like_keras(source)

    def read(self, source: Source, question: Question) -> Imported:
        """The file as a design; ToolError where Keras is not set up (``codesign doctor --install keras``)."""
        assert isinstance(source, Path)
        return imported_keras(source, question.declared, question.seconds)


def imported_keras(path: Path, declared: DeclaredInputs | None = None, seconds: float = 600.0) -> Imported:
    """The design of a file, its report, and Keras itself beside it.

    InputError: damaged, or the type of its inputs is asked for. UnsupportedError: all layers without exact hardware.
    """
    content = given_bytes(path, MODEL_BYTES)
    graph, facts = convert_keras(path, seconds)
    design, changes = design_of_keras(graph, facts, declared, path.name)
    layers = tuple(
        LayerFacts(name=layer.name, kind=layer.kind, weights=layer.weights, nonzero=layer.nonzero)
        for layer in facts.layers
    )
    cost = count_operations(design)
    report = ImportReport(
        source=SourceFile(
            name=path.name,
            sha256=hashlib.sha256(content).hexdigest(),
            kind="Keras 3 model",
            producer=f"Keras {facts.keras_version}"[:100],
        ),
        layers=layers,
        inputs=types_in_words(design.inputs),
        outputs=types_in_words(design.outputs),
        input_types="declared" if declared is not None and declared.typed else "the model's own quantiser",
        changes=changes,
        weights=sum(layer.weights for layer in layers),
        nonzero_weights=sum(layer.nonzero for layer in layers),
        operations=cost.operations,
        ebops=cost.ebops,
    )
    runner = " / ".join(f"{name} {version}" for name, version in facts.versions.items())
    name = f"source{path.suffix}" if path.suffix in (".keras", ".h5") else "source.keras"
    runs = {runner: _values(content, facts, design, seconds)}
    return Imported(design, report, runs, {name: content}, facts.versions)


def design_of_keras(
    graph: bytes, facts: KerasFacts, declared: DeclaredInputs | None = None, name: str = "the model"
) -> tuple[Design, tuple[Change, ...]]:
    """The design of a converted model, and what was done at its inputs. It needs no Keras."""
    typed = declared is not None and declared.typed
    size, items = len(facts.read_as), max(prod(b.shape[:-1]) for b in facts.inputs)
    types = None if typed else inferred_types(facts, name)
    if declared is not None and (typed or declared.fields):
        quantisation = declared.quantisation(size, items, types)
    else:
        assert types is not None
        names = _names(facts)
        quantisation = InputQuantisation(
            features=names,
            units=("1",) * size,
            offset=(0.0,) * size,
            step=tuple(t.lsb for t in types),
            types=types,
        )
    found = read_graph(graph, name).run(Interval.of_port(quantisation.port), Intervals(FLOAT64_EXACT))
    kinds = tuple(
        tightest_type(float(low), float(high), float(step))
        for low, high, step in zip(found.low[0], found.high[0], found.step[0], strict=True)
    )
    labels = (
        declared.outputs if declared is not None and declared.outputs else tuple(f"y{i}" for i in range(len(kinds)))
    )
    if len(labels) != len(kinds):
        raise InputError(f"{name}: {len(kinds)} outputs, but {len(labels)} names of outputs are declared")
    changes = () if typed else _unread(facts)
    return Design(graph, quantisation, Port(name="scores", types=kinds, labels=labels)), changes


def inferred_types(facts: KerasFacts, name: str = "the model") -> tuple[FixedPoint, ...]:
    """The type of each element of the input, as the model's quantisers read it; several are joined.

    InputError, with what was inferred, where something else reads it, or the type is wider than 24 bits.
    """
    bare = set(facts.read_bare)
    if bare:
        raise InputError(
            f"{name}: {len(bare)} of {len(facts.read_as)} inputs enter a layer without a quantiser, so their types are "
            "not known: declare them (inputs: fixed<W,I>)"
        )
    types = tuple(_join(kinds) for kinds in facts.read_as)
    wide = [index for index, kind in enumerate(types) if kind.width > _WIDEST]
    if wide:
        names = _names(facts)
        raise InputError(
            f"{name}: its quantisers read {len(wide)} of {len(types)} inputs with more than {_WIDEST} bits, "
            f"'{names[wide[0]]}' as {types[wide[0]]}; no sensor gives as many, so lanes are unused: declare the types "
            "(inputs: fixed<W,I>)"
        )
    return types


def _join(kinds: Sequence[tuple[int, int, int]]) -> FixedPoint:
    """The narrowest type that holds the codes of all; without bits where nothing is read."""
    alive = [kind for kind in kinds if sum(kind) > 0]
    if not alive:
        return FixedPoint(signed=False, integer_bits=0, fraction_bits=0)
    k, i, f = (max(kind[place] for kind in alive) for place in range(3))
    return FixedPoint(signed=bool(k), integer_bits=i, fraction_bits=f)


def _unread(facts: KerasFacts) -> tuple[Change, ...]:
    unread = sum(not any(sum(kind) > 0 for kind in kinds) for kinds in facts.read_as)
    if not unread:
        return ()
    how = f"{unread} of {len(facts.read_as)} inputs are never read, or by quantisers without bits: they have no bits"
    return (Change(what="narrowed", where="the inputs", how=how),)


def _names(facts: KerasFacts) -> tuple[str, ...]:
    """Plain names of the flat inputs: that of the block, and the place in it."""
    found = []
    for number, block in enumerate(facts.inputs):
        bare = _BARE.sub("_", block.name).strip("_")[:40] or f"in{number}"
        found += ["_".join([bare, *map(str, place)]) for place in np.ndindex(*block.shape)]
    return tuple(found) if len(set(found)) == len(found) else tuple(f"x{i}" for i in range(len(found)))


def blocks_of(design: Design, facts: KerasFacts, codes: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Input codes (events, n) as values of each input of the model, (events, ...)."""
    given = design.inputs.values(codes)
    parts, start = [], 0
    for block in facts.inputs:
        size = prod(block.shape)
        parts.append(given[:, start : start + size].reshape(len(codes), *block.shape))
        start += size
    return parts


def _values(content: bytes, facts: KerasFacts, design: Design, seconds: float) -> SourceValues:
    """Input codes to what Keras gives of them. The file is that which was imported, whatever lies there later."""

    def values(codes: NDArray[np.int64]) -> NDArray[np.float64]:
        parts = blocks_of(design, facts, codes)
        with tempfile.TemporaryDirectory(prefix="codesign-keras-") as scratch:
            copy = Path(scratch) / "source"
            copy.write_bytes(content)
            return predict_keras(copy, parts, seconds)

    return values
