"""A model repository as the Triton inference server reads it: ``NAME/config.pbtxt`` and ``NAME/VERSION/model.onnx``.

Layout and fields: Triton's documents "Model Repository" and "Model Configuration" (its ``model_config.proto``).
"""

from __future__ import annotations

import re
from pathlib import Path

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.quoting import line, pbtxt
from codesign.core.runfolder import write_atomically
from codesign.handoff.inference.model import features_model, heads_of

__all__ = ("write_repository",)

#: events that the server may join into one call; networks of a trigger are small, so that it is worth the while
_MAX_BATCH = 65536


def write_repository(design: Design, name: str, folder: Path, version: int = 1) -> Path:
    """Write a repository with one model ``name`` into ``folder`` and return the model's folder.

    The server takes ``features`` (n) float32 of each event, in physical units, or each block of the design's port in
    its shape, and gives ``scores`` (m) float32 and ``output_codes`` (m) int32. InputError for a name that is no
    folder's, or a version below 1.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}", name):
        raise InputError(f"'{name}' is no name for a model: letters, digits, '.', '-' and '_'")
    if version < 1:
        raise InputError(f"a version is a whole number from 1, not {version}")
    model = folder / name
    write_atomically(model / str(version) / "model.onnx", features_model(design))
    write_atomically(model / "config.pbtxt", _config(design, name).encode())
    write_atomically(model / "labels.txt", ("\n".join(_line(o) for o in design.outputs.labels) + "\n").encode())
    return model


def _config(design: Design, name: str) -> str:
    """Dimensions leave out the events' axis, which ``max_batch_size`` stands for."""
    inputs, outputs = design.inputs, design.outputs
    given = [("features", (inputs.size,))] if inputs.is_flat else [(b.name, b.shape) for b in inputs.blocks]
    sizes = [block.size for block in outputs.blocks]
    heads = [(*names, size) for names, size in zip(heads_of(outputs), sizes, strict=True)]
    taken = ",\n".join(
        f"  {{ name: {pbtxt(name)} data_type: TYPE_FP32 dims: [ {', '.join(map(str, shape))} ] }}"
        for name, shape in given
    )
    label = ' label_filename: "labels.txt"' if outputs.is_flat else ""
    made = ",\n".join(
        f"  {{ name: {pbtxt(name)} data_type: TYPE_FP32 dims: [ {size} ]{label} }},\n"
        f"  {{ name: {pbtxt(codes)} data_type: TYPE_INT32 dims: [ {size} ] }}"
        for name, codes, size in heads
    )
    return f"""name: {pbtxt(name)}
platform: "onnxruntime_onnx"
max_batch_size: {_MAX_BATCH}
input [
{taken}
]
output [
{made}
]
instance_group [ {{ kind: KIND_CPU }} ]
dynamic_batching {{ }}
parameters: {{ key: "design" value: {{ string_value: {pbtxt(design.hash)} }} }}
"""


def _line(label: str) -> str:
    """A label comes from a sample, and must stay on its line."""
    return " ".join(line(label).split())
