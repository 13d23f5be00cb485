"""Read a sample of jets from a file, whatever its kind: told by what is in it, not by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.reading.detection import head_of, kind_of, name_damage
from codesign.data.readers import arff
from codesign.data.readers import hdf5_samples as hdf5
from codesign.data.readers import npz_samples as npz
from codesign.data.readers import parquet_samples as parquet
from codesign.data.readers import root_samples as root
from codesign.data.readers.checks import digest
from codesign.data.sample import Sample

__all__ = ("read_sample",)

#: kind -> what reads it, given the file and the names of the classes that a study declares
_READERS: dict[str, Callable[[Path, tuple[str, ...] | None], Sample]] = {
    "HDF5": hdf5.read,
    "Parquet": parquet.read,
    "ROOT": root.read,
    "NPZ": npz.read,
    "ARFF": arff.read,
}


def read_sample(path: str | Path, class_names: tuple[str, ...] | None = None) -> Sample:
    """Read jets from HDF5 (hls4ml_lhc_jets), ARFF or Parquet (OpenML's hls4ml_lhc_jets_hlf), NPZ, our Parquet or ROOT.

    ``class_names``: of the classes that numbers in the file stand for, from 0, where the file does not say so itself.

    Returns
    -------
    Sample: features (jets, 16) in the order and units of ``substructure``, labels, and constituents where the file has
    them; ``provenance`` holds the file's name, kind and SHA-256 beside what the file says of itself.

    Raises
    ------
    InputError: no such file, a kind that is not known, a truncated file, a missing column, a value that is not finite,
        a wrong unit, a class that is not known, numbers of classes that nobody named. In one line that names the
        file, the column and the row.
    """
    file = Path(path)
    head = head_of(file)
    kind = kind_of(head)
    if kind is None and b"@relation" in head.lower():  # ARFF is text: comments may come first
        kind = "ARFF"
    if kind is None:
        raise InputError(f"{file}: not a sample: neither HDF5, Parquet, ROOT, NPZ nor ARFF")
    with name_damage(file, kind):
        sample = _READERS[kind](file, class_names)
    sample.provenance.setdefault("origin", "file")
    sample.provenance.update(file=file.name, kind=kind, sha256=digest(file))
    return sample
