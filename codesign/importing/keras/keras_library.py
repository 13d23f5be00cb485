"""Keras and HGQ2 themselves: imported in a process of their own only (:mod:`codesign.importing.keras.keras_worker`)."""

from __future__ import annotations

import os
import warnings
from typing import Any

__all__ = ("load_keras",)


def load_keras() -> tuple[Any, dict[str, Any], dict[str, str]]:
    """Keras, HGQ2's classes under every name that it has registered them by, and the versions of both.

    HGQ2 0.1 wrote ``hgq2>`` where 0.2 registers ``hgq>``.
    """
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ["JAX_PLATFORMS"] = "cpu"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import hgq
        import jax
        import keras

    registered = dict(keras.saving.get_custom_objects())
    classes = {name: known for name, known in registered.items() if name.startswith("hgq>")}
    classes |= {name.replace("hgq>", "hgq2>"): known for name, known in classes.items()}
    versions = {"Keras": keras.__version__, "HGQ2": hgq.__version__, "JAX": jax.__version__}
    return keras, classes, versions
