"""Write a sample as Parquet and as ROOT, whole or not at all, with units, classes and provenance."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from codesign.core.errors import InputError
from codesign.core.runfolder import write_atomically
from codesign.data.readers.parquet_samples import METADATA_KEY
from codesign.data.readers.root_samples import PARTICLE_BRANCHES
from codesign.data.sample import Sample

__all__ = ("write_parquet", "write_root", "write_sample")


def write_sample(sample: Sample, path: Path) -> None:
    """Write by suffix: ``.parquet`` or ``.root``; InputError for another, or where the place cannot be written."""
    writers = {".parquet": write_parquet, ".root": write_root}
    writer = writers.get(path.suffix.lower())
    if writer is None:
        raise InputError(f"{path}: a sample is written as .parquet or .root, not '{path.suffix or 'without suffix'}'")
    try:
        writer(sample, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from None


def _metadata(sample: Sample) -> str:
    content: dict[str, Any] = {
        "format": 1,
        "units": list(sample.units),
        "class_names": list(sample.class_names),
        "provenance": sample.provenance,
    }
    return json.dumps(content)


def write_parquet(sample: Sample, path: Path) -> None:
    """One row per jet: the features (float32), ``label``, and ``constituents``, a list of 96 numbers (32 times 3)."""
    import pyarrow
    import pyarrow.parquet

    columns = {name: pyarrow.array(sample.features[:, i]) for i, name in enumerate(sample.feature_names)}
    columns["label"] = pyarrow.array(sample.labels)
    if sample.collisions is not None:
        columns["collision"] = pyarrow.array(sample.collisions)
    if sample.constituents is not None:
        flat = pyarrow.array(np.ascontiguousarray(sample.constituents).ravel())
        columns["constituents"] = pyarrow.FixedSizeListArray.from_arrays(
            flat, int(np.prod(sample.constituents.shape[1:]))
        )
    table = pyarrow.table(columns).replace_schema_metadata({METADATA_KEY: _metadata(sample).encode()})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())


def write_root(sample: Sample, path: Path) -> None:
    """A TTree ``jets`` with a branch per feature, ``label`` and the constituents (32 each); a string ``metadata``."""
    import uproot

    branches: dict[str, Any] = {name: sample.features[:, i] for i, name in enumerate(sample.feature_names)}
    branches["label"] = sample.labels
    if sample.collisions is not None:
        branches["collision"] = sample.collisions
    if sample.constituents is not None:
        branches |= {name: sample.constituents[:, :, i] for i, name in enumerate(PARTICLE_BRANCHES)}
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "jets.root"
        with uproot.recreate(whole) as file:
            file["jets"] = branches
            file["metadata"] = _metadata(sample)
        write_atomically(path, whole.read_bytes())
