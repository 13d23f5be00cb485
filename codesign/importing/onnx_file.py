"""ONNX and QONNX files: read, cut at their ends, their inputs typed, and run beside their design by what runs ONNX."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import InputError, UnsupportedError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.onnx import onnx_model
from codesign.core.reading.plain import given_bytes
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.nodes import CHANNELS_LAST, CODESIGN, QONNX
from codesign.graph.reader import read_graph
from codesign.importing.base import Imported, Importer, Question, Source, SourceValues
from codesign.importing.declared import DeclaredInputs
from codesign.importing.external_tensors import with_tensors
from codesign.importing.import_report import Change, ImportReport, LayerFacts, SourceFile, types_in_words
from codesign.importing.onnx_inputs import InputTypes, input_types
from codesign.importing.onnx_lowering import Scaled, scaled_graph
from codesign.importing.onnx_runners import Run, constants_of, float64_runner, runners_of
from codesign.importing.onnx_surgery import cut_ends, drop_defaults, name_domains, node_name, open_events, prune
from codesign.importing.operations import count_operations

__all__ = ("OnnxFile", "imported_onnx")

Array = NDArray[np.float64]
_WEIGHTED = ("MatMul", "Gemm", "Conv", "ConvTranspose")


class OnnxFile(Importer):
    """Files of ONNX or QONNX."""

    name = "onnx"

    def takes(self, source: Source) -> bool:
        """Whether it is a file that protobuf reads as a model with nodes."""
        if not isinstance(source, Path) or not source.is_file() or source.stat().st_size > MODEL_BYTES:
            return False
        try:
            model = onnx.load_from_string(source.read_bytes())
        except (DecodeError, ValueError, TypeError, OSError):
            return False
        return bool(model.ir_version and model.graph.node)

    def read(self, source: Source, question: Question) -> Imported:
        """The file as a design."""
        assert isinstance(source, Path)
        content = given_bytes(source, MODEL_BYTES)
        whole, others = with_tensors(content, source)
        imported = imported_onnx(whole, source.name, question.declared)
        if not others:
            return imported
        report = imported.report
        said = report.source.model_copy(update={"sha256": _digest(content)})
        changes = tuple(
            Change(what="folded", where=name, how=f"its tensors are read into the graph (sha256 {_digest(found)})")
            for name, found in others.items()
        )
        report = report.model_copy(update={"source": said, "changes": (*changes, *report.changes)})
        return replace(imported, report=report, source_files={"source.onnx": content, **others})


@dataclass(frozen=True)
class _Ends:
    """How the design's outputs stand to the source's: ``source = value * factor + offset``, (outputs,) each."""

    factor: Array
    offset: Array


def imported_onnx(
    content: bytes,
    name: str,
    declared: DeclaredInputs | None = None,
    kind: str | None = None,
    own: Callable[[bool], Mapping[str, Run]] | None = None,
) -> Imported:
    """The design of a serialised model, its report, and what runs the model itself.

    ``own``: what else runs the source than what runs ONNX, given whether an end of it was cut.
    InputError: damaged, or its inputs' types are asked for. UnsupportedError: what has no exact hardware.
    """
    given = onnx_model(content, name, functions=True)
    name_domains(given)
    drop_defaults(given)
    model = onnx.ModelProto()
    model.CopyFrom(given)
    changes = cut_ends(model)
    source = onnx.ModelProto()
    source.CopyFrom(model)  # what is compared: the file without its last Softmax
    blocks = _blocks(model, name)
    constants = constants_of(model)
    try:
        typed = input_types(model, blocks, constants, declared)
    except InputError as asked:
        _obstacles(model, blocks, name, asked)
        raise
    quantisation = _quantisation(typed, blocks, declared)
    design, lowered, opened = _design(model, quantisation, declared, name)
    changes += [*typed.changes, *lowered.changes]
    ends = _Ends(lowered.factor, lowered.offset)
    facts = count_operations(design)
    layers = _layers(model, constants)
    report = ImportReport(
        source=SourceFile(
            name=name,
            sha256=_digest(content),
            kind=kind or _kind(source),
            producer=" ".join(p for p in (given.producer_name, given.producer_version) if p)[:100],
        ),
        layers=layers,
        inputs=types_in_words(design.inputs),
        outputs=types_in_words(design.outputs),
        input_types=typed.how,  # type: ignore[arg-type]
        changes=(*changes, *opened),
        output_scale=() if (ends.factor == 1).all() else tuple(map(float, ends.factor)),
        output_offset=() if not ends.offset.any() else tuple(map(float, ends.offset)),
        operations=facts.operations,
        weights=sum(layer.weights for layer in layers),
        nonzero_weights=sum(layer.nonzero for layer in layers),
        ebops=facts.ebops,
    )
    cut = any(c.what == "cut" for c in changes)
    found = (runners_of(source) if own is None else {}) | dict(own(cut) if own is not None else {})
    runs = {runner: _values(run, blocks, design, typed, ends) for runner, run in found.items()}
    return Imported(
        design,
        report,
        runs,
        {"source.onnx": content},
        {"onnx": version("onnx"), **{r.split()[0]: r.split()[1] for r in runs}},
        _values(float64_runner(source), blocks, design, typed, ends),
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _kind(model: onnx.ModelProto) -> str:
    """What a file is called, by its quantisers."""
    if any(n.domain in (QONNX, CHANNELS_LAST) for n in model.graph.node):
        return "QONNX"
    if any(n.domain == CODESIGN for n in model.graph.node):
        return "ONNX with codesign's operators"
    return "ONNX (QCDQ)" if any(n.op_type == "DequantizeLinear" for n in model.graph.node) else "ONNX"


def _blocks(model: onnx.ModelProto, name: str) -> dict[str, tuple[int, ...]]:
    """The inputs, each with its shape without the events' axis."""
    given = {t.name for t in model.graph.initializer}
    found = {}
    for port in model.graph.input:
        if port.name in given:
            continue
        dims = port.type.tensor_type.shape.dim
        shape = tuple(d.dim_value if d.HasField("dim_value") else -1 for d in dims[1:])
        if not dims or not shape or min(shape) < 1:
            raise UnsupportedError(
                f"{name}: input '{port.name}' of shape {[d.dim_param or d.dim_value for d in dims]} has an axis of "
                "open length beside that of the events, or none: export it with fixed lengths"
            )
        found[port.name] = shape
    if not found:
        raise UnsupportedError(f"{name}: the graph has no input")
    return found


