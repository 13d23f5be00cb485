"""The own environment of Keras 3 and HGQ2: hgq2 brings a package named ``qkeras``, which would shadow the real one."""

from __future__ import annotations

from codesign.core.own_environment import OwnEnvironment

__all__ = ("KERAS",)

KERAS = OwnEnvironment(
    tool="keras",
    title="Keras",
    version="3.15.1",
    package="codesign.importing.keras",
    holds="hgq",
    check="from codesign.importing.keras.keras_library import load_keras; load_keras()",
)
