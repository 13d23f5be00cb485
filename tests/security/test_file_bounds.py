"""What files of arrays, tables and events announce has bounds, and archives unpack to no more than these."""

from __future__ import annotations

import gzip
import io
import json
import struct
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from codesign.core.errors import InputError
from codesign.core.reading.gz import gunzip
from codesign.core.reading.npz import npy_array, npz_arrays
from codesign.core.runfolder import RunFolder
from codesign.core.store import unpack
from codesign.data.files import describe
from codesign.data.readers import read_sample
from codesign.handoff.archive import open_bundle
from tests.security.refusal import refused
from tests.security.strangers import run_in


def zipped(entries: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def many_entries(number: int) -> bytes:
    """A zip of so many empty files, written by hand: zipfile takes seconds."""
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 0, 0, 0, 0, 1, 0) + b"f"
    table = b"".join(
        struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0) + b"%06d" % i
        for i in range(number)
    )
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, number & 0xFFFF, number & 0xFFFF, len(table), len(local), 0)
    return local + table + end


ZIPS = {
    "200,000 entries": (many_entries(200_000), "more than 10000 files"),
    "a name twice": (zipped({"a/x": b"1"})[:-22], "unpacked"),
    "8 GiB of nothing": (
        zipped({"b/x": bytes(1 << 21), "b/y": bytes(1 << 21)}).replace(struct.pack("<L", 1 << 21), b"\xfe\xff\xff\xff"),
        "inflates|not a NumPy array",
    ),
    "no table of contents": (b"PK\3\4" + bytes(100), "table of contents"),
    "a table of contents that is not there": (many_entries(3).replace(b"PK\1\2", b"PK\1\0"), "unpacked"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ZIPS)
def test_zips(tmp_path, kind):
    content, why = ZIPS[kind]
    path = tmp_path / "given.zip"
    path.write_bytes(content)
    with refused(f"{why}|neither a bundle", path), open_bundle(path):
        pass
    with refused(why, path):
        npz_arrays(path)
    began = time.process_time()
    assert unpack(content) is None
    assert time.process_time() - began < 2


def npy(header: str, content: bytes = b"") -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


NPY = {
    "2^60 elements": ("{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976,)}", "announces"),
    "2^60 elements of nothing": (
        "{'descr': '|S0', 'fortran_order': False, 'shape': (1152921504606846976,)}",
        "announces|array",
    ),
    "objects": ("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "pickled objects"),
    "fields": ("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,)}", "only numbers and text"),
    "a negative shape": ("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -1)}", "announces"),
    "a deep header": ("{'descr': " + "(" * 4000 + "}", "not a NumPy array"),
    "a header of 60,000 bytes": ("{'descr': '<f8', " + " " * 60_000 + "}", "not a NumPy array"),
    "code": ("__import__('os').system('true')", "not a NumPy array"),
    "nothing": ("{}", "not a NumPy array"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NPY)
def test_arrays(tmp_path, kind):
    header, why = NPY[kind]
    content = npy(header, b"12345678")
    (tmp_path / "a.npy").write_bytes(content)
    with refused(why, "a.npy"):
        npy_array(tmp_path / "a.npy")
    (tmp_path / "a.npz").write_bytes(zipped({"features.npy": content, "labels.npy": content}))
    with refused(why, "a.npz", "features"):
        npz_arrays(tmp_path / "a.npz")
    with refused(why, "a.npz"):
        read_sample(tmp_path / "a.npz")


def test_arrays_come_back(tmp_path):
    given = {
        "a": np.arange(12.0).reshape(3, 4),
        "turned": np.asfortranarray(np.arange(12).reshape(3, 4)),
        "text": np.array(["a", "bc"]),
        "empty": np.zeros((0, 4), dtype="f4"),
        "none": np.float64(3),
        "yes": np.array([True, False]),
    }
    np.savez_compressed(tmp_path / "a.npz", **given)
    found = npz_arrays(tmp_path / "a.npz")
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
        assert found[name].shape == array.shape
    assert set(npz_arrays(tmp_path / "a.npz", ["a", "b"])) == {"a"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(bytes(64 << 20), mtime=0), "inflates to more"),
        (gzip.compress(b"abc", mtime=0)[:-4], "truncated"),
        (gzip.compress(b"abc", mtime=0) * 2, "more follows"),
        (b"no gzip", "damaged"),
        (gzip.compress(b"abc", mtime=0).replace(b"KLJ", b"KLI"), "damaged"),
    ],
)
def test_gzip(content, why):
    with refused(why, "p.gz"):
        gunzip(content, "p.gz", 1 << 20)


def test_a_program_of_a_run_folder(tmp_path):
    run, number = run_in(tmp_path)
    path = run / "trials" / f"{number:04d}" / "firmware" / "program.json.gz"
    assert path.is_file()
    path.write_bytes(gzip.compress(b"[" * (300 << 20), compresslevel=1))
    from codesign.flows.alkaid.alkaid_files import load_program

    began = time.process_time()
    with pytest.raises(InputError, match="inflates to more"):
        load_program(path)
    assert time.process_time() - began < 4


@pytest.mark.parametrize("shape", [(1 << 40, 21), (1 << 20, 1 << 20), (1 << 59,)])
def test_hdf5_that_announces_what_it_lacks(tmp_path, shape):
    with h5py.File(tmp_path / "j.h5", "w") as file:
        file.create_dataset("jets", shape, "f4", chunks=tuple(min(20, n) for n in shape), compression="gzip")
        file["jetFeatureNames"] = [b"a"]
    with refused("announces", "j.h5", "jets"):
        read_sample(tmp_path / "j.h5")


def test_parquet_that_repeats_one_value_without_end(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000_000, dtype="i1")), pa.array([1.0]))
    pq.write_table(pa.table({"zg": column}), tmp_path / "j.parquet", compression="zstd")
    assert (tmp_path / "j.parquet").stat().st_size < 1 << 17
    with refused("announces", "j.parquet"):
        read_sample(tmp_path / "j.parquet")


