"""scikit-learn's boosted trees as skops saves them (``skops.io.dump``): an archive of JSON and NumPy arrays, no pickle.

Read are GradientBoostingClassifier and -Regressor, HistGradientBoostingClassifier and -Regressor, the objects as data:
nothing that the file names is imported, and skops is not needed. The raw margin is that of ``_raw_predict``, which
``decision_function`` and a regressor's ``predict`` give.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.reading.json import json_of
from codesign.core.reading.npz import arrays_of
from codesign.core.reading.zip import zip_files
from codesign.families.trees.branches import tree_of
from codesign.families.trees.tree_model import TreeModel
from codesign.graph.forest import Tree

__all__ = ("read_skops",)

_SCHEMA = "schema.json"
_READ = ("GradientBoosting", "HistGradientBoosting")
#: a link function's name, by the loss; of any other loss the margin is the number itself
_LOGISTIC = {"log_loss": 1.0, "exponential": 0.5}
_DEEPEST = 40


def read_skops(content: bytes, source: str) -> TreeModel:
    """A model; InputError: damaged. UnsupportedError: another estimator, or what has no exact form here."""
    schema = zip_files(content, source).get(_SCHEMA)
    if schema is None:
        raise InputError(f"{source}: an archive without {_SCHEMA}: not a file of skops")
    root = json_of(schema, f"{source}: {_SCHEMA}")
    kind = root.get("__class__") if isinstance(root, dict) else None
    if kind not in [f"{name}{task}" for name in _READ for task in ("Classifier", "Regressor")]:
        raise UnsupportedError(
            f"{source}: holds {str(kind)[:60]}; of skops files, scikit-learn's {' and '.join(_READ)} are read: save "
            "the model alone, and what else scikit-learn has as ONNX by skl2onnx"
        )
    arrays = arrays_of(io.BytesIO(content), source, records=True, other=(_SCHEMA,))
    found = _Object(root, arrays, source)
    version = str(found.value("_sklearn_version"))
    histogram = str(kind).startswith("Hist")
    if not histogram and [int(part) if part.isdigit() else 0 for part in version.split(".")[:2]] < [1, 4]:
        raise UnsupportedError(
            f"{source}: {kind} by scikit-learn {version[:20]}, whose margins start elsewhere than since 1.4: save it "
            "again with a newer one"
        )
    count = _whole(found.value("n_trees_per_iteration_"), source)
    trees, base = (_histogram if histogram else _plain)(found, count)
    if base.shape != (count,):
        raise InputError(f"{source}: {base.size} base values for {count} outputs: the file is damaged")
    size = _whole(found.value("n_features_in_"), source)
    names = found.value("feature_names_in_") if found.has("feature_names_in_") else []
    classes = np.asarray(found.value("classes_")).tolist() if str(kind).endswith("Classifier") else []
    return TreeModel(
        kind="skops",
        source=f"scikit-learn {version[:20]}",
        content=content,
        objective=f"{kind}, {str(found.value('loss'))[:40]}",
        features=tuple(map(str, names)) if len(names) == size else tuple(f"x{i}" for i in range(size)),
        outputs=("margin",) if count == 1 else tuple(str(c)[:100] for c in classes),
        trees=tuple(trees),
        base=base,
        single=not histogram,  # its events are float32, its thresholds float64
    )


def _whole(value: Any, source: str) -> int:
    if not isinstance(value, int) or not 1 <= value <= 100_000:
        raise InputError(f"{source}: {str(value)[:40]} where a number of inputs or outputs stands: the file is damaged")
    return value


@dataclass(frozen=True)
class _Object:
    """An object of a file, of which only the state is looked at."""

    node: Any
    arrays: Mapping[str, NDArray[Any]]
    source: str

    def _state(self) -> Mapping[str, Any]:
        state = self.node
        for _ in range(2):  # an object's state is a dictionary, which is a node with its entries
            state = state.get("content") if isinstance(state, dict) else None
        if not isinstance(state, dict):
            raise InputError(f"{self.source}: an object without its state: the file is damaged")
        return state

    def has(self, name: str) -> bool:
        """Whether it has an attribute."""
        return name in self._state()

    def object(self, name: str) -> _Object:
        """An attribute that is an object."""
        return _Object(self._attribute(name), self.arrays, self.source)

    def value(self, name: str) -> Any:
        """An attribute that is a number, a text, an array, or a list of such."""
        return self._value(self._attribute(name), name)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """An attribute that is an array of numbers."""
        found = self.value(name)
        try:
            return np.asarray(found, dtype=np.float64)
        except (TypeError, ValueError):
            raise InputError(f"{self.source}: {name} is no array of numbers: the file is damaged") from None

    def objects(self, name: str) -> list[list[_Object]]:
        """An attribute that is a table of objects."""
        rows = self._listed(self._attribute(name), name)
        return [[_Object(one, self.arrays, self.source) for one in self._listed(row, name)] for row in rows]

    def _attribute(self, name: str) -> Any:
        state = self._state()
        if name not in state:
            raise InputError(f"{self.source}: has no {name}: a model that is not trained, or a damaged file")
        return state[name]

    def _listed(self, node: Any, name: str) -> list[Any]:
        found = node.get("content") if isinstance(node, dict) else None
        if not isinstance(found, list):
            raise InputError(f"{self.source}: {name} is no list: the file is damaged")
        return found

    def _value(self, node: Any, name: str, depth: int = 0) -> Any:
        loader = node.get("__loader__") if isinstance(node, dict) else None
        if loader == "JsonNode":
            return json_of(str(node.get("content")), f"{self.source}: {name}", constants=True)
        if loader == "NdArrayNode" and node.get("type") == "numpy":
            file = str(node.get("file")).removesuffix(".npy")
            if file not in self.arrays:
                raise InputError(f"{self.source}: the array of {name} is not there: the file is damaged")
            return self.arrays[file]
        if loader in ("NdArrayNode", "ListNode", "TupleNode") and depth < _DEEPEST:
            return [self._value(one, name, depth + 1) for one in self._listed(node, name)]
        raise InputError(f"{self.source}: {name} is kept as {str(loader)[:40]}, which is not read")


def _columns(nodes: Any, names: Mapping[str, str], what: str) -> dict[str, list[Any]]:
    """Columns of a table of nodes, by our names."""
    there = getattr(getattr(nodes, "dtype", None), "names", None) or ()
    if getattr(nodes, "ndim", 0) != 1 or not set(names) <= set(there):
        raise InputError(f"{what}: its nodes have not the columns {', '.join(names)}: the file is damaged")
    return {ours: nodes[theirs].tolist() for theirs, ours in names.items()}


def _histogram(model: _Object, count: int) -> tuple[list[Tree], NDArray[np.float64]]:
    if model.has("_preprocessor") and model.value("_preprocessor") is not None:
        raise UnsupportedError(f"{model.source}: categories have no exact form here: give numbers only")
    trees = []
    for number, predictors in enumerate(model.objects("_predictors")):
        for output, predictor in enumerate(predictors):
            what, nodes = f"{model.source}: tree {output} of round {number}", predictor.value("nodes")
            names = {"left": "left", "right": "right", "feature_idx": "features", "num_threshold": "thresholds",
                     "value": "values", "is_leaf": "leaves", "is_categorical": "categories"}  # fmt: skip
            columns = _columns(nodes, names, what)
            if any(columns.pop("categories")):
                raise UnsupportedError(f"{what} decides on categories, which have no exact form here")
            columns["leaves"] = [bool(leaf) for leaf in columns["leaves"]]
            trees.append(tree_of(what, goes_left="<=", output=_place(output, count, what), **columns))
    return trees, model.numbers("_baseline_prediction").reshape(-1)


def _place(output: int, count: int, what: str) -> int:
    if output >= count:
        raise InputError(f"{what}: of {count} outputs: the file is damaged")
    return output


def _plain(model: _Object, count: int) -> tuple[list[Tree], NDArray[np.float64]]:
    rate, trees = model.value("learning_rate"), []
    if not isinstance(rate, int | float):
        raise InputError(f"{model.source}: learning_rate is {str(rate)[:40]}, no number: the file is damaged")
    for number, estimators in enumerate(model.objects("estimators_")):
        for output, estimator in enumerate(estimators):
            what, tree = f"{model.source}: tree {output} of round {number}", estimator.object("tree_")
            names = {"left_child": "left", "right_child": "right", "feature": "features", "threshold": "thresholds"}
            columns = _columns(tree.value("nodes"), names, what)
            values = tree.numbers("values")
            if values.shape != (len(columns["left"]), 1, 1):
                raise InputError(f"{what}: {values.shape} values of {len(columns['left'])} nodes: the file is damaged")
            columns |= {"values": (values[:, 0, 0] * rate).tolist(), "leaves": [n < 0 for n in columns["left"]]}
            trees.append(tree_of(what, goes_left="<=", output=_place(output, count, what), **columns))
    return trees, _base(model, count)


def _base(model: _Object, count: int) -> NDArray[np.float64]:
    """What a model starts from: as its loss links the shares of the classes, or the constant, to the margin."""
    loss = str(model.value("loss"))
    start = model.object("init_").node
    kind = start.get("__class__") if isinstance(start, dict) else None
    if kind == "str" and model.value("init_") == "zero":
        return np.zeros(count)
    if kind == "DummyRegressor":
        return model.object("init_").numbers("constant_").reshape(-1)
    if kind != "DummyClassifier" or loss not in _LOGISTIC:
        raise UnsupportedError(
            f"{model.source}: starts from {str(kind)[:60]} with the loss {loss[:40]}: only scikit-learn's own start, "
            "and init='zero', are read"
        )
    shares = model.object("init_").numbers("class_prior_").reshape(-1)
    tiny = np.finfo(np.float64).eps
    shares = np.clip(shares, tiny, 1 - tiny)
    if count == 1 and shares.size == 2:
        return np.array([_LOGISTIC[loss] * np.log(shares[1] / (1 - shares[1]))])
    logs = np.log(shares)
    return np.asarray(logs - logs.mean())
