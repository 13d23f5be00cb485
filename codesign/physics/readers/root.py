"""Our own ROOT files: a TTree ``jets`` and the metadata beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.errors import InputError
from codesign.physics.readers.checks import build, check_constituents, matrix, require
from codesign.physics.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES
from codesign.reading.json import json_of
from codesign.reading.rootfile import opened_root

__all__ = ("PARTICLE_BRANCHES", "check_whole", "read")

#: Branches of the constituents, (jets, 32) each.
PARTICLE_BRANCHES = ("constituent_pt", "constituent_deta", "constituent_dphi")


def check_whole(path: Path, file: Any) -> None:
    """InputError where an open ROOT file is shorter than it says: uproot does not need the last bytes."""
    if file.file.fEND > path.stat().st_size:
        raise InputError(f"{path}: truncated ROOT file: {path.stat().st_size} of {file.file.fEND} bytes")


def read(path: Path) -> Sample:
    """Read the TTree ``jets``: sixteen branches, ``label``, and the constituents where they are."""
    with opened_root(path) as file:
        check_whole(path, file)
        require(path, ["jets"], file.keys(cycle=False), "tree")
        tree = file["jets"]
        require(path, (*FEATURE_NAMES, "label"), tree.keys(), "branch")
        branches = tree.arrays([*FEATURE_NAMES, "label"], library="np")
        features = matrix(path, branches)
        labels = matrix(path, branches, ["label"])[:, 0].astype(np.int64)
        constituents = None
        if PARTICLE_BRANCHES[0] in tree.keys():  # noqa: SIM118, a tree is no mapping
            require(path, PARTICLE_BRANCHES, tree.keys(), "branch")
            parts = tree.arrays(list(PARTICLE_BRANCHES), library="np")
            constituents = check_constituents(path, np.stack([parts[b] for b in PARTICLE_BRANCHES], axis=2))
        collisions = tree["collision"].array(library="np").astype(np.int64) if "collision" in tree.keys() else None  # noqa: SIM118
        metadata: dict[str, Any] = {}
        if "metadata" in file.keys(cycle=False):
            metadata = json_of(str(file["metadata"]), f"{path}: metadata")
    return replace(build(path, features, labels, constituents, metadata), collisions=collisions)
