"""The sample of a run on disk: one file per split, so that a search worker cannot even open the test split.

A run that was proven has its test split on disk. While it searches further, that file lies aside, under a name by which
no search asks for it: a start that is killed, however, leaves it whole, and whoever may read it finds it in either
place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Container
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from codesign.core.errors import InputError
from codesign.core.layout import FEATURES, BlockValues, Layout, view_blocks
from codesign.core.reading.npz import member_arrays
from codesign.core.records import SampleFacts
from codesign.core.runfolder import RunFolder
from codesign.data.sample import Part, Sample, Splits
from codesign.study.definition import Study

__all__ = (
    "PARTS",
    "is_known",
    "load_part",
    "load_sample",
    "part_path",
    "record",
    "restore_test",
    "sample_facts",
    "seeing",
    "splits_of",
    "withhold_test",
    "write_part",
)

Seen = TypeVar("Seen", Part, Sample)

#: names of the splits
PARTS = ("train", "validation", "test")

#: the block that every sample of jets had before others could be
_CONSTITUENTS = "constituents"
#: before the name of an array of the sample's truth
_TRUTH = "truth."
#: of ``sample.json``: left out where empty
_OPTIONAL = ("target_names", "target_units", "held_out", "blocks", "view", "fill")
#: names of arrays that no block can have
_OWN = ("index", "x", "y", "collisions", "targets", "weights", "assigned", "pools")


def splits_of(study: Study) -> Splits:
    """The study's one split of its sample."""
    shares = study.splits
    return Splits(train=shares.train, validation=shares.validation, test=shares.test, seed=study.seed)


def part_path(run: RunFolder, name: str) -> Path:
    """Where a split lies in a run folder, or would: of the test split, aside where a search has put it."""
    path = _place(run, name)
    aside = _aside(run)
    return aside if name == "test" and not path.is_file() and aside.is_file() else path


def _place(run: RunFolder, name: str) -> Path:
    return run.path / "parts" / f"{name}.npz"


def _aside(run: RunFolder) -> Path:
    return run.path / "parts" / "withheld" / "test.npz"


def withhold_test(run: RunFolder) -> None:
    """Put the test split aside, if there is one, where no search finds it; it stays whole whatever happens."""
    if _place(run, "test").is_file():
        _aside(run).parent.mkdir(exist_ok=True)
        os.replace(_place(run, "test"), _aside(run))


def restore_test(run: RunFolder) -> None:
    """Put the test split back in its place, unless a newer one is there."""
    if _aside(run).is_file() and not _place(run, "test").is_file():
        os.replace(_aside(run), _place(run, "test"))
    shutil.rmtree(_aside(run).parent, ignore_errors=True)


def record(sample: Sample, splits: Splits) -> dict[str, Any]:
    """``sample.json``: what the sample is, where it comes from, and the hash by which it is known again."""
    digest = hashlib.sha256()
    names: tuple[tuple[str, ...], ...] = (sample.feature_names, sample.units, sample.class_names)
    if sample.target_names or sample.held_out:
        names += (sample.target_names, sample.target_units, sample.held_out)
    digest.update(repr(names).encode())
    layouts = [block.layout for block in sample.blocks]
    if layouts and layouts != [_constituents()]:
        digest.update("".join(layout.model_dump_json() for layout in layouts).encode())
    for key, array in _columns(sample).items():
        if key.startswith(_TRUTH) or key in ("weights", "assigned", "pools"):
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
        "blocks": [layout.model_dump(mode="json") for layout in layouts],
        "view": list(sample.view) if sample.view != (FEATURES,) else [],
        "fill": dict(sample.fill or {}),
        "provenance": sample.provenance,
    }
    return {key: value for key, value in facts.items() if value or key not in _OPTIONAL}


def is_known(run: RunFolder, facts: dict[str, Any]) -> bool:
    """Whether a run has a sample already, of these facts of :func:`record`; InputError where it has another."""
    before = run.read("sample.json", SampleFacts)
    if before is not None and before.hash != facts["hash"]:
        raise InputError(
            f"the sample is not the one with which {run.path} began ({before.events} events, "
            f"hash {(before.hash or 'none')[:12]}; now {facts['events']}, {facts['hash'][:12]}): "
            "restore it, or give another folder with --run"
        )
    return before is not None


def _columns(sample: Sample) -> dict[str, NDArray[Any]]:
    """Every array of a sample that has a row per event, by its name on disk; the order enters the hash."""
    found: dict[str, NDArray[Any]] = {"x": sample.features, "y": sample.labels}
    for block in sample.blocks:
        if block.layout.name in _OWN:
            raise InputError(f"a block of the sample has the name '{block.layout.name}', which is taken: give another")
        found[block.layout.name] = block.values
    optional: dict[str, NDArray[Any] | None] = {
        "collisions": sample.collisions,
        "targets": sample.targets,
        "weights": sample.weights,
        "assigned": sample.assigned,
        "pools": sample.pools,
    }
    found |= {key: values for key, values in optional.items() if values is not None}
    return found | {f"{_TRUTH}{name}": values for name, values in sorted(sample.truth.items())}


def write_part(run: RunFolder, sample: Sample, splits: Splits, name: str) -> None:
    """Write one split, with each event's place in the sample; whole or not at all."""
    index = sample.places(name, splits)
    arrays = {"index": index} | {key: values[index] for key, values in _columns(sample).items()}
    path = _place(run, name)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
    os.replace(temporary, path)


