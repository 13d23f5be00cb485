"""Files of boosted trees, as an importer: the types of the inputs are asked for, the leaves are rounded and said so."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.reading.limits import MODEL_BYTES
from codesign.core.reading.plain import given_bytes
from codesign.families.trees.tree_model import TreeModel
from codesign.importing.base import Imported, Importer, Question, Source
from codesign.importing.import_report import Change, ImportReport, LayerFacts, SourceFile, types_in_words
from codesign.importing.trees.read import is_trees, read_trees
from codesign.importing.trees.trained_trees import TrainedTrees, source_margins

__all__ = ("TreesFile",)

_KINDS = {
    "xgboost-json": "XGBoost JSON",
    "xgboost-ubj": "XGBoost UBJ",
    "lightgbm": "LightGBM text",
    "onnx": "trees in ONNX",
    "conifer": "conifer JSON",
    "skops": "scikit-learn's trees by skops",
    "nodes": "trees of the family trees",
}


class TreesFile(Importer):
    """XGBoost's JSON and UBJ, LightGBM's text, conifer's JSON, scikit-learn's by skops, ONNX of one ensemble."""

    name = "trees"

    def takes(self, source: Source) -> bool:
        """Whether it is a file of trees, by what is in it."""
        if not isinstance(source, Path) or not source.is_file() or source.stat().st_size > MODEL_BYTES:
            return False
        try:
            return is_trees(given_bytes(source, MODEL_BYTES))
        except InputError:
            return False

    def read(self, source: Source, question: Question) -> Imported:
        """The raw margin of the file's trees; InputError where the types of its inputs are not declared."""
        assert isinstance(source, Path)
        model = read_trees(source)
        declared = question.declared
        if declared is None or not declared.typed:
            names = ", ".join(model.features[:6]) + (", ..." if len(model.features) > 6 else "")
            raise InputError(
                f"{source.name}: trees do not say the types of their inputs ({len(model.features)}: {names}): give "
                "--inputs FILE, or one type for all such as 'fixed<8,4>'; scale and offset are those of training"
            )
        if not declared.fields:
            fields = tuple({"name": name} for name in model.features)
            declared = type(declared).model_validate(declared.model_dump() | {"fields": fields})
        inputs = declared.quantisation(len(model.features))
        trained = TrainedTrees(model, inputs)
        design = trained.design()
        rounded = model.rounded(trained.leaf_bits)
        found = source_margins(rounded)

        def exactly(codes: NDArray[np.int64]) -> NDArray[np.float64]:
            return rounded.margins(rounded.values(inputs, codes))

        def library(codes: NDArray[np.int64]) -> NDArray[np.float64]:
            assert found is not None
            given = np.asarray(found[1](rounded.values(inputs, codes)), dtype=np.float64)
            return given.reshape(len(codes), -1)

        name = found[0] if found is not None else "float64 decisions of the file"
        leaves = sum(int(t.leaves.sum()) for t in model.trees)
        return Imported(
            made=design,
            report=ImportReport(
                source=SourceFile(
                    name=source.name,
                    sha256=hashlib.sha256(model.content).hexdigest(),
                    kind=_KINDS[model.kind],
                    producer=model.source,
                ),
                layers=(LayerFacts(name="trees", kind=f"{len(model.trees)} trees", weights=leaves, nonzero=leaves),),
                inputs=types_in_words(design.inputs),
                outputs=types_in_words(design.outputs),
                input_types="declared",
                changes=_changes(model, trained.leaf_bits),
                weights=leaves,
                nonzero_weights=leaves,
            ),
            runners={name: library if found is not None else exactly},
            source_files={source.name: model.content},
            versions=dict(trained.tools()),
            again=exactly,
        )


def _changes(model: TreeModel, bits: int) -> tuple[Change, ...]:
    """What the design has otherwise than the file."""
    step, trees = model.step(bits), max(1, model.trees_of_an_output)
    found = [
        Change(
            what="narrowed",
            where="leaves",
            how=f"rounded to multiples of {step:g} ({bits} bits): a margin moves by at most {trees * step / 2:g}, half "
            f"a step for each of {trees} trees; the source is run with the rounded leaves",
        ),
        Change(
            what="thresholds",
            where="decisions",
            how="each is the first code whose value the source finds to reach the threshold",
        ),
    ]
    found += [Change(what="cut", where="output", how=note) for note in model.notes]
    return tuple(found)
