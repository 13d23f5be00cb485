"""No link of what a stranger sent is followed, nor any other way by which a file names another one."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import save

from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.reading.plain import member_bytes, member_names
from codesign.core.runfolder import RunFolder
from codesign.data.readers import read_sample
from codesign.handoff import write_bundle
from codesign.physics.events import open_events
from codesign.pipeline.parts import load_part
from codesign.report import write_report
from tests.security.strangers import run_in

SECRET = b"a secret of the user's"


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "home" / "secret"
    path.parent.mkdir()
    path.write_bytes(SECRET)
    return path


def replaced(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


@pytest.mark.parametrize(
    "name",
    [
        "trials/{}/weights.safetensors",
        "trials/{}/firmware/src/notes.v",
        "trials/{}/bitstream-kv260/top.bit",
        "trials/{}/firmware/program.json.gz",
        "trials/{}/simulation",
    ],
)
def test_hand_off_copies_nothing_from_outside(tmp_path, secret, name):
    run, number = run_in(tmp_path)
    path = run / name.format(f"{number:04d}")
    path.parent.mkdir(exist_ok=True)
    replaced(path, secret if path.suffix else secret.parent)
    with pytest.raises(InputError, match=r"symbolic link.*(links are not followed|leads out of the run)"):
        write_bundle(run, number, tmp_path / "b")
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("name", ["model.onnx", "design.json", "golden.npz", "status.json", "verify.json"])
def test_no_record_is_read_through_a_link(tmp_path, name):
    run, number = run_in(tmp_path)
    path = run / "trials" / f"{number:04d}" / name
    outside = path.rename(tmp_path / f"outside-{name}")
    replaced(path, outside)
    with pytest.raises(InputError, match="symbolic link"):
        write_bundle(run, number, tmp_path / "b")


@pytest.mark.parametrize("name", ["study.yaml", "front.json", "trials", "trials/0003", "parts"])
def test_a_report_follows_none(tmp_path, name):
    run, _ = run_in(tmp_path)
    path = run / name
    if path.exists():
        outside = path.rename(tmp_path / "outside")
        path.symlink_to(outside)
    else:
        path.symlink_to(tmp_path)
    with pytest.raises(InputError, match="symbolic link"):
        write_report(run, tmp_path / "page.html")


def test_a_report_takes_no_linked_file_along(tmp_path, secret):
    run, number = run_in(tmp_path)
    trial = run / "trials" / f"{number:04d}"
    (trial / "simulation").mkdir()
    (trial / "simulation" / "waves.vcd").symlink_to(secret)
    replaced(trial / "firmware" / "figures.json", secret)
    assert SECRET not in write_report(run, tmp_path / "page.html").read_bytes()


def test_a_design_and_a_part_are_no_links(tmp_path, secret):
    run, number = run_in(tmp_path)
    trial = run / "trials" / f"{number:04d}"
    replaced(trial / "model.onnx", secret)
    with pytest.raises(InputError, match="symbolic link"):
        Design.load(trial)
    (run / "parts").mkdir()
    np.savez(tmp_path / "part.npz", x=np.zeros((2, 2)), y=np.zeros(2))
    (run / "parts" / "test.npz").symlink_to(tmp_path / "part.npz")
    with pytest.raises(InputError, match="symbolic link"):
        load_part(RunFolder(run), "test")


def test_the_run_folder_itself_may_be_a_link(tmp_path):
    run, number = run_in(tmp_path)
    (tmp_path / "by-another-name").symlink_to(run)
    assert write_bundle(tmp_path / "by-another-name", number, tmp_path / "b").is_dir()


@pytest.mark.parametrize("name", ["../home/secret", "a/../../home/secret", "/etc/hostname", "", "linked/secret"])
def test_a_name_stays_in_its_folder(tmp_path, secret, name):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "linked").symlink_to(secret.parent)
    with pytest.raises(InputError, match=r"leads out|symbolic link|not a plain file"):
        member_bytes(folder, name)
    with pytest.raises(InputError, match="symbolic link"):
        member_names(folder)


def test_pipes_and_devices_are_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe"):
        member_bytes(tmp_path, "pipe")  # without a wait for a writer
    for path in (Path("/dev/zero"), tmp_path / "pipe", tmp_path):
        with pytest.raises(InputError):
            read_sample(path)


def jets(path: Path, keep) -> None:
    from codesign.data.readers.checks import CLASS_NAMES
    from codesign.physics.substructure import FEATURE_NAMES

    names = [*(f"j_{n}" for n in FEATURE_NAMES), *(f"j_{c}" for c in CLASS_NAMES)]
    table = np.random.default_rng(0).random((40, len(names))).astype("f4")
    table[:, -5:] = np.eye(5)[np.arange(40) % 5]
    with h5py.File(path, "w") as file:
        file["jetFeatureNames"] = [n.encode() for n in names]
        keep(file, table)


def external_link(file, table):
    with h5py.File(Path(file.filename).with_name("other.h5"), "w") as other:
        other["jets"] = table
    file["jets"] = h5py.ExternalLink("other.h5", "/jets")


def soft_link(file, table):
    external_link(file, table)
    file["outer"] = file.get("jets", getlink=True)
    del file["jets"]
    file["jets"] = h5py.SoftLink("/outer")


def raw_file(file, table):
    raw = Path(file.filename).with_name("raw.bin")
    raw.write_bytes(table.tobytes())
    file.create_dataset("jets", table.shape, "f4", external=[(str(raw), 0, table.nbytes)])


def virtual(file, table):
    external_link(file, table)
    del file["jets"]
    layout = h5py.VirtualLayout(table.shape, "f4")
    layout[:] = h5py.VirtualSource("other.h5", "jets", shape=table.shape)
    file.create_virtual_dataset("jets", layout)


def plug_in(file, table):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(table.shape)
    plist.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))  # zstd, which h5py does not bring along
    space = h5py.h5s.create_simple(table.shape)
    h5py.h5d.create(file.id, b"jets", h5py.h5t.IEEE_F32LE, space, plist)


@pytest.mark.parametrize("keep", [external_link, soft_link, raw_file, virtual, plug_in])
def test_hdf5_data_lie_in_their_file(tmp_path, keep):
    jets(tmp_path / "jets.h5", keep)
    with pytest.raises(InputError, match=r"links are not followed|another file|other files|plug-in"):
        read_sample(tmp_path / "jets.h5")
    with h5py.File(tmp_path / "jets.h5", "r+") as file:
        file.move("jets", "Particles")
    with (
        pytest.raises(InputError, match=r"links are not followed|another file|other files|plug-in"),
        open_events(tmp_path / "jets.h5"),
    ):
        pass


def test_hdf5_data_that_do_are_read(tmp_path):
    jets(tmp_path / "jets.h5", lambda file, table: file.create_dataset("jets", data=table, compression="gzip"))
    assert len(read_sample(tmp_path / "jets.h5")) == 40


def test_parquet_columns_lie_in_their_file(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    collected: list = []
    table = pa.table({"a": [1.0, 2.0]})
    pq.write_table(table, tmp_path / "whole.parquet", metadata_collector=collected)
    collected[0].set_file_path("whole.parquet")
    collected[0].write_metadata_file(tmp_path / "index.parquet")
    for read in (read_sample, open_events):
        with pytest.raises(CodesignError, match=r"damaged or truncated|not a file of events"):
            read(tmp_path / "index.parquet")


def test_weights_are_no_link(tmp_path):
    from codesign.core.reading.tensor_file import member_tensors

    (tmp_path / "outside").write_bytes(save({"w": np.zeros(3, dtype=np.float32)}))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "weights.safetensors").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="symbolic link"):
        member_tensors(folder, "weights.safetensors")
