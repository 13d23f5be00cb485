"""The published HDF5 files of hls4ml_lhc_jets (Zenodo 3602260)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from codesign.core.errors import InputError
from codesign.core.reading.hdf5 import opened_hdf5, texts_of
from codesign.data.readers.checks import (
    CLASS_NAMES,
    build,
    check_constituents,
    class_names_of,
    matrix,
    one_hot,
    require,
)
from codesign.data.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES

__all__ = ("read",)

#: Names of pT and of the position relative to the jet axis among the published particle features.
_PARTICLE = ("j1_pt", "j1_etarel", "j1_phirel")


def read(path: Path, declared: tuple[str, ...] | None = None) -> Sample:
    """Read ``jets`` (jets, columns) with ``jetFeatureNames``, and ``jetConstituentList`` where the file has it.

    Its columns name the classes; ``declared`` may not say otherwise.
    """
    class_names_of(path, CLASS_NAMES, declared)
    with opened_hdf5(path) as file:
        require(path, ("jets", "jetFeatureNames"), file.keys(), "data set")
        jets = np.asarray(file["jets"])
        names = texts_of(path, "jetFeatureNames", file["jetFeatureNames"])
        if jets.ndim != 2 or jets.shape[1] != len(names):
            raise InputError(f"{path}: data set 'jets' has the shape {jets.shape}, but there are {len(names)} names")
        classes = tuple(f"j_{name}" for name in CLASS_NAMES)
        require(path, (*(f"j_{name}" for name in FEATURE_NAMES), *classes), names)
        columns = {name.removeprefix("j_"): jets[:, i] for i, name in enumerate(names)}
        features = matrix(path, columns)
        labels = one_hot(path, {c: columns[c.removeprefix("j_")] for c in classes}, classes)
        constituents = None
        if "jetConstituentList" in file:
            listed = "particleFeatureNames"
            particle_names = texts_of(path, listed, file[listed]) if listed in file else []
            require(path, _PARTICLE, particle_names, "particle feature")
            data = file["jetConstituentList"]
            constituents = check_constituents(
                path, np.stack([np.asarray(data[:, :, particle_names.index(n)]) for n in _PARTICLE], axis=2)
            )
    return build(path, features, labels, CLASS_NAMES, constituents)
