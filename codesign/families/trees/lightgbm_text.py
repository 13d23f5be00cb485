"""LightGBM's text model files (``save_model``), versions v2 to v4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.reading.limits import JSON_BYTES
from codesign.core.reading.plain import text_of
from codesign.families.trees.branches import tree_of
from codesign.families.trees.tree_model import TreeModel
from codesign.graph.forest import MOST_TREE_NODES, Tree

__all__ = ("lightgbm_text", "read_lightgbm", "write_lightgbm")

_CATEGORY, _MISSING_ZERO = 1, 1  # bit 0 of a decision's type; its bits 2 and 3


def _blocks(text: str, source: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Keys of the head, and of each tree; what stands behind the trees is not read."""
    head: dict[str, str] = {}
    trees: list[dict[str, str]] = []
    block = head
    for line in text.splitlines():
        if line == "end of trees":
            return head, trees
        name, given, value = line.partition("=")
        if name == "Tree":
            block = {}
            trees.append(block)
        if given:
            if name in block:
                raise InputError(f"{source}: '{name[:40]}' stands twice")
            block[name] = value
        elif line.strip():
            block.setdefault(line.strip()[:40], "")
    raise InputError(f"{source}: has no line 'end of trees': truncated?")


def _whole(block: dict[str, str], name: str, source: str, default: str | None = None) -> list[int]:
    try:
        words = block.get(name, default if default is not None else "?").split()
        return [int(w) for w in words]
    except ValueError:
        raise InputError(f"{source}: '{name}' are no whole numbers") from None


def _reals(block: dict[str, str], name: str, source: str) -> list[float]:
    try:
        return [float(w) for w in block.get(name, "?").split()]
    except ValueError:
        raise InputError(f"{source}: '{name}' are no numbers") from None


def _one(block: dict[str, str], name: str, source: str, default: str | None = None) -> int:
    found = _whole(block, name, source, default)
    if len(found) != 1:
        raise InputError(f"{source}: '{name}' is no whole number")
    return found[0]


def read_lightgbm(content: bytes, source: str) -> TreeModel:
    """A model that ``save_model`` wrote; InputError: damaged. UnsupportedError: categories, linear leaves, zeros as
    missing."""
    if len(content) > JSON_BYTES:
        raise InputError(f"{source}: has {len(content)} bytes, at most {JSON_BYTES} are read")
    head, blocks = _blocks(text_of(content, source), source)
    outputs = _one(head, "num_tree_per_iteration", source)
    size = _one(head, "max_feature_idx", source) + 1
    names = tuple(head.get("feature_names", "").split())
    if not 1 <= outputs <= 10_000 or not 1 <= size <= 100_000 or len(blocks) > MOST_TREE_NODES:
        raise InputError(f"{source}: {outputs} outputs, {size} features, {len(blocks)} trees")
    if len(names) != size:
        raise InputError(f"{source}: {len(names)} names of {size} features")
    part = 1.0
    if "average_output" in head:
        if len(blocks) % outputs:
            raise InputError(f"{source}: {len(blocks)} trees of {outputs} outputs")
        part = outputs / len(blocks)  # a random forest: the mean of its trees
    trees = [_tree(block, f"{source}: tree {n}", n % outputs, part) for n, block in enumerate(blocks)]
    return TreeModel(
        kind="lightgbm",
        source=f"LightGBM {head.get('version', '')[:20]}".strip(),
        content=content,
        objective=head.get("objective", "")[:100],
        features=names,
        outputs=("margin",) if outputs == 1 else tuple(f"class_{i}" for i in range(outputs)),
        trees=tuple(trees),
        base=np.zeros(outputs),
        single=False,
    )


