"""Our own ROOT files: a TTree ``jets`` and the metadata beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.reading.json import json_of
from codesign.core.reading.rootfile import check_whole, opened_root
from codesign.data.readers.checks import build, check_constituents, class_names_of, labels_of, matrix, require
from codesign.data.sample import Sample
from codesign.physics.substructure import FEATURE_NAMES

__all__ = ("PARTICLE_BRANCHES", "read")

#: Branches of the constituents, (jets, 32) each.
PARTICLE_BRANCHES = ("constituent_pt", "constituent_deta", "constituent_dphi")


def read(path: Path, declared: tuple[str, ...] | None = None) -> Sample:
    """Read the TTree ``jets``: sixteen branches, ``label``, and the constituents where they are.

    Labels are text, or numbers from 0 of ``class_names``, which ``metadata`` beside the tree holds, or a string of JSON
    of that name, or else of ``declared``.
    """
    with opened_root(path) as file:
        check_whole(path, file)
        require(path, ["jets"], file.keys(cycle=False), "tree")
        tree = file["jets"]
        require(path, (*FEATURE_NAMES, "label"), tree.keys(), "branch")
        branches = tree.arrays([*FEATURE_NAMES, "label"], library="np")
        features = matrix(path, branches)
        metadata: dict[str, Any] = _text(file, "metadata") or {}
        names = class_names_of(path, metadata.get("class_names", _text(file, "class_names")), declared)
        labels, classes = labels_of(path, "label", branches["label"], names)
        constituents = None
        if PARTICLE_BRANCHES[0] in tree.keys():  # noqa: SIM118, a tree is no mapping
            require(path, PARTICLE_BRANCHES, tree.keys(), "branch")
            parts = tree.arrays(list(PARTICLE_BRANCHES), library="np")
            constituents = check_constituents(path, np.stack([parts[b] for b in PARTICLE_BRANCHES], axis=2))
        collisions = tree["collision"].array(library="np").astype(np.int64) if "collision" in tree.keys() else None  # noqa: SIM118
    return replace(build(path, features, labels, classes, constituents, metadata), collisions=collisions)


def _text(file: Any, name: str) -> Any:
    """The JSON of a string in the file, None where there is none."""
    return json_of(str(file[name]), f"{file.file_path}: {name}") if name in file.keys(cycle=False) else None
