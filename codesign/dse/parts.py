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
from codesign.reading.npz import member_arrays
from codesign.runfolder import RunFolder
from codesign.study import Study

__all__ = ("PARTS", "load_part", "load_sample", "part_path", "record", "splits_of", "write_part")

#: names of the splits
PARTS = ("train", "validation", "test")

#: before the name of an array of the sample's truth
_TRUTH = "truth."
#: of ``sample.json``: left out where empty
_OPTIONAL = ("target_names", "target_units", "held_out")


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
    names: tuple[tuple[str, ...], ...] = (sample.feature_names, sample.units, sample.class_names)
    if sample.target_names or sample.held_out:
        names += (sample.target_names, sample.target_units, sample.held_out)
    digest.update(repr(names).encode())
    for key, array in _columns(sample).items():
        if key.startswith(_TRUTH):
            digest.update(key.encode())
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    facts: dict[str, Any] = {
        "hash": digest.hexdigest(),
        "events": len(sample),
        "splits": {name: len(sample.places(name, splits)) for name in PARTS},
        "feature_names": list(sample.feature_names),
        "units": list(sample.units),
        "class_names": list(sample.class_names),
        "target_names": list(sample.target_names),
        "target_units": list(sample.target_units),
        "held_out": list(sample.held_out),
        "provenance": sample.provenance,
    }
    return {key: value for key, value in facts.items() if value or key not in _OPTIONAL}


def _columns(sample: Sample) -> dict[str, NDArray[Any]]:
    """Every array of a sample that has a row per event, by its name on disk; the order enters the hash."""
    optional = {"constituents": sample.constituents, "collisions": sample.collisions, "targets": sample.targets}
    found: dict[str, NDArray[Any]] = {"x": sample.features, "y": sample.labels}
    found |= {key: values for key, values in optional.items() if values is not None}
    return found | {f"{_TRUTH}{name}": values for name, values in sorted(sample.truth.items())}


def write_part(run: RunFolder, sample: Sample, splits: Splits, name: str) -> None:
    """Write one split, with each event's place in the sample; whole or not at all."""
    index = sample.places(name, splits)
    arrays = {"index": index} | {key: values[index] for key, values in _columns(sample).items()}
    path = part_path(run, name)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    os.replace(temporary, path)


def _arrays(run: RunFolder, name: str) -> dict[str, NDArray[Any]]:
    path = part_path(run, name)
    return member_arrays(run.path, path.relative_to(run.path).as_posix())


def load_part(run: RunFolder, name: str) -> Part:
    """Read one split."""
    arrays = _arrays(run, name)
    classes = tuple((run.read_json("sample.json") or {}).get("class_names", ()))
    return Part(name, arrays["x"], arrays["y"], arrays.get("targets"), _truth(arrays), classes)


def _truth(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(_TRUTH): values for key, values in arrays.items() if key.startswith(_TRUTH)}


def load_sample(run: RunFolder) -> Sample:
    """Put the whole sample together again, every event in its place, so that its split is the same."""
    facts = run.read_json("sample.json")
    if facts is None:
        raise InputError(f"{run.path} has no sample.json: the run never got as far as making its sample")
    parts = [_arrays(run, name) for name in PARTS]
    order = np.argsort(np.concatenate([part["index"] for part in parts]))
    whole = {key: np.concatenate([part[key] for part in parts])[order] for key in parts[0] if key != "index"}
    return Sample(
        features=whole["x"],
        labels=whole["y"],
        feature_names=tuple(facts["feature_names"]),
        units=tuple(facts["units"]),
        class_names=tuple(facts["class_names"]),
        constituents=whole.get("constituents"),
        provenance=facts["provenance"],
        collisions=whole.get("collisions"),
        targets=whole.get("targets"),
        target_names=tuple(facts.get("target_names", ())),
        target_units=tuple(facts.get("target_units", ())),
        truth=_truth(whole),
        held_out=tuple(facts.get("held_out", ())),
    )
