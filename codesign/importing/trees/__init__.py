"""Boosted trees trained elsewhere: XGBoost (JSON, UBJ), LightGBM (text), conifer (JSON), skops, trees in ONNX.

    model = read_trees(Path("model.json"))        # InputError: damaged; UnsupportedError: what has no exact hardware
    design = model.design(inputs, leaf_bits=12)   # inputs: codesign.core.fixedpoint.InputQuantisation
    trained = TrainedTrees(model, inputs, 12)     # a codesign.families.trained.Trained, with the source's own execution

Files are data: nothing in them is run or unpickled, and their sizes and depths are bounded.
"""

from codesign.families.trees.tree_model import LEAF_BITS, LeafRounding, TreeModel
from codesign.importing.trees.read import is_trees, read_trees
from codesign.importing.trees.trained_trees import TrainedTrees

__all__ = ("LEAF_BITS", "LeafRounding", "TrainedTrees", "TreeModel", "is_trees", "read_trees")
