"""Which format of trees a file has, by what is in it, and its reader."""

from __future__ import annotations

from pathlib import Path

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.plain import given_bytes
from codesign.families.trees.lightgbm_text import read_lightgbm
from codesign.families.trees.nodes_file import NODES, read_nodes
from codesign.families.trees.tree_model import Kind, TreeModel
from codesign.families.trees.xgboost_file import read_xgboost
from codesign.importing.trees.conifer_json import read_conifer
from codesign.importing.trees.onnx_trees import read_onnx_trees
from codesign.importing.trees.skops_file import read_skops

__all__ = ("is_trees", "read_trees")


def _kind(content: bytes) -> Kind | None:
    if content.startswith(b"tree\n") or content.startswith(b"tree\r\n"):
        return "lightgbm"
    if content.lstrip()[:1] == b"{":
        if b"gradient_booster" in content:
            binary = content[:1] == b"{" and content[1:2] in (b"i", b"U", b"I", b"l", b"L", b"$", b"#")
            return "xgboost-ubj" if binary else "xgboost-json"
        if b'"splitting_convention"' in content:
            return "conifer"
        return "nodes" if f'"format": "{NODES}"'.encode() in content[:100] else None
    if content.startswith(b"PK\x03\x04") and b"schema.json" in content:
        return "skops"
    return "onnx" if b"ai.onnx.ml" in content and b"TreeEnsemble" in content else None


def is_trees(content: bytes) -> bool:
    """Whether this is a file of trees of a format that is read here, by what is in it; never an error."""
    return _kind(content) is not None


def read_trees(path: Path) -> TreeModel:
    """Read a file that the user named.

    InputError where it is damaged, or of no format that is read here; UnsupportedError for what has no exact form.
    """
    content, source = given_bytes(path, MODEL_BYTES), str(path)
    try:
        return _read(content, source)
    except (InputError, UnsupportedError) as error:  # what is wrong with the whole does not know of the file
        raise error if source in str(error) else type(error)(f"{source}: {error}") from None


def _read(content: bytes, source: str) -> TreeModel:
    match _kind(content):
        case "xgboost-json":
            return read_xgboost(content, source, "xgboost-json")
        case "xgboost-ubj":
            return read_xgboost(content, source, "xgboost-ubj")
        case "lightgbm":
            return read_lightgbm(content, source)
        case "conifer":
            return read_conifer(content, source)
        case "skops":
            return read_skops(content, source)
        case "nodes":
            return read_nodes(content, source)
        case "onnx":
            return read_onnx_trees(content, source)
    raise InputError(
        f"{source}: no trees that are read here: XGBoost's save_model (JSON or UBJ; not a pickle, not the binary "
        "format of before 1.0), LightGBM's save_model (text), conifer's save (JSON), ONNX by skl2onnx, "
        "scikit-learn's boosting by skops, or a model of the family trees"
    )
