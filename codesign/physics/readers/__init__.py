"""Read a sample of jets from a file, whatever its kind: told by what is in it, not by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from codesign.errors import InputError
from codesign.physics.readers import arff, hdf5, npz, parquet, root
from codesign.physics.readers.checks import digest
from codesign.physics.sample import Sample

__all__ = ("read_sample",)

#: What a file begins with, its kind, and who reads it.
_KINDS: tuple[tuple[bytes, str, Callable[[Path], Sample]], ...] = (
    (b"\x89HDF\r\n\x1a\n", "HDF5", hdf5.read),
    (b"PAR1", "Parquet", parquet.read),
    (b"root", "ROOT", root.read),
    (b"PK\x03\x04", "NPZ", npz.read),
)


def read_sample(path: str | Path) -> Sample:
    """Read jets from HDF5 (hls4ml_lhc_jets), ARFF or Parquet (OpenML's hls4ml_lhc_jets_hlf), NPZ, our Parquet or ROOT.

    Returns
    -------
    Sample: features (jets, 16) in the order and units of ``substructure``, labels, and constituents where the file has
    them; ``provenance`` holds the file's name, kind and SHA-256 beside what the file says of itself.

    Raises
    ------
    InputError: no such file, a kind that is not known, a truncated file, a missing column, a value that is not finite,
        a wrong unit, a class that is not known. In one line that names the file, the column and the row.
    """
    file = Path(path)
    if not file.is_file():
        raise InputError(f"{file}: no such file")
    with file.open("rb") as stream:
        head = stream.read(4096)
    found = next(((kind, reader) for magic, kind, reader in _KINDS if head.startswith(magic)), None)
    if found is None and b"@relation" in head.lower():  # ARFF is text: comments may come first
        found = ("ARFF", arff.read)
    if found is None:
        raise InputError(f"{file}: not a sample: neither HDF5, Parquet, ROOT, NPZ nor ARFF")
    kind, reader = found
    try:
        sample = reader(file)
    except InputError:
        raise
    except ImportError as error:
        raise InputError(f"{file}: reading {kind} needs the package '{error.name}': pip install {error.name}") from None
    except Exception as error:  # each library has errors of its own for a damaged file
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{file}: damaged or truncated {kind} file ({reason})") from None
    sample.provenance.setdefault("origin", "file")
    sample.provenance.update(file=file.name, kind=kind, sha256=digest(file))
    return sample