def _tree(block: dict[str, str], what: str, output: int, part: float) -> Tree:
    """Inner nodes first, then the leaves: LightGBM writes leaf k as child -k - 1."""
    leaves = _one(block, "num_leaves", what)
    if not 1 <= leaves <= MOST_TREE_NODES:
        raise InputError(f"{what}: {leaves} leaves")
    if _one(block, "is_linear", what, "0"):
        raise UnsupportedError(f"{what} has linear leaves, which have no exact form here: train with linear_tree=false")
    inner = leaves - 1
    values = [v * part for v in _reals(block, "leaf_value", what)]
    kinds = _whole(block, "decision_type", what, "")[:inner] if inner else []
    if any(k & _CATEGORY for k in kinds) or _one(block, "num_cat", what, "0"):
        raise UnsupportedError(f"{what} splits by categories: give each category its own input of 0 and 1")
    if any(k >> 2 & 3 == _MISSING_ZERO for k in kinds):
        raise UnsupportedError(f"{what} takes 0 for missing: train with zero_as_missing=false")
    features, left, right, splits = [-1], [-1], [-1], [0.0]
    if inner:
        features, splits = _whole(block, "split_feature", what), _reals(block, "threshold", what)
        left, right = (
            [child if child >= 0 else inner - child - 1 for child in _whole(block, name, what)]
            for name in ("left_child", "right_child")
        )
        if any(len(given) != inner for given in (features, splits, left, right, kinds)):
            raise InputError(f"{what}: its lines have different lengths: the file is damaged")
        pad = [-1] * leaves
        features, left, right, splits = features + pad, left + pad, right + pad, splits + [0.0] * leaves
    return tree_of(
        what,
        left=left,
        right=right,
        features=features,
        thresholds=splits,
        values=[0.0] * inner + values,
        leaves=[False] * inner + [True] * leaves,
        goes_left="<=",
        output=output,
    )


def lightgbm_text(model: TreeModel) -> str:
    """The model's own file, written anew from what was checked, with the trees that ``model`` has.

    What its base values are goes to the first tree of each output.
    """
    head, _ = _blocks(model.content.decode(), "model")
    kept = ("num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective", "feature_names",
            "feature_infos")  # fmt: skip
    return _write(model, {name: head[name] for name in kept if name in head})


def write_lightgbm(model: TreeModel, classes: bool) -> bytes:
    """Trees of any origin as a text file of LightGBM 4: of ``classes`` by softmax, or of as many numbers."""
    count, size = len(model.outputs), len(model.features)
    head = {"num_class": f"{count}", "num_tree_per_iteration": f"{count}", "label_index": "0",
            "max_feature_idx": f"{size - 1}"}  # fmt: skip
    if classes:
        head["objective"] = f"multiclass num_class:{count}"
    elif count == 1:  # it knows no objective of several numbers: then none is named, and the sums are what it gives
        head["objective"] = "regression"
    head |= {
        "feature_names": " ".join(f"Column_{i}" for i in range(size)),
        "feature_infos": " ".join("[-1e+300:1e+300]" for _ in range(size)),
    }
    return _write(model, head).encode()


def _write(model: TreeModel, head: Mapping[str, str]) -> str:
    lines = ["tree", "version=v4", *(f"{name}={value}" for name, value in head.items())]
    left = dict(enumerate(model.base.tolist()))
    for number, tree in enumerate(model.trees):
        lines += ["", f"Tree={number}", *_tree_lines(tree, left.pop(tree.output, 0.0))]
    return "\n".join([*lines, "", "end of trees", ""])


def _tree_lines(tree: Tree, base: float) -> list[str]:
    """One tree: its decisions, and then its leaves, each in the order in which they stand."""
    inner, leaves = np.flatnonzero(~tree.leaves), np.flatnonzero(tree.leaves)
    place = np.empty(len(tree.features), dtype=np.int64)
    place[inner], place[leaves] = np.arange(len(inner)), ~np.arange(len(leaves))
    lines = [f"num_leaves={len(leaves)}", "num_cat=0"]
    values = f"leaf_value={_row((tree.values[leaves] + base).tolist())}"
    if not len(inner):
        return [*lines, values, "is_linear=0", "shrinkage=1"]
    zeros, ones = _row([0] * len(inner)), _row([1] * len(leaves))
    return [
        *lines,
        f"split_feature={_row(tree.features[inner].tolist())}",
        f"split_gain={zeros}",
        # x is not x >= t where x <= the number before t
        f"threshold={_row(np.nextafter(tree.thresholds[inner], -np.inf).tolist())}",
        f"decision_type={zeros}",
        f"left_child={_row(place[tree.below[inner]].tolist())}",
        f"right_child={_row(place[tree.reached[inner]].tolist())}",
        values,
        f"leaf_weight={ones}",
        f"leaf_count={ones}",
        f"internal_value={zeros}",
        f"internal_weight={zeros}",
        f"internal_count={zeros}",
        "is_linear=0",
        "shrinkage=1",
    ]


def _row(values: Sequence[float]) -> str:
    return " ".join(repr(v) for v in values)
