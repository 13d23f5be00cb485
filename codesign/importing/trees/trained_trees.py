"""Trees of somebody else as a trained model: the design, and the source's own library beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.fixedpoint import InputQuantisation
from codesign.core.reading.npz import npy_array
from codesign.core.reading.plain import member
from codesign.families.trained import Reference, Trained
from codesign.families.trees.lightgbm_text import lightgbm_text
from codesign.families.trees.own_margins import Margins, sklearn_margins
from codesign.families.trees.tree_model import LEAF_BITS, TreeModel
from codesign.families.trees.xgboost_file import xgboost_json
from codesign.importing.own_process import ask_process, our_packages
from codesign.importing.trees.conifer_json import conifer_dict
from codesign.importing.trees.onnx_trees import onnx_margins

__all__ = ("TrainedTrees", "source_margins")

_WORKER = "codesign.importing.trees.trees_worker"
_SECONDS = 600.0


@dataclass(frozen=True, eq=False)
class TrainedTrees(Trained):
    """A model of trees with the types of its inputs and the bits of its leaves."""

    model: TreeModel
    inputs: InputQuantisation
    leaf_bits: int = LEAF_BITS

    @cached_property
    def _design(self) -> Design:
        return self.model.design(self.inputs, self.leaf_bits)

    def design(self) -> Design:
        """The raw margin as an exact integer function."""
        return self._design

    def references(self) -> Mapping[str, Reference]:
        """The source's library, where it is installed, on its own file with the rounded leaves written back."""
        rounded = self.model.rounded(self.leaf_bits)
        found = source_margins(rounded)
        if found is None:
            return {}
        name, margins = found

        def codes(given: NDArray[np.int64]) -> NDArray[np.int64]:
            values = margins(rounded.values(self.inputs, given)).reshape(len(given), -1)
            return self._design.outputs.codes(values.astype(np.float64))

        return {name: codes}

    def files(self) -> Mapping[str, bytes]:
        """The file as it came."""
        return {self.model.kind: self.model.content}

    def tools(self) -> Mapping[str, str]:
        """What wrote the file."""
        name, _, version = self.model.source.rpartition(" ")
        return {name or version: version if name else ""}


def source_margins(model: TreeModel) -> tuple[str, Margins] | None:
    """The source's library and version, and what it gives with the leaves that ``model`` has; None: not installed."""
    match model.kind:
        case "xgboost-json" | "xgboost-ubj" if find_spec("xgboost"):
            return f"XGBoost {_version_of('xgboost')}", _apart("xgboost", xgboost_json(model))
        case "lightgbm" if find_spec("lightgbm"):
            return f"LightGBM {_version_of('lightgbm')}", _apart("lightgbm", lightgbm_text(model).encode())
        case "nodes" | "skops":
            return sklearn_margins(model)
        case "conifer" if find_spec("conifer"):
            return _conifer(model)
        case "onnx":
            return _onnxruntime(model)
    return None


@cache  # seconds, since every installed package is looked at
def _version_of(module: str) -> str:
    """Of the distribution that brings a module: XGBoost has two, of which one has another name."""
    found = packages_distributions().get(module, [])
    return version(found[0]) if found else "of no version"


def _apart(library: str, content: bytes) -> Margins:
    """A library's margins of a model, in a process of its own: its native parser reads what a stranger wrote."""

    def margins(x: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        with tempfile.TemporaryDirectory(prefix="codesign-trees-") as scratch:
            work = Path(scratch)
            (work / "model").write_bytes(content)
            np.save(work / "values.npy", x)
            ask_process(_WORKER, work, {"library": library}, _SECONDS, our_packages(), library)
            return np.asarray(npy_array(member(work, "margins.npy")))

    return margins


def _conifer(model: TreeModel) -> tuple[str, Margins]:
    import conifer
    from conifer.model import ModelBase

    loaded = ModelBase(conifer_dict(model))

    def margins(x: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        return np.asarray(loaded.decision_function(x))

    return f"conifer {conifer.__version__}", margins


def _onnxruntime(model: TreeModel) -> tuple[str, Margins] | None:
    import onnxruntime

    try:
        content = onnx_margins(model)
    except UnsupportedError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    kind = np.float32 if model.single else np.float64

    def margins(x: NDArray[np.float64]) -> NDArray[np.floating[Any]]:
        found: NDArray[np.floating[Any]] = session.run(None, {"x": x.astype(kind)})[0]
        return found

    return f"onnxruntime {onnxruntime.__version__}", margins
