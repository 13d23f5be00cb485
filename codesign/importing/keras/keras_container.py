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

__all__ = ("KERAS_3", "Checked", "ConfigRules", "check", "looks_like_keras", "written_by")

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.>]*")
#: such as quantized_bits(6,0,alpha=1)
_CALL = re.compile(r"([a-z_0-9]{1,40})(?:\([A-Za-z0-9_=.,'\"+\- ]{0,200}\))?")
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
class ConfigRules:
    """What a configuration of one major version of Keras may name.

    Attributes
    ----------
    version: how the version of Keras that wrote it begins.
    title: what is read, in words.
    packages: whose objects it may name: initialisers, constraints, regularisers, policies, layers.
    parts: classes that are no layers.
    words: what an activation or quantiser that is text may call; empty where Keras looks no text up in more than its
        own activations.
    later: settings of later versions, which the one that is read does not know: left out where they are not set.
    """

    version: str
    title: str
    packages: tuple[str, ...]
    parts: frozenset[str]
    words: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()


KERAS_3 = ConfigRules("3.", "Keras 3", ("keras", "hgq", "builtins"), frozenset(_PARTS))


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


def written_by(path: Path) -> str:
    """The version of Keras that a file says wrote it; empty where it does not say so. Never an error."""
    import h5py

    try:
        with open_given(path) as stream:
            start = stream.read(8)
        if start == _HDF5:
            with h5py.File(path, "r") as file:
                return _text(file.attrs.get("keras_version", ""))[:20]
        with open_given(path) as stream, opened_zip(stream, str(path), most=MODEL_BYTES) as archive:
            found = {e.filename: e for e in archive.infolist()}
            told = json_of(zip_entry(archive, found[_METADATA], str(path)), _METADATA)
            return str(told.get("keras_version", ""))[:20] if isinstance(told, dict) else ""
    except (InputError, OSError, RuntimeError, ValueError, KeyError, TypeError):
        return ""


def check(path: Path, copy: Path, layers: Collection[str], rules: ConfigRules = KERAS_3) -> Checked:
    """Check a file and write what Keras may open to ``copy``, with the suffix ``.keras`` or ``.h5`` of its kind.

    ``layers``: names of the classes of layers that can be read. InputError: damaged, or no model of this Keras.
    UnsupportedError: every class that is not known, at once, each with the layer that has it.
    """
    with open_given(path) as stream:
        start = stream.read(8)
    if start == _HDF5:
        return _check_hdf5(path, copy, layers, rules)
    return _check_zip(path, copy, layers, rules)


def _check_zip(path: Path, copy: Path, layers: Collection[str], rules: ConfigRules) -> Checked:
    with open_given(path) as stream, opened_zip(stream, str(path), most=MODEL_BYTES) as archive:
        found = {e.filename: e for e in archive.infolist() if not e.is_dir()}
        if not {_CONFIG, _METADATA, _WEIGHTS} <= set(found):
            raise InputError(f"{path}: no model of Keras, whose archive holds {_CONFIG}, {_METADATA} and {_WEIGHTS}")
        config, metadata, weights = (zip_entry(archive, found[n], str(path)) for n in (_CONFIG, _METADATA, _WEIGHTS))
    told = json_of(metadata, f"{path}: {_METADATA}")
    version = str(told.get("keras_version", "")) if isinstance(told, dict) else ""
    plain = json_of(config, f"{path}: {_CONFIG}", constants=True)
    _check_version(path, version, rules, plain)
    cleaned = _checked_config(plain, path, layers, rules)
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


def _check_hdf5(path: Path, copy: Path, layers: Collection[str], rules: ConfigRules) -> Checked:
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
        _check_version(path, version, rules, config)
        file.attrs["model_config"] = json.dumps(_checked_config(config, path, layers, rules))
        file.attrs.pop("training_config", None)
        file.pop("optimizer_weights", None)
    return Checked(version, told.get("backend", ""))


def _check_version(path: Path, version: str, rules: ConfigRules, config: Any) -> None:
    if version and not version.startswith(rules.version):
        kinds = ", ".join(sorted({line(k)[:40] for k in _classes(config)})[:40])
        raise UnsupportedError(
            f"{path}: written by Keras {line(version)[:20]}, with the classes {kinds}; {rules.title} is read here"
        )


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


def _checked_config(config: Any, path: Path, layers: Collection[str], rules: ConfigRules) -> Any:
    """The configuration without how the model was trained; UnsupportedError with all classes that are not known."""
    if not isinstance(config, dict) or "class_name" not in config:
        raise InputError(f"{path}: its configuration is none of a Keras model")
    config = {key: value for key, value in config.items() if key not in ("compile_config",)}
    wrong = dict.fromkeys(_unknown(config, "", set(layers) | _MODELS | rules.parts, rules))
    if config["class_name"] not in _MODELS:
        wrong[f"the model is of class '{config['class_name']}'; Functional and Sequential models are read"] = None
    if wrong:
        raise UnsupportedError("; ".join(wrong))
    return _without(config, rules.later)


def _without(data: Any, keys: Collection[str]) -> Any:
    if isinstance(data, list):
        return [_without(inner, keys) for inner in data]
    if not isinstance(data, dict):
        return data
    return {k: _without(v, keys) for k, v in data.items() if k not in keys}


def _unknown(data: Any, layer: str, known: Collection[str], rules: ConfigRules) -> Iterator[str]:
    """One sentence for each object that is of no known class, or from another package."""
    if isinstance(data, list):
        for inner in data:
            yield from _unknown(inner, layer, known, rules)
    if not isinstance(data, dict):
        return
    inner_config = data.get("config")
    if "class_name" in data and isinstance(inner_config, dict) and isinstance(inner_config.get("name"), str):
        layer = inner_config["name"]
    if "class_name" in data:
        yield from _refuse(data, layer, known, rules)
    for key, inner in data.items():
        if isinstance(inner, str) and rules.words and (key.endswith("_quantizer") or key.endswith("activation")):
            yield from _refuse_text(inner, layer, rules)
        if key in rules.later and inner is not None:
            yield f"layer '{layer[:80]}': its {key} is of a later version of what wrote it; leave it unset"
        yield from _unknown(inner, layer, known, rules)


def _refuse_text(text: str, layer: str, rules: ConfigRules) -> Iterator[str]:
    """A function that is named in text, with numbers and flags in brackets behind it."""
    told = _CALL.fullmatch(text)
    if told is None or told[1] not in rules.words:
        yield f"layer '{layer[:80]}': '{line(text)[:60]}' is no activation or quantiser that is known"


def _refuse(data: dict[str, Any], layer: str, known: Collection[str], rules: ConfigRules) -> Iterator[str]:
    where = f"layer '{layer[:80]}'" if layer else "the model"
    name, module = data["class_name"], data.get("module")
    for given in (name, data.get("registered_name")):
        if given is not None and (not isinstance(given, str) or not _NAME.fullmatch(given)):
            yield f"{where}: a class without a plain name; refused"
            return
    if module is not None and (not isinstance(module, str) or module.partition(".")[0] not in rules.packages):
        yield f"{where}: an object of the package '{str(module)[:80]}'; only those of {rules.title} are loaded"
    elif name == "function":
        if not isinstance(data.get("config"), str):
            yield f"{where}: a function that the file brings along; refused"
    elif (short := name.rpartition(">")[2]) not in known:
        why = "runs code of the file, and is never loaded" if short == "Lambda" else "has no reader"
        yield f"{where}: class '{short}' {why}; one's own reader is an entry point codesign.layers"