def test_root_files_name_classes_by_names(tmp_path):
    import uproot

    from codesign.core.reading.rootfile import opened_root

    path = tmp_path / "e.root"
    with uproot.recreate(path, compression=None) as file:
        file.mktree("Events", {"a": "f8"}).extend({"a": np.zeros(3)})
    opened_root(path).close()
    content = path.read_bytes()
    for name in (b"fEntries", b"fTitle", b"fName", b"fWeight", b"fTotBytes"):
        assert name in content
        evil = b"x');" + b"y" * (len(name) - 4) if len(name) > 4 else b"x');"
        path.write_bytes(content.replace(name, evil))
        with refused("describes a class or member with the name", "e.root"):
            opened_root(path)


def test_root_files_describe_their_classes_once(tmp_path):
    """With a class that is known to nobody in the descriptions, uproot alone reads them until Python's stack ends."""
    import uproot

    from codesign.core.reading.rootfile import opened_root

    path = tmp_path / "e.root"
    with uproot.recreate(path, compression=None) as file:
        file.mktree("Events", {"a": "f8"}).extend({"a": np.zeros(3)})
    content = path.read_bytes()
    path.write_bytes(content.replace(b"TStreamerBasicType\0", b"TStreamerBasicTypo\0", 1))
    with pytest.raises(ValueError, match="only they could describe"):
        opened_root(path)
    with refused("damaged", "e.root"):
        describe(path)


def test_a_whole_run_is_read_as_ever(tmp_path):
    run, _ = run_in(tmp_path)
    assert len(RunFolder.open(Path(run)).trials()) == 12
    assert json.loads((run / "front.json").read_text()) == RunFolder(run).read_json("front.json")


def named_hdf5(folder: Path) -> tuple[Path, int]:
    """Jets whose names are texts of variable length, and where the heap of these lies."""
    from tests.security.fuzzing.files import _jets

    path = _jets(folder, ".h5")
    return path, path.read_bytes().index(b"GCOL")


@pytest.mark.parametrize(
    ("at", "bytes_"),
    [
        (0, b"GCOX"),
        (4, b"\x02"),
        (8, struct.pack("<Q", 1 << 40)),
        (24, struct.pack("<Q", 2**64 - 16)),  # an object whose end is its beginning: HDF5 never comes to the next
        (24, struct.pack("<Q", 1 << 62)),
        (16, struct.pack("<HHIQ", 0, 0, 0, 0)),  # free space of no length
    ],
)
def test_texts_of_hdf5_lie_in_a_whole_heap(tmp_path, at, bytes_):
    path, heap = named_hdf5(tmp_path)
    assert read_sample(path).features.shape == (40, 16)
    content = bytearray(path.read_bytes())
    content[heap + at : heap + at + len(bytes_)] = bytes_
    path.write_bytes(content)
    with refused("the texts of 'jetFeatureNames' are damaged", path):
        read_sample(path)


def test_texts_of_hdf5_in_pieces_are_refused(tmp_path):
    path, _ = named_hdf5(tmp_path)
    with h5py.File(path, "a") as file:
        names = file["jetFeatureNames"][:]
        del file["jetFeatureNames"]
        file.create_dataset("jetFeatureNames", data=names, chunks=(7,))
    with refused("of variable length, in pieces", path):
        read_sample(path)