def _arrays(run: RunFolder, name: str, facts: SampleFacts) -> dict[str, NDArray[Any]]:
    """The arrays of a split; InputError where they are not those of the sample of ``sample.json``."""
    path = part_path(run, name)
    arrays = member_arrays(run.path, path.relative_to(run.path).as_posix())

    def refuse(what: str) -> NoReturn:
        raise InputError(f"{path}: {what}: restore this part of the sample, or begin a new run")

    if missing := {"index", "x", "y"} - arrays.keys():
        refuse(f"array '{min(missing)}' is missing")
    for key, values in arrays.items():
        if values.ndim < 1 or len(values) != len(arrays["index"]):
            refuse(f"array '{key}' has not one row for each of {arrays['index'].size} events")
    for key, kind in (("index", "iu"), ("x", "f"), ("y", "iu")):
        if arrays[key].dtype.kind not in kind:
            refuse(f"array '{key}' is of type {arrays[key].dtype}")
    if arrays["index"].ndim != 1 or arrays["y"].ndim != 1:
        refuse("places and labels are not one for each event")
    if arrays["x"].ndim != 2 or arrays["x"].shape[1] != len(facts.feature_names):
        refuse(f"events of shape {arrays['x'].shape}, and sample.json has {len(facts.feature_names)} features")
    classes = len(facts.class_names)
    if classes and arrays["y"].size and not 0 <= arrays["y"].min() <= arrays["y"].max() < classes:
        refuse(f"a label that is none of the {classes} classes of sample.json")
    if not np.isfinite(arrays["x"]).all():
        refuse("a feature that is not finite")
    for layout in facts.blocks:
        if layout.name in _OWN or layout.name not in arrays:
            refuse(f"block '{layout.name}' is missing")
        values = arrays[layout.name]
        if values.dtype.kind != "f" or values.shape[1:] != layout.shape or not np.isfinite(values).all():
            refuse(f"block '{layout.name}' is not of finite numbers of shape (events, {layout.shape})")
    weights = arrays.get("weights")
    if weights is not None and (weights.dtype.kind != "f" or weights.ndim != 1 or not np.isfinite(weights).all()):
        refuse("weights are not one finite number for each event")
    pools = arrays.get("pools")
    if pools is not None and (pools.dtype.kind != "i" or pools.ndim != 1):
        refuse("pools are not one whole number for each event")
    return arrays


def sample_facts(run: RunFolder) -> SampleFacts:
    """What ``sample.json`` says; InputError where it is missing or damaged."""
    facts = run.read("sample.json", SampleFacts)
    if facts is None:
        raise InputError(f"{run.path} has no sample.json: the run never got as far as making its sample")
    return facts


def seeing(events: Seen, view: tuple[str, ...]) -> Seen:
    """The same events, of which a model sees other blocks: each family of a study has a view of its own."""
    return events if events.view == view else replace(events, view=view)


def load_part(run: RunFolder, name: str) -> Part:
    """Read one split; InputError where it, or ``sample.json``, is damaged."""
    facts = sample_facts(run)
    arrays = _arrays(run, name, facts)
    blocks = {layout.name: arrays[layout.name] for layout in facts.blocks}
    view_blocks(facts.layouts, facts.view, str(run.path / "sample.json"))
    return Part(
        name, arrays["x"], arrays["y"], arrays.get("targets"), _truth(arrays), facts.class_names, blocks, facts.view,
        arrays.get("weights"), arrays.get("collisions"),
    )  # fmt: skip


def _truth(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(_TRUTH): values for key, values in arrays.items() if key.startswith(_TRUTH)}


def _known_blocks(facts: SampleFacts, arrays: Container[str]) -> tuple[Layout, ...]:
    """What ``sample.json`` says there is; runs of old had constituents, and did not say so."""
    return facts.blocks or ((_constituents(),) if _CONSTITUENTS in arrays else ())


def _constituents() -> Layout:
    from codesign.physics.substructure import CONSTITUENTS  # with numba, which few processes need

    return CONSTITUENTS


def load_sample(run: RunFolder) -> Sample:
    """Put the whole sample together again, every event in its place, so that its split is the same.

    InputError where a split, or ``sample.json``, is damaged.
    """
    facts = sample_facts(run)
    parts = [_arrays(run, name, facts) for name in PARTS]
    for part, name in zip(parts, PARTS, strict=True):
        if others := part.keys() ^ parts[0].keys():
            raise InputError(f"{part_path(run, name)}: array '{min(others)}' is not in every part of the sample")
    places = np.concatenate([part["index"] for part in parts])
    order = np.argsort(places)
    if not np.array_equal(places[order], np.arange(len(places))):
        raise InputError(f"{part_path(run, PARTS[0]).parent}: the parts are not one sample, split: restore them")
    try:
        whole = {key: np.concatenate([part[key] for part in parts])[order] for key in parts[0] if key != "index"}
        return Sample(
            features=whole["x"],
            labels=whole["y"],
            feature_names=facts.feature_names,
            units=facts.units,
            class_names=facts.class_names,
            blocks=tuple(BlockValues(layout, whole[layout.name]) for layout in _known_blocks(facts, whole)),
            provenance=facts.provenance,
            collisions=whole.get("collisions"),
            targets=whole.get("targets"),
            target_names=facts.target_names,
            target_units=facts.target_units,
            truth=_truth(whole),
            held_out=facts.held_out,
            view=facts.view,
            weights=whole.get("weights"),
            assigned=whole.get("assigned"),
            pools=whole.get("pools"),
        )
    except ValueError as error:
        raise InputError(f"{run.path}: parts/ and sample.json are not of one sample: {error}") from None
