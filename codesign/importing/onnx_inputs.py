"""The types of an ONNX file's inputs: its own quantisers', its own integers', or else they are asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint
from codesign.graph.interval import tightest_type
from codesign.graph.nodes import CODESIGN, QONNX, STANDARD
from codesign.importing.declared import DeclaredInputs
from codesign.importing.import_report import Change
from codesign.importing.onnx_surgery import attribute, consumers, node_name

__all__ = ("InputTypes", "input_types")

Array = NDArray[np.float64]
_INTEGERS = {
    TensorProto.INT8: (True, 8), TensorProto.UINT8: (False, 8), TensorProto.INT16: (True, 16),
    TensorProto.UINT16: (False, 16), TensorProto.BOOL: (False, 1), TensorProto.INT4: (True, 4),
    TensorProto.UINT4: (False, 4),
}  # fmt: skip
_WIDEST = 24
#: what puts the elements of its first input elsewhere, and changes none
_MOVES = ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze")


@dataclass(frozen=True)
class InputTypes:
    """Of the flat inputs: their types, and what of the source's own input one unit of the design's value is.

    ``scale``, ``offset`` (inputs,): the source's input is ``value * scale``; a physical x becomes the code
    ``floor((x - offset) / (scale * lsb) + 1/2)``.
    """

    types: tuple[FixedPoint, ...]
    scale: Array
    offset: Array
    how: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True)
class _Found:
    """What one block's quantiser says, each broadcast to the block's elements."""

    signed: NDArray[np.bool_]
    bits: NDArray[np.int64]
    scale: Array
    rounding: str
    node: onnx.NodeProto
    #: what it reads: the input, or the input in another order or shape
    tensor: str
    #: of a QuantizeLinear: what is added to a code, and the lowest and highest sum
    zero: float = 0.0
    ends: tuple[float, float] | None = None


def input_types(
    model: onnx.ModelProto,
    blocks: Mapping[str, tuple[int, ...]],
    constants: Mapping[str, Array],
    declared: DeclaredInputs | None,
) -> InputTypes:
    """The types of all inputs, block after block. A quantiser whose scale is no power of two is taken out of the graph:
    its codes come in. InputError asks for what neither file nor user says."""
    size = sum(map(prod, blocks.values()))
    if declared is not None and declared.typed:
        given = declared.quantisation(size, max(prod(s[:-1]) for s in blocks.values()))
        return InputTypes(given.types, np.ones(size), np.zeros(size), "declared")
    types: list[FixedPoint] = []
    scales, offsets, changes, asked = [], [], [], []
    how = "the model's own quantiser"
    for name, shape in blocks.items():
        own = _own_types(model, name)
        if own is not None:
            types += [own] * prod(shape)
            scales.append(np.ones(prod(shape)))
            offsets.append(np.zeros(prod(shape)))
            how = "the model's own types"
            continue
        found = _quantiser(model, name, shape, constants)
        if isinstance(found, str):
            asked.append(_question(name, shape, found))
            continue
        exact = (np.frexp(found.scale)[0] == 0.5).all()
        fraction = -np.rint(np.log2(found.scale)).astype(int) if exact else np.zeros(prod(shape), dtype=int)
        for signed, bits, f in zip(found.signed, found.bits, fraction, strict=True):
            types.append(FixedPoint(signed=bool(signed), integer_bits=int(bits - signed - f), fraction_bits=int(f)))
        scales.append(np.ones(prod(shape)) if exact else found.scale)
        offsets.append(found.scale / 2 if found.rounding == "FLOOR" else np.zeros(prod(shape)))
        changes.append(_said(found, bool(exact)))
        if not exact:
            _take_out(model, found.tensor, shape, found)
    if asked:
        raise InputError("; ".join(asked))
    return InputTypes(tuple(types), np.concatenate(scales), np.concatenate(offsets), how, tuple(changes))


def _question(name: str, shape: tuple[int, ...], seen: str) -> str:
    return (
        f"input '{name}' of {'x'.join(map(str, shape))} numbers: the file does not say its type ({seen}); inferred: "
        f"only that it has {_WIDEST} bits at most, as float32 holds no wider integers; not taken: that is so of every "
        "input, and hardware pays for each bit; declare it, with --inputs 'fixed<W,I>' for all (W bits, I of them "
        "before the point), or --inputs types.yaml for each field"
    )


def _own_types(model: onnx.ModelProto, name: str) -> FixedPoint | None:
    """An integer input of the file, or the data type that FINN notes at it."""
    port = next(i for i in model.graph.input if i.name == name)
    kind = _INTEGERS.get(port.type.tensor_type.elem_type)
    if kind is not None:
        return FixedPoint(signed=kind[0], integer_bits=kind[1] - kind[0], fraction_bits=0)
    for annotation in model.graph.quantization_annotation:
        if annotation.tensor_name != name:
            continue
        noted = {p.key: p.value for p in annotation.quant_parameter_tensor_names}.get("finn_datatype", "")
        if found := re.fullmatch(r"(U?)INT([0-9]{1,2})", noted):
            signed, bits = not found[1], int(found[2])
            if 1 <= bits <= _WIDEST:
                return FixedPoint(signed=signed, integer_bits=bits - signed, fraction_bits=0)
        if found := re.fullmatch(r"FIXED<([0-9]{1,2}),(-?[0-9]{1,2})>", noted):
            bits, before = int(found[1]), int(found[2])
            if 1 <= bits <= _WIDEST:
                return FixedPoint(signed=True, integer_bits=before - 1, fraction_bits=bits - before)
    return None


def _quantiser(
    model: onnx.ModelProto, name: str, shape: tuple[int, ...], constants: Mapping[str, Array]
) -> _Found | str:
    """The one quantiser through which everything sees this input; in words, what there is instead."""
    users, tensor, moved = list(consumers(model, name)), name, ""
    while len(users) == 1 and users[0].op_type in _MOVES and users[0].domain in (STANDARD, "ai.onnx"):
        if users[0].input[0] != tensor:
            break
        moved = moved or users[0].op_type.replace("Identity", "")
        tensor = users[0].output[0]
        users = list(consumers(model, tensor))
    if not users:
        return "nothing reads it"
    found = [_read(model, node, tensor, shape, constants, bool(moved)) for node in users]
    first = found[0]
    if first is None:
        behind = f", behind a {moved}," if moved else ""
        return f"the first operator that sees it{behind} is {users[0].op_type}, no quantiser of one type"
    for other in found[1:]:
        if other is None or not all(
            np.array_equal(getattr(first, f), getattr(other, f)) for f in ("signed", "bits", "scale")
        ):
            return f"{len(users)} operators see it, through different quantisers"
    return first


def _store(model: onnx.ModelProto, name: str) -> int | None:
    """The element type of a constant, as the file has it."""
    for tensor in model.graph.initializer:
        if tensor.name == name:
            return int(tensor.data_type)
    for node in model.graph.node:
        if name in node.output and node.op_type == "Constant" and len(node.attribute) == 1:
            return int(node.attribute[0].t.data_type)
    return None


def _read(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    tensor: str,
    shape: tuple[int, ...],
    constants: Mapping[str, Array],
    moved: bool,
) -> _Found | None:
    """What a node says of the type of a tensor; ``moved``: its elements may lie elsewhere, so one type for all."""
    parameters = [constants.get(i) if i else None for i in node.input[1:]]
    zero_point, ends = 0.0, None
    if any(p is None for p in parameters):
        return None
    values = [np.asarray(p, dtype=np.float64) for p in parameters if p is not None]
    try:
        if node.domain == QONNX and node.op_type in ("Quant", "IntQuant"):
            scale, zero, bits = values
            signed = np.array(bool(attribute(node, "signed", 1)))
            if zero.any() or (bits < 1).any() or (bits != np.rint(bits)).any() or (bits > _WIDEST).any():
                return None
            rounding = str(attribute(node, "rounding_mode", "ROUND"))
        elif node.domain == CODESIGN and node.op_type == "FixedPoint":
            keep, integers, fractions = values
            signed, bits, scale = keep == 1, keep + integers + fractions, np.exp2(-fractions)
            if (bits < 1).any():
                return None
            rounding = str(attribute(node, "rounding_mode", "FLOOR"))
        elif node.domain in (STANDARD, "ai.onnx") and node.op_type == "QuantizeLinear" and len(values) == 2:
            scale, zero = values
            kind = _store(model, node.input[2])
            if scale.size != 1 or zero.size != 1 or kind not in _INTEGERS:
                return None
            scale, zero = scale.reshape(()), zero.reshape(())
            wide, width = _INTEGERS[kind]
            lowest, zero_point = -(2.0 ** (width - 1)) if wide else 0.0, float(zero)
            ends = lowest, lowest + 2.0**width - 1
            own = tightest_type(ends[0] - zero_point, ends[1] - zero_point, 1.0)
            signed, bits, rounding = np.array(own.signed), np.array(float(own.width)), "ROUND"
        else:
            return None
        if moved and any(v.size != 1 for v in (signed, bits, scale)):
            return None
        flat = [np.broadcast_to(v.reshape(()) if moved else v, (1, *shape)).ravel() for v in (signed, bits, scale)]
    except ValueError:
        return None
    if (flat[2] <= 0).any():
        return None
    return _Found(
        flat[0].astype(bool),
        flat[1].astype(np.int64),
        flat[2].astype(np.float64),
        rounding,
        node,
        tensor,
        zero_point,
        ends,
    )


def _said(found: _Found, exact: bool) -> Change:
    steps = np.unique(found.scale)
    step = f"{steps[0]:.9g}" if len(steps) == 1 else f"{steps[0]:.9g} to {steps[-1]:.9g}"
    how = f"its step of {step} is that of the inputs, rounded {'down' if found.rounding == 'FLOOR' else 'half up'}"
    if found.rounding in ("ROUND", "HALF_EVEN"):
        how += " (the source rounds halves to even: upstream of the firmware a half may fall one code apart)"
    if not exact:
        how += "; the quantiser is taken out of the graph, and its codes come in"
    return Change(what="input", where=node_name(found.node), how=how)


def _take_out(model: onnx.ModelProto, name: str, shape: tuple[int, ...], found: _Found) -> None:
    """Put the codes of the quantisers that read ``name`` in their place: what comes is multiplied by the scale."""
    scale = found.scale.reshape(1, *shape) if len(np.unique(found.scale)) > 1 else found.scale[:1].reshape(())
    model.graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"codesign_scale_{name}"))
    nodes = []
    for node in model.graph.node:
        if name not in node.input:
            nodes.append(node)
            continue
        source, output, ends = name, node.output[0], found.ends
        if attribute(node, "narrow", 0):
            signed, bits = int(found.signed[0]), int(found.bits[0])
            ends = (1 - 2.0 ** (bits - 1), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 2)
        if found.zero:
            _constant(model, f"codesign_zero_{output}", found.zero)
            nodes.append(
                helper.make_node("Add", [source, f"codesign_zero_{output}"], [f"codesign_moved_{output}"],
                                 f"{node.name}_zero")
            )  # fmt: skip
            source = f"codesign_moved_{output}"
        if ends is not None:
            _constant(model, f"codesign_low_{output}", ends[0])
            _constant(model, f"codesign_high_{output}", ends[1])
            last = output if node.op_type == "QuantizeLinear" else f"codesign_narrow_{output}"
            given = [source, f"codesign_low_{output}", f"codesign_high_{output}"]
            nodes.append(helper.make_node("Clip", given, [last], f"{node.name}_range"))
            source = last
        if node.op_type != "QuantizeLinear":
            given = [source, f"codesign_scale_{name}"]
            nodes.append(helper.make_node("Mul", given, [output], f"{node.name}_scale"))
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _constant(model: onnx.ModelProto, name: str, value: float) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype=np.float32), name))
