"""Inside Keras' environment: ``make_unread_networks.py FOLDER`` saves small networks, most of unread layers."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    """Build and save them."""
    from codesign.importing.keras.keras_library import load_keras

    keras, _, _ = load_keras()
    from hgq.config import QuantizerConfigScope
    from hgq.layers import QGRU, QDense
    from keras import layers

    keras.utils.set_random_seed(5)
    weight = QuantizerConfigScope(place="weight", default_q_type="kbi", b0=4, i0=1, overflow_mode="SAT_SYM")
    data = QuantizerConfigScope(place="datalane", default_q_type="kif", i0=2, f0=2, overflow_mode="SAT")
    folder = Path(sys.argv[1])
    with weight, data:
        x = keras.Input((3, 2))
        keras.Model(x, QDense(2)(QGRU(3)(x))).save(folder / "recurrent.keras")
        x = keras.Input((3, 2))
        keras.Model(x, QDense(2)(layers.UpSampling1D(2)(x))).save(folder / "upsampled.keras")
        x = keras.Input((3, 2))
        y = layers.Flatten()(layers.UpSampling1D(2)(QDense(2)(x)))
        keras.Model(x, QDense(2)(y)).save(folder / "flattened.keras")
        x = keras.Input((3, 2))
        y = layers.Lambda(lambda v: v * 2, output_shape=(3, 2))(x)
        keras.Model(x, QDense(2)(y)).save(folder / "code.keras")


if __name__ == "__main__":
    main()
