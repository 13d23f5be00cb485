"""A kind of Keras in a process of its own: what Keras 3 with HGQ2 and Keras 2 with QKeras have in common there.

A job names a file, a folder of ours for what is written, and what is wanted: the graph, Keras' own outputs, or both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError, UnsupportedError
from codesign.importing.keras.keras_container import Checked, ConfigRules, check
from codesign.importing.keras.layer_reader import LayerReader

__all__ = ("HeldKeras", "fixed_shapes", "predict")

_BATCH = 1000


class HeldKeras(ABC):
    """How files of one kind are checked, loaded, read and run."""

    title: str
    rules: ConfigRules

    @abstractmethod
    def readers(self) -> Mapping[str, LayerReader]:
        """By name of a class, what reads it."""

    @abstractmethod
    def library(self) -> tuple[Any, dict[str, Any], dict[str, str]]:
        """Keras itself, the classes beside its own by name, and versions of what runs."""

    @abstractmethod
    def convert(self, model: Any) -> tuple[bytes, dict[str, Any]]:
        """The graph of a model, and the facts of it; UnsupportedError with every layer that cannot be read."""

    def scored(self, model: Any) -> Any:
        """What the design is compared with: the model, without what is cut at its ends."""
        return model

    def load(self, path: Path, work: Path, more: Collection[str] = ()) -> tuple[Any, Checked, dict[str, str]]:
        """The model of a file that was checked, what it says of itself, and versions; ``more``: classes beside the
        readers'. InputError: damaged, or Keras cannot load it."""
        known = self.readers()
        checked = check(path, work / "model", {*known, *more}, self.rules)
        keras, classes, versions = self.library()
        classes |= {name: made for reader in known.values() for name, made in reader.classes().items()}
        copy = next(p for p in (work / "model.keras", work / "model.h5") if p.exists())
        try:
            model = keras.models.load_model(copy, custom_objects=classes, compile=False, safe_mode=True)
        except Exception as error:  # Keras and its layers' libraries raise what they like
            said = " ".join(str(error).split())[:300]
            raise InputError(f"{path}: {self.title} cannot load it ({type(error).__name__}: {said})") from None
        copy.unlink()
        if not model.built:
            model.build(model.input_shape)
        return model, checked, versions

    def work_on(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Do one job: facts in the answer, ``model.onnx`` and ``outputs.npy`` in its folder."""
        work = Path(job["work"])
        model, checked, versions = self.load(Path(job["file"]), work)
        answer = {"versions": versions, "keras_version": checked.keras_version, "backend": checked.backend}
        if job["convert"]:
            content, facts = self.convert(model)
            (work / "model.onnx").write_bytes(content)
            answer |= facts
        if job["predict"]:
            with np.load(work / "values.npz", allow_pickle=False) as values:
                np.save(work / "outputs.npy", predict(self.scored(model), dict(values)))
        return answer


def fixed_shapes(inputs: Any) -> list[tuple[int, ...]]:
    """The shapes of a model's inputs without the events' axis; UnsupportedError where another one is open."""
    shapes = [tuple(x.shape)[1:] for x in inputs]
    if any(n is None for shape in shapes for n in shape):
        raise UnsupportedError(f"inputs of shapes {shapes}: only the events' axis may be open")
    return shapes


def predict(model: Any, values: Mapping[str, np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """Keras' own outputs (events, m), heads one after another; values of each input by its place, float32."""
    given = [values[f"in{i}"].astype(np.float32) for i in range(len(model.inputs))]
    found = model.predict(given if len(given) > 1 else given[0], batch_size=_BATCH, verbose=0)
    heads = found if isinstance(found, list | tuple) else [found]
    return np.concatenate([np.asarray(h, dtype=np.float64).reshape(len(h), -1) for h in heads], axis=1)
