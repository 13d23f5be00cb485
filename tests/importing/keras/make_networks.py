"""Inside Keras' environment: ``make_networks.py FOLDER`` builds small networks of HGQ2 and saves them as ``.keras``.

Untrained, with random weights, and types of their own for each element.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def networks() -> dict[str, Any]:
    """By name, built models."""
    import keras
    from hgq.config import QuantizerConfigScope
    from hgq.layers import (
        QAdd,
        QAveragePow2,
        QBatchNormDense,
        QConv1D,
        QConv2D,
        QDense,
        QDenseT,
        QEinsum,
        QEinsumDense,
        QEinsumDenseBatchnorm,
        QEinsumDenseT,
        QLinformerAttention,
        QMaximum,
        QMeanPow2,
        QMultiHeadAttention,
        QMultiply,
        QSubtract,
        QSum,
        QUnaryFunctionLUT,
    )  # fmt: skip
    from hgq.layers.pooling import QAveragePooling1D, QGlobalMaxPooling1D, QMaxPooling2D
    from keras import layers

    keras.utils.set_random_seed(7)
    made: dict[str, Any] = {}

    def whole(inputs: Any, outputs: Any) -> Any:
        return keras.Model(inputs, outputs)

    weight = QuantizerConfigScope(place="weight", default_q_type="kbi", b0=4, i0=1, overflow_mode="SAT_SYM")
    data = QuantizerConfigScope(
        place="datalane", default_q_type="kif", i0=2, f0=2, overflow_mode="WRAP", round_mode="RND"
    )
    table = QuantizerConfigScope(place="table", default_q_type="kif", i0=1, f0=3)
    with weight, data, table:
        x = keras.Input((6,))
        y = QDense(3)(QBatchNormDense(5, activation="relu")(QDense(8, activation="relu")(x)))
        made["dense"] = whole(x, y)

        x = keras.Input((4, 3))
        y = QEinsumDenseBatchnorm("bnc,cC->bnC", (4, 5), bias_axes="C", activation="relu")(x)
        z = QAdd()([y, QSum(axes=1, keepdims=True)(y)])
        z = QEinsumDense("bnc,nN->bNc", (2, 5))(z)
        z = QEinsumDense("bnc,n->bc", (5,))(z)
        z = QEinsumDenseBatchnorm("bc,cC->bC", (4,), bias_axes="C")(z)
        made["sets"] = whole(x, [z, QMeanPow2(axes=1)(y)])

        x = keras.Input((5, 6, 2))
        y = QConv2D(3, 3, padding="same", strides=2, activation="relu")(x)
        y = QMaxPooling2D(2, padding="same")(y)
        y = QConv2D(4, 1, use_bias=False)(y)
        made["images"] = whole(x, QDense(2)(layers.Flatten()(y)))

        a, b = keras.Input((8, 2), name="a"), keras.Input((4, 3), name="b")
        p = QConv1D(4, 3, padding="same", dilation_rate=2)(a)
        p = QAveragePooling1D(2)(p)
        q = QConv1D(2, 2, padding="valid")(b)
        q = layers.Reshape((-1,))(q)
        p = layers.Permute((2, 1))(p)[:, 1:3, ::2]
        p = layers.Flatten()(layers.Dropout(0.5)(p))
        r = QAveragePow2()([p, QDense(4)(layers.Concatenate()([p, q]))])
        r = QSubtract()([r, QMaximum()([p, q[:, :4]])])
        made["line"] = whole([a, b], QDense(3)(layers.ReLU()(r)))

        x = keras.Input((4,))
        wide = QuantizerConfigScope(place="datalane", default_q_type="kif", i0=3, f0=4, round_mode="RND")
        with wide, QuantizerConfigScope(place="table", default_q_type="kif", i0=3, f0=5):
            y = QDenseT(6, d_hl=8)(x)
            y = QUnaryFunctionLUT("tanh")(y)
            y = QEinsumDenseT("bc,cC->bC", (4,), d_hl=4)(y)
        made["tables"] = whole(x, QDense(3)(y))

        x = keras.Input((3, 2))
        y = QDense(4, activation="relu")(x)
        y = QAdd()([y, QMultiHeadAttention(2, 2)(y, y)])
        made["attention"] = whole(x, QDense(2)(QGlobalMaxPooling1D()(y)))

        x = keras.Input((4, 2))
        y = QDense(4, activation="relu")(x)
        y = QLinformerAttention(1, 2, 4)(y, y)
        y = QMultiply()([y, QDense(4)(x)])
        z = QEinsum("bnc,bmc->bnm")([y, QDense(4)(x)])
        made["linformer"] = whole(x, QDense(2)(layers.Flatten()(z)))
    for model in made.values():
        _vary(model)
    return made


def _vary(model: Any) -> None:
    """Give every element of every quantiser a type of its own, a few of them none."""
    from hgq.quantizer import Quantizer

    rng = np.random.default_rng(3)
    for layer in model._flatten_layers():
        if not isinstance(layer, Quantizer) or not hasattr(layer.quantizer, "kif"):
            continue
        inner = layer.quantizer
        width = inner._f if hasattr(inner, "_f") else inner._b
        shape = tuple(width.shape)
        width.assign(np.asarray(width) + rng.integers(-1, 2, shape) - 9.0 * (rng.random(shape) < 0.05))
        inner._i.assign(np.asarray(inner._i) + rng.integers(0, 2, shape))
        if not inner._is_weight:
            inner._k.assign((rng.random(shape) < 0.8).astype(np.uint8) if np.asarray(inner._k).any() else inner._k)


def main() -> None:
    """Build and save them."""
    from codesign.importing.keras.keras_library import load_keras

    load_keras()
    for name, model in networks().items():
        model.save(Path(sys.argv[1]) / f"{name}.keras")


if __name__ == "__main__":
    main()
