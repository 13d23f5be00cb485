"""The own environment of QKeras: TensorFlow with the legacy Keras 2, which live beside no other Keras."""

from __future__ import annotations

from codesign.core.own_environment import OwnEnvironment

__all__ = ("QKERAS",)

QKERAS = OwnEnvironment(
    tool="qkeras",
    title="QKeras",
    version="0.9.0",
    package="codesign.importing.qkeras",
    holds="qkeras",
    check="from codesign.importing.qkeras.qkeras_library import load_qkeras; load_qkeras()",
)
