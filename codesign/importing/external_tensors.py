"""Tensors that an ONNX file keeps in files beside it, as torch.onnx.export does by default, read into it.

Only plain files in the folder of the model are opened, no link, and no more than a model may have.
"""

from __future__ import annotations

from math import prod
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto

from codesign.core.errors import InputError
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.plain import member_bytes

__all__ = ("with_tensors",)

_BYTES = {
    TensorProto.FLOAT: 4, TensorProto.DOUBLE: 8, TensorProto.INT8: 1, TensorProto.INT16: 2, TensorProto.INT32: 4,
    TensorProto.INT64: 8, TensorProto.UINT8: 1, TensorProto.UINT16: 2, TensorProto.UINT32: 4, TensorProto.UINT64: 8,
    TensorProto.BOOL: 1, TensorProto.FLOAT16: 2, TensorProto.BFLOAT16: 2,
}  # fmt: skip


def with_tensors(content: bytes, model_file: Path) -> tuple[bytes, dict[str, bytes]]:
    """A model with all tensors inside, and by name the files that they came from; itself where it has none elsewhere.

    InputError: a tensor lies in a file that is not beside the model, or not where the model says.
    """
    try:
        model = onnx.load_from_string(content)
    except (DecodeError, ValueError, TypeError):
        return content, {}  # who reads it says so
    outside = [t for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]
    files: dict[str, bytes] = {}
    for tensor in outside:
        where = f"{model_file.name}: tensor '{tensor.name}' lies in another file"
        told = {e.key: e.value for e in tensor.external_data}
        name = told.get("location", "")
        if not name or Path(name).name != name or name.startswith("."):
            raise InputError(f"{where}, {name[:100]!a}, that is none beside the model: save it with its tensors inside")
        if name not in files:
            try:
                files[name] = member_bytes(model_file.parent, name, MODEL_BYTES)
            except InputError as error:
                raise InputError(
                    f"{where} ({error}): put it beside the model, or save the model with its tensors inside "
                    "(torch.onnx.export(..., external_data=False))"
                ) from None
        size = prod(tensor.dims) * _BYTES.get(tensor.data_type, 0)
        try:
            start, length = int(told.get("offset", 0)), int(told.get("length", size))
        except ValueError:
            start, length = -1, -1
        if not size or min(tensor.dims, default=1) < 0 or start < 0 or length != size:
            raise InputError(f"{where}, '{name}', and is told to be where it cannot be: the file is damaged")
        if start + length > len(files[name]):
            raise InputError(f"{where}, '{name}', which ends before it: the file is damaged, or another model's")
        tensor.raw_data = files[name][start : start + length]
        tensor.ClearField("data_location")
        tensor.ClearField("external_data")
    return (model.SerializeToString(), files) if outside else (content, {})
