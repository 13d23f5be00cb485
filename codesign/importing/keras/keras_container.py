"""A Keras file before Keras opens it: a plain zip or HDF5 in bounds, and a configuration of classes that are known.

What Keras then opens is written anew from what was checked: the configuration without how it was trained, and weights
that lie in the file. It knows nothing of Keras, and is called in the process that will.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.core.errors import InputError, UnsupportedError
from codesign.core.quoting import line
from codesign.core.reading.hdf5 import checked_datasets
from codesign.core.reading.json import json_of
from codesign.core.reading.limits import ENTRIES, MODEL_BYTES
from codesign.core.reading.plain import open_given
from codesign.core.reading.zip import opened_zip, zip_entry

__all__ = ("Checked", "check", "looks_like_keras")

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.>]*")
#: packages whose objects a configuration may name: initialisers, constraints, regularisers, policies, layers
_PACKAGES = ("keras", "hgq", "builtins")
#: classes of models, and those that are no layers
_MODELS = {"Functional", "Sequential", "Model"}
_PARTS = {
    "DTypePolicy", "QuantizerConfig", "__keras_tensor__", "__tuple__", "__slice__", "__numpy__", "__ellipsis__",
    "GlorotUniform", "GlorotNormal", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "RandomNormal",
    "RandomUniform", "TruncatedNormal", "VarianceScaling", "Orthogonal", "IdentityInitializer", "Zeros", "Ones",
    "Constant", "HardTanhConfig", "HardSigmoidConfig",
    "MinMax", "Min", "Max", "NonNeg", "UnitNorm", "MaxNorm", "MinMaxNorm",
    "MonoL1", "L1", "L2", "L1L2", "OrthogonalRegularizer", "DefaultBitwidthMapper",
}  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """A file that may be opened: what it says of itself."""

    keras_version: str
    backend: str


def looks_like_keras(path: Path) -> bool:
    """Whether a file is a ``.keras`` archive or a Keras HDF5, by its content."""
    try:
        with open_given(path) as stream:
            start = stream.read(8)
            if start == _HDF5:
                return True
            if not start.startswith(b"PK"):
                return False
            with opened_zip(stream, str(path)) as archive:
                return {_CONFIG, _WEIGHTS} <= set(archive.namelist())
    except InputError:
        return False


def check(path: Path, copy: Path, layers: Collection[str]) -> Checked:
    """Check a file and write what Keras may open to ``copy``, with the suffix ``.keras`` or ``.h5`` of its kind.

    ``layers``: names of the classes of layers that can be read. InputError: damaged, or no Keras-3 model.
    UnsupportedError: every class that is not known, at once, each with the layer that has it.
    """
    with open_given(path) as stream:
        start = stream.read(8)
    if start == _HDF5:
        return _check_hdf5(path, copy, layers)
    return _check_zip(path, copy, layers)


def _check_zip(path: Path, copy: Path, layers: Collection[str]) -> Checked:
    with open_given(path) as stream, opened_zip(stream, str(path), most=MODEL_BYTES) as archive:
        found = {e.filename: e for e in archive.infolist() if not e.is_dir()}
        if not {_CONFIG, _METADATA, _WEIGHTS} <= set(found):
            raise InputError(f"{path}: no model of Keras 3, whose archive holds {_CONFIG}, {_METADATA} and {_WEIGHTS}")
        config, metadata, weights = (zip_entry(archive, found[n], str(path)) for n in (_CONFIG, _METADATA, _WEIGHTS))
    told = json_of(metadata, f"{path}: {_METADATA}")
    version = str(told.get("keras_version", "")) if isinstance(told, dict) else ""
    cleaned = _checked_config(json_of(config, f"{path}: {_CONFIG}", constants=True), path, layers)
    loose = copy.with_suffix(".weights.h5")
    loose.write_bytes(weights)
    _check_weights(loose, path)
    loose.unlink()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(_CONFIG, json.dumps(cleaned))
        archive.writestr(_METADATA, json.dumps({"keras_version": version}))
        archive.writestr(_WEIGHTS, weights)
    copy.with_suffix(".keras").write_bytes(packed.getvalue())
    return Checked(version, "")


def _check_hdf5(path: Path, copy: Path, layers: Collection[str]) -> Checked:
    import h5py

    checked = copy.with_suffix(".h5")
    with open_given(path) as stream, checked.open("wb") as sink:
        shutil.copyfileobj(stream, sink)
    if checked.stat().st_size > MODEL_BYTES:
        raise InputError(f"{path}: has more than {MODEL_BYTES >> 20} MiB")
    _check_weights(checked, path)
    with h5py.File(checked, "r+") as file:
        told = {
            name: _text(file.attrs[name]) for name in ("keras_version", "backend", "model_config") if name in file.attrs
        }
        if "model_config" not in told or "model_weights" not in file:
            raise InputError(f"{path}: no whole Keras model: it lacks its configuration or its weights")
        version = told.get("keras_version", "")
        config = json_of(told["model_config"], f"{path}: its configuration", constants=True)
        if not version.startswith("3."):
            kinds = ", ".join(sorted({line(k)[:40] for k in _classes(config)})[:40])
            raise UnsupportedError(
                f"{path}: written by Keras {line(version)[:20] or 'of no version'}, with the classes {kinds}; Keras 3 "
                "is read. QKeras on Keras 2: export QONNX with qonnx.converters.from_keras where TensorFlow is, "
                "and import that"
            )
        file.attrs["model_config"] = json.dumps(_checked_config(config, path, layers))
        file.attrs.pop("training_config", None)
        file.pop("optimizer_weights", None)
    return Checked(version, told.get("backend", ""))


def _classes(data: Any) -> Iterator[str]:
    """Every class that a configuration names."""
    if isinstance(data, list | dict):
        for inner in data.values() if isinstance(data, dict) else data:
            yield from _classes(inner)
    if isinstance(data, dict) and isinstance(data.get("class_name"), str):
        yield data["class_name"]


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _check_weights(file: Path, path: Path) -> None:
    """Every group and data set of an HDF5 file; InputError as :func:`checked_datasets`, in words of ``path``."""
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            groups, number = [opened], 0
            while groups:
                group = groups.pop()
                number += len(group)
                if number > ENTRIES:
                    raise InputError(f"{path}: its weights are more than {ENTRIES} objects")
                checked_datasets(path, group)
                groups += [group[name] for name in group if isinstance(group[name], h5py.Group)]
                if len(groups) > ENTRIES:
                    raise InputError(f"{path}: its weights lie in groups that hold themselves")
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: its weights cannot be read ({' '.join(str(error).split())[:160]})") from None


def _checked_config(config: Any, path: Path, layers: Collection[str]) -> Any:
    """The configuration without how the model was trained; UnsupportedError with all classes that are not known."""
    if not isinstance(config, dict) or "class_name" not in config:
        raise InputError(f"{path}: its configuration is none of a Keras model")
    config = {key: value for key, value in config.items() if key not in ("compile_config",)}
    wrong = dict.fromkeys(_unknown(config, "", set(layers) | _MODELS | _PARTS))
    if config["class_name"] not in _MODELS:
        wrong[f"the model is of class '{config['class_name']}'; Functional and Sequential models are read"] = None
    if wrong:
        raise UnsupportedError("; ".join(wrong))
    return config


def _unknown(data: Any, layer: str, known: Collection[str]) -> Iterator[str]:
    """One sentence for each object that is of no known class, or from another package."""
    if isinstance(data, list):
        for inner in data:
            yield from _unknown(inner, layer, known)
    if not isinstance(data, dict):
        return
    inner_config = data.get("config")
    if "class_name" in data and isinstance(inner_config, dict) and isinstance(inner_config.get("name"), str):
        layer = inner_config["name"]
    if "class_name" in data:
        yield from _refuse(data, layer, known)
    for inner in data.values():
        yield from _unknown(inner, layer, known)


def _refuse(data: dict[str, Any], layer: str, known: Collection[str]) -> Iterator[str]:
    where = f"layer '{layer[:80]}'" if layer else "the model"
    name, module = data["class_name"], data.get("module")
    for given in (name, data.get("registered_name")):
        if given is not None and (not isinstance(given, str) or not _NAME.fullmatch(given)):
            yield f"{where}: a class without a plain name; refused"
            return
    if module is not None and (not isinstance(module, str) or module.partition(".")[0] not in _PACKAGES):
        yield f"{where}: an object of the package '{str(module)[:80]}'; only those of Keras and HGQ2 are loaded"
    elif name == "function":
        if not isinstance(data.get("config"), str):
            yield f"{where}: a function that the file brings along; refused"
    elif (short := name.rpartition(">")[2]) not in known:
        why = "runs code of the file, and is never loaded" if short == "Lambda" else "has no reader"
        yield f"{where}: class '{short}' {why}; one's own reader is an entry point codesign.layers"
