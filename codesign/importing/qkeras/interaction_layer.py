"""NodeEdgeProjection, the layer of published interaction networks of jets: a fixed matrix of receivers or senders.

Interaction networks (Battaglia et al., arXiv:1612.00222; for jets JEDI-net, arXiv:1908.05318; in firmware
arXiv:2402.01876) look at each ordered pair of constituents. Their authors publish this Keras layer with their programs
(github.com/fastmachinelearning/l1-jet-id, github.com/bb511/fast_jetclass): from nodes to edges it gives each of the
n (n - 1) pairs its receiver or its sender; from edges to nodes it sums over the pairs of each. The pairs are in the
order of ``itertools.permutations(range(n), 2)``, receiver first. The matrix is a weight of the file, so that it is
read, not supposed; the class below is ours, and gives Keras the same product.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from math import isqrt
from typing import Any

import numpy as np

from codesign.core.errors import UnsupportedError
from codesign.importing.keras.graph_writer import Array, WrittenSignal
from codesign.importing.keras.layer_reader import LayerCall, LayerReader, numbers

__all__ = ("NodeEdgeProjection", "pairs_of")


def pairs_of(length: int, receiving: bool, node_to_edge: bool) -> Array:
    """The matrix for an axis of ``length`` nodes or edges, (1, edges, nodes) or (1, nodes, edges), of 0 and 1.

    UnsupportedError for a number of edges that no number of nodes has.
    """
    nodes = length if node_to_edge else (1 + isqrt(4 * length + 1)) // 2
    edges = nodes * (nodes - 1)
    if not node_to_edge and edges != length:
        raise UnsupportedError(f"{length} edges are those of no number of nodes")
    matrix = np.zeros((edges, nodes))
    for edge, pair in enumerate(permutations(range(nodes), 2)):
        matrix[edge, pair[0 if receiving else 1]] = 1
    return (matrix if node_to_edge else matrix.T)[None]


class NodeEdgeProjection(LayerReader):
    """The product of the layer's matrix with a signal (nodes or edges, features)."""

    handles = ("NodeEdgeProjection",)
    libraries = ("qkeras",)

    def classes(self) -> Mapping[str, type]:
        """A Keras layer of ours that does the same."""
        import tensorflow
        import tf_keras

        class Projection(tf_keras.layers.Layer):
            """As published, with the matrix as a weight."""

            def __init__(self, receiving: bool = True, node_to_edge: bool = True, **named: Any) -> None:
                super().__init__(**named)
                self.receiving, self.node_to_edge = bool(receiving), bool(node_to_edge)

            def build(self, shape: Any) -> None:
                """The matrix, for the length of the last axis but one."""
                pairs = pairs_of(int(shape[-2]), self.receiving, self.node_to_edge)
                self.matrix = tensorflow.Variable(
                    pairs, name="adjacency_matrix", dtype="float32", shape=pairs.shape, trainable=False
                )

            def call(self, x: Any) -> Any:
                """The product."""
                return tensorflow.matmul(self.matrix, x)

            def get_config(self) -> dict[str, Any]:
                """With both flags."""
                return {**super().get_config(), "receiving": self.receiving, "node_to_edge": self.node_to_edge}

        Projection.__name__ = "NodeEdgeProjection"
        return {"NodeEdgeProjection": Projection}

    def read(self, call: LayerCall) -> WrittenSignal:
        """UnsupportedError where the file's matrix is another one than that of its receivers or senders."""
        layer = call.layer
        matrix = numbers(layer.matrix)
        if not np.array_equal(matrix, pairs_of(call.x.shape[-2], layer.receiving, layer.node_to_edge)):
            raise UnsupportedError("a matrix that is not the one of all ordered pairs")
        return call.graph.einsum("bnf,en->bef", call.x, matrix[0])
