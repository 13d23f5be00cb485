"""The sample of a run on disk: one file per split, so that a search worker cannot even open the test split."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import InputError
from codesign.physics.sample import Part, Sample, Splits
from codesign.runfolder import RunFolder
from codesign.study import Study

__all__ = ("PARTS", "load_part", "load_sample", "part_path", "record", "splits_of", "write_part")

#: names of the splits
PARTS = ("train", "validation", "test")


def splits_of(study: Study) -> Splits:
    """The study's one split of its sample."""
    shares = study.splits
    return Splits(train=shares.train, validation=shares.validation, test=shares.test, seed=study.seed)


def part_path(run: RunFolder, name: str) -> Path:
    """Where a split lies in a run folder."""
    return run.path / "parts" / f"{name}.npz"


def record(sample: Sample, splits: Splits) -> dict[str, Any]:
    """``sample.json``: what the sample is, where it comes from, and the hash by which it is known again."""
    digest = hashlib.sha256()
    names = (sample.feature_names, sample.units, sample.class_names)
    digest.update(repr(names).encode())
    arrays: list[NDArray[Any]] = [sample.features, sample.labels]
    if sample.constituents is not None:
        arrays.append(sample.constituents)
    if sample.collisions is not None:
        arrays.append(sample.collisions)
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return {
        "hash": digest.hexdigest(),
        "events": len(sample),
        "splits": {name: len(sample.places(name, splits)) for name in PARTS},
        "feature_names": list(sample.feature_names),
        "units": list(sample.units),
        "class_names": list(sample.class_names),
        "provenance": sample.provenance,
    }


def write_part(run: RunFolder, sample: Sample, splits: Splits, name: str) -> None:
    """Write one split, with each event's place in the sample; whole or not at all."""
    part, index = sample.part(name, splits), sample.places(name, splits)
    arrays: dict[str, NDArray[Any]] = {"x": part.x, "y": part.y, "index": index}
    if sample.constituents is not None:
        arrays["constituents"] = sample.constituents[index]
    if sample.collisions is not None:
        arrays["collisions"] = sample.collisions[index]
    path = part_path(run, name)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    os.replace(temporary, path)


def _arrays(run: RunFolder, name: str) -> dict[str, NDArray[Any]]:
    path = part_path(run, name)
    try:
        with np.load(path, allow_pickle=False) as stored:
            return dict(stored.items())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot read this part of the sample ({error})") from None


def load_part(run: RunFolder, name: str) -> Part:
    """Read one split."""
    arrays = _arrays(run, name)
    return Part(name, arrays["x"], arrays["y"])


def load_sample(run: RunFolder) -> Sample:
    """Put the whole sample together again, every event in its place, so that its split is the same."""
    facts = run.read_json("sample.json")
    if facts is None:
        raise InputError(f"{run.path} has no sample.json: the run never got as far as making its sample")
    parts = [_arrays(run, name) for name in PARTS]
    order = np.argsort(np.concatenate([part["index"] for part in parts]))

    def whole(key: str) -> NDArray[Any]:
        return np.concatenate([part[key] for part in parts])[order]

    return Sample(
        features=whole("x"),
        labels=whole("y"),
        feature_names=tuple(facts["feature_names"]),
        units=tuple(facts["units"]),
        class_names=tuple(facts["class_names"]),
        constituents=whole("constituents") if "constituents" in parts[0] else None,
        provenance=facts["provenance"],
        collisions=whole("collisions") if "collisions" in parts[0] else None,
    )
