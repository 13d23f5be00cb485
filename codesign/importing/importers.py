"""The importers that there are: shipped ones, and those of installed packages (entry points ``codesign.importers``)."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from codesign.core.errors import CodesignError, InputError
from codesign.core.printing import visible
from codesign.importing.base import Imported, Importer, Question, Source

__all__ = ("importer_of", "importers", "read_source")

_GROUP = "codesign.importers"
#: by name, what is shipped, in the order in which a source is offered to them
_SHIPPED = {
    "trees": "codesign.importing.trees.trees_file:TreesFile",  # before ONNX: trees in ONNX are trees
    "qkeras": "codesign.importing.qkeras.qkeras_file:QKerasFile",  # before Keras 3: told by the version in the file
    "keras": "codesign.importing.keras.keras_file:KerasFile",
    "onnx": "codesign.importing.onnx_file:OnnxFile",
    "brevitas": "codesign.importing.brevitas_module:BrevitasModule",
}
_ADVICE = (
    "what enters: ONNX and QONNX files, trees as XGBoost, LightGBM, conifer and skops save them (no pickle), .keras "
    "and .h5 files of HGQ2 and QKeras, torch modules with Brevitas' quantisers (codesign.import_model), and what "
    "installed importers take; an hls4ml project is not read: export the "
    "model that it was made from"
)


@cache
def importers() -> dict[str, Importer]:
    """By name. InputError says in what a plug-in is none."""
    shipped = {name: value.split(":") for name, value in _SHIPPED.items()}
    found = {name: _make(name, module, thing) for name, (module, thing) in shipped.items() if _is_here(module)}
    for entry in entry_points(group=_GROUP):
        if entry.name not in found:
            found[entry.name] = _instance(entry.name, entry.load())
    return found


def _is_here(module: str) -> bool:
    """Whether this copy of codesign has the importer: a kind of model may be left out of it."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _make(name: str, module: str, thing: str) -> Importer:
    return _instance(name, getattr(import_module(module), thing))


def _instance(name: str, made: object) -> Importer:
    if not isinstance(made, type) or not issubclass(made, Importer):
        raise InputError(f"the plug-in '{name}' of {_GROUP} is none: derive it from codesign.Importer")
    if lacks := sorted(getattr(made, "__abstractmethods__", ())):
        raise InputError(f"the plug-in '{name}' of {_GROUP} lacks what an Importer must do: {', '.join(lacks)}")
    instance: Importer = made()
    return instance


def importer_of(source: Source) -> Importer:
    """Who takes this source; InputError where nobody does."""
    for importer in importers().values():
        if importer.takes(source):
            return importer
    if isinstance(source, Path):
        if source.is_dir() and any(source.rglob("parameters.h")):
            raise InputError(
                f"{source}: a project of hls4ml, whose C++ is not read: export the model that it was made from, as "
                "QONNX, .keras or a torch module"
            )
        raise InputError(f"{source}: no importer takes it ({', '.join(importers())}); {_ADVICE}")
    raise InputError(f"no importer takes a {visible(type(source).__name__)}; {_ADVICE}")


def read_source(source: Source, question: Question) -> Imported:
    """Read a source with whoever takes it, in one line where it cannot be read: a stranger's file says anything."""
    name = source.name if isinstance(source, Path) else type(source).__name__
    try:
        return importer_of(source).read(source, question)
    except (CodesignError, OSError):
        raise
    except Exception as error:  # of any kind, by a library that was not written for such a file
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{name}: cannot be read ({type(error).__name__}: {said}): export it anew") from error
