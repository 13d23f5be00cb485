"""QKeras and the Keras 2 under it: imported in a process of their own only (:mod:`.qkeras_worker`)."""

from __future__ import annotations

import os
import warnings
from typing import Any

__all__ = ("load_qkeras",)


def load_qkeras() -> tuple[Any, dict[str, Any], dict[str, str]]:
    """Keras 2, the classes of QKeras and of pruning by name, and the versions of what runs."""
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"  # sums in the same order on every machine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import qkeras
        import tensorflow
        import tf_keras
        from qkeras.utils import _add_supported_quantized_objects
        from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import PruneLowMagnitude

    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    classes: dict[str, Any] = {"PruneLowMagnitude": PruneLowMagnitude}
    _add_supported_quantized_objects(classes)
    versions = {
        "QKeras": str(qkeras.__version__),
        "Keras": str(tf_keras.__version__),
        "TensorFlow": str(tensorflow.__version__),
    }
    return tf_keras, classes, versions
