"""Functions that a model file brings along, written out: an operator is what its domain and the file say it is."""

from __future__ import annotations

import onnx
import onnx.inliner

from codesign.core.errors import InputError
from codesign.core.reading.limits import GRAPH_NODES

__all__ = ("inline",)


def inline(model: onnx.ModelProto, source: str) -> onnx.ModelProto:
    """The model with the functions of its file written out; InputError where they call themselves or explode."""
    if not model.functions:
        return model
    functions = {(f.domain, f.name): f for f in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(key: tuple[str, str], within: tuple[tuple[str, str], ...]) -> int:
        if key in within:
            raise InputError(f"{source}: function '{key[1]}' of domain '{key[0]}' calls itself")
        if len(within) > 100:
            raise InputError(f"{source}: functions call one another more than 100 deep")
        if key not in sizes:
            inner = (k for n in functions[key].node if (k := (n.domain, n.op_type)) in functions)
            sizes[key] = min(GRAPH_NODES + 1, len(functions[key].node) + sum(size(k, (*within, key)) for k in inner))
        return sizes[key]

    whole = len(model.graph.node)
    for node in model.graph.node:
        if (node.domain, node.op_type) in functions:
            whole += size((node.domain, node.op_type), ())
    if whole > GRAPH_NODES:
        raise InputError(f"{source}: the functions of the file, written out, are more than {GRAPH_NODES} nodes")
    try:
        return onnx.inliner.inline_local_functions(model, convert_version=True)
    except Exception as error:  # of any kind: the inliner is compiled code that raises what it likes
        raise InputError(f"{source}: the functions of the file cannot be written out: {str(error)[:200]}") from None
