"""Bad event files, really made: each gives one line that names the file and the branch, and nothing is half-written."""

from __future__ import annotations

import lzma
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import awkward as ak
import h5py
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import uproot

from codesign.core.errors import InputError
from codesign.data.files import describe
from codesign.physics.events import container, read_events, write_events
from tests.physics.events.toy import toy_events, write_tree


def refused(path: Path, pattern: str, fields=("Jet", "run")) -> None:
    with pytest.raises(InputError, match=pattern) as caught:
        list(read_events(path, fields))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


FORMS = [("e.root", "ttree"), ("e.root", "rntuple"), ("e.parquet", "parquet")]


@pytest.mark.parametrize(("name", "form"), FORMS)
def test_truncated(name: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / name
    write_events(path, toy_events(300), form)
    content = path.read_bytes()
    for size in (len(content) * 3 // 4, len(content) // 2, len(content) - 12, 30):
        path.write_bytes(content[:size])
        refused(path, "truncated|damaged")
        with pytest.raises(InputError, match=name):
            describe(path)
        with pytest.raises(InputError):  # and a copy of it is not begun
            write_events(tmp_path / "copy.root", read_events(path))
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_not_events(tmp_path: Path) -> None:
    path = tmp_path / "e.root"
    refused(path, "no such file")
    path.touch()
    refused(path, "the file is empty")
    for content in (b"hello", bytes(range(256)), b"PK\x03\x04" + bytes(100)):
        path.write_bytes(content)
        refused(path, "not a file of events")
    write_tree(path, "jets", {"tau1": np.arange(3.0)})
    refused(path, "no columns with names that are known")
    with uproot.recreate(path) as file:
        file["a"], file["b"] = "x", "y"
    refused(path, "no tree 'Events' or 'Delphes'; trees in it: none")


@pytest.mark.parametrize(("name", "form"), FORMS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(name: str, form: str, value: float, tmp_path: Path) -> None:
    events = toy_events(200)
    eta = ak.to_numpy(ak.flatten(events.Jet.eta)).copy()
    eta[400] = value
    event = int(np.searchsorted(np.cumsum(ak.num(events.Jet)), 400, side="right"))
    broken = ak.with_field(events, ak.unflatten(eta, ak.num(events.Jet)), ("Jet", "eta"))
    path = tmp_path / name
    write_events(path, broken, form)
    with pytest.raises(InputError, match=rf"branch 'Jet_eta', event {event}: -?(nan|inf) is not a finite number"):
        list(read_events(path, ["Jet"], 30))
    assert describe(path)["fields"]["Jet.eta"]["not finite"] == 1
    assert ak.all(ak.concatenate(list(read_events(path, ["Jet.pt"]))).Jet.pt == events.Jet.pt)


def test_wrong_types_and_lengths(tmp_path: Path) -> None:
    path = tmp_path / "e.root"
    pt = ak.values_astype(ak.Array([[1, 2], [], [3]]), np.float32)
    write_tree(path, "Events", {"Jet_pt": pt, "Jet_eta": ak.Array([[1.0], [], [3.0]])})
    refused(path, r"branch 'Jet_eta', event 0: 1 values, but 'Jet_pt' has 2", ["Jet"])
    write_tree(path, "Events", {"Jet_pt": pt, "Jet_eta": np.ones(3)})
    refused(path, r"branch 'Jet_eta' holds one value per event, but 'Jet_pt' holds a list", ["Jet"])
    write_tree(path, "Events", {"Jet_pt": np.ones((3, 2)), "run": np.arange(3)})
    refused(path, r"branch 'Jet_pt' holds .*, not numbers", ["Jet.pt"])
    with uproot.recreate(path) as file:
        file.mkrntuple("Events", {"run": ak.Array(["a", "b"]), "Jet_pt": ak.Array([[["x"]], []])})
    refused(path, r"branch 'run' holds std::string, not numbers", ["run"])
    refused(path, r"branch 'Jet_pt' holds .*, not numbers", ["Jet.pt"])
    write_tree(path, "Events", {"Jet_pt": pt * 1e5})
    refused(path, r"branch 'Jet_pt': a median of .* is too large for GeV; is it in MeV\?", ["Jet"])
    path = tmp_path / "e.parquet"
    for column, reason in (
        (pyarrow.array([[1.0], None]), "branch 'Jet_pt', event 1: no value"),
        (pyarrow.array([[1.0], [None]]), "branch 'Jet_pt', .*: a list has an empty place"),
        (pyarrow.array([["a"], ["b"]]), "branch 'Jet_pt' holds list<.*string>, not numbers"),
    ):
        pyarrow.parquet.write_table(pyarrow.table({"Jet_pt": column}), path)
        refused(path, reason, ["Jet.pt"])


def basket_of(path: Path, branch: str) -> tuple[int, int]:
    """Place in the file and length of a branch's first basket."""
    with uproot.open(path) as file:
        found = file["Events"][branch]
        return int(found.member("fBasketSeek")[0]), int(found.member("fBasketBytes")[0])


def test_basket_that_claims_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "e.root"
    write_events(path, toy_events(500))
    seek, _ = basket_of(path, "Jet_pt")
    content = bytearray(path.read_bytes())
    content[seek + 6 : seek + 10] = struct.pack(">i", 2_000_000_000)  # fObjlen of the TKey
    path.write_bytes(content)
    refused(path, r"branch 'Jet_pt', basket 0 claims to inflate to 2000 MB; the most that is read is 537 MB")
    assert ak.num(next(read_events(path, ["Jet.eta"])), axis=0) == 500  # the others are as they were


def bomb(method: str, size: int) -> bytes:
    """A compressed block of ROOT that says it holds 1000 bytes, and holds ``size`` zeros."""
    import cramjam

    zeros = bytes(size)
    if method == "ZL":
        data = zlib.compress(zeros)
    elif method == "XZ":
        data = lzma.compress(zeros, preset=0)
    elif method == "ZS":
        data = bytes(cramjam.zstd.compress(zeros))
    else:
        import xxhash

        data = bytes(cramjam.lz4.compress_block(zeros, store_size=False))
        data = xxhash.xxh64(data).digest() + data
    return method.encode() + b"\x08" + len(data).to_bytes(3, "little") + (1000).to_bytes(3, "little") + data


READ = """
import sys
from pathlib import Path
from codesign.core.errors import InputError
from codesign.physics.events import read_events
def peak():  # not ru_maxrss: that begins with what the parent has
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
before = peak()
next(read_events(sys.argv[1], ["Jet.eta"]))
try:
    list(read_events(sys.argv[1], ["Jet.pt"]))
except InputError as error:
    print(error)
print(peak() - before)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file whose baskets are large enough to be replaced by a bomb."""
    path = tmp_path_factory.mktemp("large") / "e.root"
    write_events(path, toy_events(60_000)[["Jet"]])
    return path.read_bytes()


@pytest.mark.parametrize(("method", "size"), [("ZL", 6 * 10**8), ("XZ", 4 * 10**8), ("ZS", 10**9), ("L4", 10**8)])
def test_basket_that_holds_gigabytes(method: str, size: int, large: bytes, tmp_path: Path) -> None:
    path = tmp_path / "e.root"
    path.write_bytes(large)
    seek, length = basket_of(path, "Jet_pt")
    header = int.from_bytes(large[seek + 14 : seek + 16], "big")
    block = bomb(method, size)
    assert len(block) < length - header
    content = bytearray(large)
    content[seek + 6 : seek + 10] = struct.pack(">i", 1000)
    content[seek + header : seek + header + len(block)] = block
    path.write_bytes(content)
    run = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=True)
    error, used = run.stdout.strip().splitlines()
    assert "branch 'Jet_pt', events 0 to 60000: damaged or truncated" in error
    assert int(used) < 250_000  # kB, most of it libraries


def test_column_of_which_arrow_cannot_speak(tmp_path: Path) -> None:
    """A footer where a column's optional values are said to be required: asked for its size, Arrow ends the process."""
    path = tmp_path / "e.parquet"
    columns = {name: pyarrow.array(np.arange(50, dtype=np.float32)) for name in ("MET_pt", "MET_phi")}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    content = path.read_bytes()
    optional, required = b"\x25\x02\x18\x06MET_pt", b"\x25\x00\x18\x06MET_pt"
    assert content.count(optional) == 1
    path.write_bytes(content.replace(optional, required))
    command = f"from codesign.physics.events import read_events; list(read_events({str(path)!r}, ['MET']))"
    run = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr  # not by a signal
    assert "damaged or truncated" in run.stderr.splitlines()[-1]


@pytest.mark.parametrize(("name", "form"), FORMS[1:])
def test_pieces_too_large(name: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / name
    write_events(path, toy_events(2000), form)
    monkeypatch.setattr(container, "MOST_INFLATED", 10_000)
    fields = ["Jet.pt"]
    if form == "rntuple":
        refused(path, "claims to inflate to .* MB; the most that is read", fields)
    else:
        refused(path, r"branch 'Jet_pt', row group 0 claims to inflate", fields)


def test_hdf5_chunk_that_claims_gigabytes(tmp_path: Path) -> None:
    path = tmp_path / "e.h5"
    with h5py.File(path, "w") as file:  # all zeros: a few kB on disk
        file.create_dataset("Particles", (40_000_000, 19, 4), "f4", chunks=(10_000_000, 19, 4), compression="gzip")
    refused(path, r"'Particles' announces 12160000000 bytes, and the file holds 0 of it", ["Jet"])


def test_line_without_end(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("1;a;1;1;1;" + "j,1,1,1,1;" * 300_000)
    refused(path, r"line 1: ", ["Jet"])


def test_every_flipped_byte_is_an_error_or_harmless(tmp_path: Path) -> None:
    """Whatever is damaged, either the events come, or an InputError of one line; never another exception."""
    path = tmp_path / "e.root"
    write_events(path, toy_events(60))
    content = path.read_bytes()
    random = np.random.default_rng(5)
    seen = []
    for place in random.integers(0, len(content), 60):
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            list(read_events(path))
        except InputError as error:
            seen.append(str(error))
    assert len(seen) > 2
    assert not any("\n" in error for error in seen)