#: a type to look for other obstacles with, where the inputs' own is not known yet
_SUPPOSED = FixedPoint(signed=True, integer_bits=3, fraction_bits=4)


def _obstacles(model: onnx.ModelProto, blocks: Mapping[str, tuple[int, ...]], name: str, asked: InputError) -> None:
    """UnsupportedError where there is more to mend than the inputs' types that are asked for."""
    size = sum(map(prod, blocks.values()))
    supposed = Port(name="features", types=(_SUPPOSED,) * size, labels=tuple(f"x{i}" for i in range(size)))
    try:
        scaled_graph(model.SerializeToString(), supposed, name)
    except UnsupportedError as error:
        raise UnsupportedError(f"{error}; and {asked}") from None


def _quantisation(
    typed: InputTypes, blocks: Mapping[str, tuple[int, ...]], declared: DeclaredInputs | None
) -> InputQuantisation:
    """Names and physical scales of the flat inputs: declared ones, or plain ones on the source's own scale."""
    items = max(prod(shape[:-1]) for shape in blocks.values())
    named = (declared or DeclaredInputs()).quantisation(len(typed.types), items, typed.types)
    if declared is not None and declared.fields:
        step = np.asarray(named.step) * typed.scale
        offset = np.asarray(named.offset) + typed.offset * np.asarray(named.step) / [t.lsb for t in typed.types]
    else:
        step = np.asarray([t.lsb for t in typed.types]) * typed.scale
        offset = typed.offset
    return named.model_copy(update={"step": tuple(map(float, step)), "offset": tuple(map(float, offset))})


def _design(
    model: onnx.ModelProto, quantisation: InputQuantisation, declared: DeclaredInputs | None, name: str
) -> tuple[Design, Scaled, list[Change]]:
    """The design of a graph whose inputs' types are known: lowered, for any number of events, with tightest outputs."""
    prune(model)
    interval = Interval.of_port(quantisation.port)
    lowered = scaled_graph(model.SerializeToString(), quantisation.port, name)
    model = onnx.load_from_string(lowered.content)
    graph = read_graph(lowered.content, name)
    signals = graph.signals(interval, Intervals())
    shapes = {n: tuple(s.shape) for n, s in signals.items() if n not in graph.constants}
    opened = open_events(model, shapes)
    model.graph.name, model.producer_name, model.producer_version, model.doc_string = "codesign", "codesign", "", ""
    model.graph.doc_string = ""
    del model.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    if model.ir_version > onnx.IR_VERSION:
        model.ir_version = onnx.IR_VERSION
    content = model.SerializeToString(deterministic=True)
    found = read_graph(content, name).run(interval, Intervals())
    types = tuple(
        tightest_type(float(low), float(high), float(step))
        for low, high, step in zip(found.low[0], found.high[0], found.step[0], strict=True)
    )
    labels = (
        declared.outputs if declared is not None and declared.outputs else tuple(f"y{i}" for i in range(len(types)))
    )
    if len(labels) != len(types):
        raise UnsupportedError(f"{name}: {len(types)} outputs, but {len(labels)} names of outputs are declared")
    return Design(content, quantisation, Port(name="scores", types=types, labels=labels)), lowered, opened


def _values(
    run: Run, blocks: Mapping[str, tuple[int, ...]], design: Design, typed: InputTypes, ends: _Ends
) -> SourceValues:
    """Input codes to what the source gives of them, in the units of the design's outputs."""

    def values(codes: NDArray[np.int64]) -> Array:
        given = design.inputs.values(codes) * typed.scale
        parts, start = [], 0
        for shape in blocks.values():
            parts.append(given[:, start : start + prod(shape)].reshape(len(codes), *shape))
            start += prod(shape)
        found = np.concatenate([y.reshape(len(codes), -1) for y in run(parts)], axis=1)
        return np.asarray((found - ends.offset) / ends.factor)

    return values


def _layers(model: onnx.ModelProto, constants: Mapping[str, Array]) -> tuple[LayerFacts, ...]:
    """The nodes that work on the events, in order, with the weights that enter them."""
    found = []
    for node in model.graph.node:
        if all(o in constants for o in node.output if o):
            continue
        entering = [constants[i] for i in node.input if i in constants] if node.op_type in _WEIGHTED else []
        found.append(
            LayerFacts(
                name=node_name(node),
                kind=node.op_type,
                weights=sum(w.size for w in entering),
                nonzero=sum(int(np.count_nonzero(w)) for w in entering),
            )
        )
    return tuple(found)
