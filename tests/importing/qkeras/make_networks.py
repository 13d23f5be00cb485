"""Inside QKeras' environment: ``make_networks.py FOLDER`` builds small networks as QKeras' and hls4ml's examples have
them, and saves each by Keras' own ``save``.

Untrained: random weights, and moving means and variances of batch normalisation that are drawn.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def networks() -> dict[str, Any]:
    """By name, built models."""
    import tf_keras as keras
    from qkeras import (
        QActivation,
        QAveragePooling2D,
        QBatchNormalization,
        QConv1D,
        QConv2D,
        QConv2DBatchnorm,
        QDense,
        QDepthwiseConv2D,
        QSeparableConv1D,
        binary,
        quantized_bits,
        quantized_po2,
        quantized_relu,
        ternary,
    )
    from qkeras.qdepthwiseconv2d_batchnorm import QDepthwiseConv2DBatchnorm
    from qkeras.quantizers import quantized_sigmoid, quantized_tanh
    from tensorflow_model_optimization.python.core.sparsity.keras import prune
    from tf_keras import layers

    keras.utils.set_random_seed(11)
    made: dict[str, Any] = {}
    six: dict[str, Any] = {f"{w}_quantizer": quantized_bits(6, 0, alpha=1) for w in ("kernel", "bias")}

    # the jets of hls4ml's tutorial
    made["jets"] = keras.Sequential(
        [
            QDense(8, input_shape=(6,), name="fc1", **six),
            QActivation(activation=quantized_relu(6), name="relu1"),
            QDense(8, name="fc2", **six),
            QActivation("quantized_relu(6,1)", name="relu2"),
            QDense(5, name="output", **six),
            layers.Activation("softmax", name="softmax"),
        ]
    )

    # convolutions, as for house numbers in the same tutorial
    x = keras.Input((6, 6, 2))
    y = QActivation("quantized_bits(6,2,alpha=1)")(x)
    y = QConv2D(3, 3, use_bias=False, kernel_quantizer="quantized_bits(5,0,alpha=1)", name="conv")(y)
    y = layers.BatchNormalization(name="bn")(y)
    y = QActivation("quantized_relu(5,2)")(y)
    y = layers.MaxPooling2D(2)(y)
    y = QDepthwiseConv2D(2, depthwise_quantizer=quantized_bits(4, 0, 1), depth_multiplier=2, use_bias=False)(y)
    y = layers.Flatten()(y)
    made["images"] = keras.Model(x, QDense(3, activation="softmax", **six)(y))

    a, b = keras.Input((8, 2), name="a"), keras.Input((4, 3), name="b")
    p = QConv1D(4, 3, padding="same", activation="quantized_relu(6,1)", **six)(a)
    p = layers.AveragePooling1D(2)(p)
    p = QSeparableConv1D(
        3, 2, depthwise_quantizer=quantized_bits(5, 0, 1), pointwise_quantizer=quantized_bits(5, 0, 1),
        bias_quantizer=quantized_bits(5, 0, 1), activation=quantized_bits(7, 2, 1),
    )(p)  # fmt: skip
    q = QConv1D(3, 2, strides=2, padding="causal", **six)(b)
    q = QActivation(quantized_bits(6, 1))(layers.GlobalAveragePooling1D()(q))
    r = layers.Concatenate()([layers.Reshape((9,))(p), q])
    two = QDense(2, activation="sigmoid", name="two", **six)(q)
    made["line"] = keras.Model([a, b], [QDense(3, name="one", **six)(r), two])

    # weights of one and two bits, with factors that are no powers of two, and such activations
    x = keras.Input((7,))
    y = QDense(6, kernel_quantizer=ternary(alpha="auto"), bias_quantizer=quantized_bits(6, 1, 1))(x)
    y = QActivation("quantized_bits(5,1,alpha=1)")(y)
    y = QDense(6, kernel_quantizer=binary(alpha="auto_po2"), bias_quantizer=quantized_bits(6, 1, 1))(y)
    z = y = QActivation("ternary(alpha=1)")(y)
    y = QDense(5, kernel_quantizer="quantized_bits(4,0,alpha='auto')", bias_quantizer="quantized_bits(5,0)")(y)
    y = layers.Concatenate()([QActivation("binary(alpha=0.5)")(y), z])
    made["signs"] = keras.Model(x, QDense(3, kernel_quantizer=ternary(), bias_quantizer=quantized_po2(4))(y))

    x = keras.Input((6,))
    y = QDense(6, kernel_quantizer="quantized_po2(4)", bias_quantizer="quantized_bits(6,1)")(x)
    y = QBatchNormalization(name="qbn")(y)
    a = QActivation(quantized_tanh(6, symmetric=True))(y)
    b = QActivation(quantized_sigmoid(5))(y)
    c = QActivation(quantized_relu(6, 1, negative_slope=0.25))(y)
    d = QActivation(quantized_tanh(5, use_real_tanh=True))(QActivation("quantized_bits(7,2,alpha=1)")(y))
    e = QActivation("quantized_bits(7,2,alpha=1)")(layers.LeakyReLU(0.3)(y))
    y = layers.Maximum()([layers.Add()([a, b]), layers.Subtract()([c, d]), e])
    made["functions"] = keras.Model(x, QDense(3, **six)(QActivation("quantized_bits(8,3,alpha=1)")(y)))

    x = keras.Input((5, 5, 2))
    y = QActivation("quantized_bits(6,2,alpha=1)")(x)
    y = QConv2DBatchnorm(3, 2, kernel_quantizer=quantized_bits(6, 1, 1), bias_quantizer=quantized_bits(8, 2, 1))(y)
    y = QActivation("quantized_relu(6,2)")(y)
    y = QDepthwiseConv2DBatchnorm(
        2, depthwise_quantizer=quantized_bits(6, 1, 1), bias_quantizer=quantized_bits(8, 2, 1), padding="same",
        activation="quantized_relu(5,1)",
    )(y)  # fmt: skip
    y = QAveragePooling2D(2, average_quantizer=quantized_bits(6, 0, 1), activation=quantized_bits(7, 2, 1))(y)
    y = layers.Flatten()(y)
    dense = QDense(3, kernel_quantizer=quantized_bits(5, 0, alpha=1), bias_quantizer=quantized_bits(5, 0, alpha=1))
    made["folded"] = keras.Model(x, prune.prune_low_magnitude(dense)(y))
    for model in made.values():
        _vary(model)
    return made


def _vary(model: Any) -> None:
    """Draw what an untrained network would have all alike."""
    rng = np.random.default_rng(5)
    for layer in model.layers:
        for part in (layer, getattr(layer, "batchnorm", None)):
            if hasattr(part, "moving_mean"):
                shape = part.moving_mean.shape
                part.moving_mean.assign(rng.normal(0, 0.5, shape))
                part.moving_variance.assign(rng.uniform(0.3, 2, shape))
                part.gamma.assign(rng.uniform(0.5, 1.5, shape))
                part.beta.assign(rng.normal(0, 0.5, shape))
        if getattr(layer, "use_bias", False) and hasattr(layer, "bias"):
            layer.bias.assign(rng.uniform(-0.5, 0.5, layer.bias.shape))


def main() -> None:
    """Build and save them, one of them in Keras' newer format."""
    from codesign.importing.qkeras.qkeras_library import load_qkeras

    load_qkeras()
    for name, model in networks().items():
        model.save(Path(sys.argv[1]) / (f"{name}.keras" if name == "signs" else f"{name}.h5"))


if __name__ == "__main__":
    main()
