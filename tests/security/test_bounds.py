"""Bytes, depths, numbers and times of what is read have bounds; beyond them: one line that names the file."""

from __future__ import annotations

import gzip
import io
import json
import struct
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from codesign.core.errors import CodesignError, InputError
from codesign.core.reading.gz import gunzip
from codesign.core.reading.json import json_of
from codesign.core.reading.npz import npy_array, npz_arrays
from codesign.core.reading.tensor_file import tensors_of
from codesign.core.reading.yaml import yaml_of
from codesign.core.records import TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.core.store import unpack
from codesign.core.targets import load_target
from codesign.data.readers import read_sample
from codesign.graph.reader import read_graph
from codesign.handoff.archive import open_bundle
from codesign.handoff.examination import prove_bundle
from codesign.handoff.inference import Session
from codesign.physics.card import load_card
from codesign.search.cluster import job_queue
from codesign.study.definition import load_study
from tests.security.strangers import bundle_in, forge, run_in


@contextmanager
def refused(match: str, *named: object):
    """One line, soon, that says ``match`` and names what is ``named``."""
    began = time.process_time()
    with pytest.raises(CodesignError, match=match) as caught:
        yield
    assert time.process_time() - began < 2
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2000
    for name in named:
        assert str(name) in str(caught.value)


def bomb(first: str = "[x, x, x, x, x, x, x, x, x, x]", row: str = "[{}]") -> str:
    lines = [f"a{i}: &a{i} {row.format(', '.join([f'*a{i - 1}'] * 10))}" for i in range(1, 12)]
    return "\n".join([f"a0: &a0 {first}", *lines])


YAML = {
    "aliases that multiply": (bomb(), "aliases repeat"),
    "merges that multiply": (bomb("{k: 1, l: 2}", "{{<<: [{}]}}"), "aliases repeat"),
    "an alias within what it repeats": ("name: &n [*n]", "within what it repeats"),
    "a recursive mapping": ("&m\nname: {next: *m}", "within what it repeats"),
    "deep lists": ("name: " + "[" * 20_000, "nested deeper"),
    "deep mappings": ("name: " + "{a: " * 5_000 + "1" + "}" * 5_000, "nested deeper"),
    "deep blocks": ("- " * 3_000 + "1", "nested deeper"),
    "a key twice": ("name: a\ntask: b\nname: c", "key 'name' stands twice, again in line 3"),
    "a key twice, deep": ("search:\n  trials: 1\n  trials: 2\n", "line 3"),
    "5,000 digits": ("seed: " + "9" * 5_000, "5000 characters in line 1"),
    "5,000 hexadecimal digits": ("seed: 0x" + "f" * 5_000, "5002 characters"),
    "base 60": ("seed: 1" + ":59" * 2_000, "characters in line 1"),
    "infinity": ("clock_mhz: .inf", "not a finite number"),
    "no number": ("clock_mhz: .NaN", "not a finite number"),
    "an impossible date": ("name: 2001-99-99", "not what its tag says"),
    "a Python object": ("name: !!python/object/apply:os.system [id]", "not valid YAML"),
    "a million values": ("[" + "1," * 400_000 + "]", "more than 50000 values"),
    "two megabytes": ("# " + "x" * (2 << 20), "are read"),
    "no text": ("name: \0", "not valid YAML"),
}  # fmt: skip


@pytest.mark.parametrize("kind", YAML)
def test_yaml(kind):
    text, why = YAML[kind]
    with refused(why, "a.yaml"):
        yaml_of(text, "a.yaml")


@pytest.mark.parametrize(
    "kind", ["aliases that multiply", "deep lists", "a recursive mapping", "5,000 digits", "a key twice"]
)
@pytest.mark.parametrize("door", [load_study, load_target, load_card, job_queue])
def test_every_door_for_yaml(tmp_path, door, kind):
    pytest.importorskip("dask_jobqueue") if door is job_queue else None
    path = tmp_path / "given.yaml"
    path.write_text(YAML[kind][0])
    with refused(YAML[kind][1], path):
        door(path if door is job_queue else str(path))


def test_yaml_that_is_not_utf8(tmp_path):
    (tmp_path / "s.yaml").write_bytes(b"name: \xff\xfe")
    with refused("not UTF-8", "s.yaml"):
        load_study(str(tmp_path / "s.yaml"))


JSON = {
    "deep lists": ("[" * 100_000, "nested deeper"),
    "deep lists that Python still parses": ("[" * 500 + "]" * 500, "nested deeper"),
    "deep objects": ('{"a":' * 300 + "1" + "}" * 300, "nested deeper"),
    "5,000 digits": ('{"trial": ' + "9" * 5_000 + "}", "5000 digits"),
    "5,000 digits behind a point": ('{"trial": 0.' + "9" * 5_000 + "}", "digits"),
    "NaN": ('{"trial": NaN}', "not a finite number"),
    "infinity": ('{"trial": -Infinity}', "not a finite number"),
    "infinity in digits": ('{"trial": 1e999}', "not a finite number"),
    "a key twice": ('{"trial": 1, "trial": 2}', "'trial' stands twice"),
    "no JSON": ('{"trial": ', "not valid JSON"),
    "a list": ("[1, 2]", "expected"),
}


@pytest.mark.parametrize("kind", JSON)
def test_records(tmp_path, kind):
    text, why = JSON[kind]
    (tmp_path / "status.json").write_text(text)
    run = RunFolder(tmp_path)
    with refused(why, "status.json"):
        run.read("status.json", TrialStatus)
    with refused(why, "status.json"):
        run.read_json("status.json")


def test_records_that_are_no_text_and_too_large(tmp_path):
    (tmp_path / "status.json").write_bytes(b'{"a": "\xff"}')
    with refused("not UTF-8", "status.json"):
        RunFolder(tmp_path).read_json("status.json")
    with (tmp_path / "status.json").open("wb") as stream:
        stream.truncate(1 << 40)  # holes
    with refused("at most", "status.json"):
        RunFolder(tmp_path).read_json("status.json")


def test_numbers_that_are_not_finite_pass_where_a_record_has_them():
    assert json_of('{"a": [NaN, 1e400]}', "s", constants=True)["a"][1] == float("inf")


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


def loop() -> onnx.ModelProto:
    """The model on which onnxruntime never ends: a loop of 2^62 turns."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Identity", ["v"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.INT32, None),
        ],
        [
            helper.make_tensor_value_info("d", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w", TensorProto.INT32, None),
        ],
    )
    nodes = [helper.make_node("Loop", ["n", "yes", "input_codes"], ["output_codes"], body=body)]
    return model(nodes, n=np.array(1 << 62), yes=np.array(True))


def model(nodes, size: int = 16, **constants) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("input_codes", TensorProto.INT32, ["events", size])],
        [helper.make_tensor_value_info("output_codes", TensorProto.INT32, ["events", 5])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def branch():
    empty = helper.make_graph(
        [helper.make_node("Identity", ["input_codes"], ["x"])], "b", [], [helper.make_tensor_value_info("x", 6, None)]
    )
    return model(
        [helper.make_node("If", ["yes"], ["output_codes"], then_branch=empty, else_branch=empty)], yes=np.array(True)
    )


def function():
    made = model([helper.make_node("Twice", ["input_codes"], ["output_codes"], domain="local")])
    made.opset_import.append(helper.make_opsetid("local", 1))
    made.functions.append(
        helper.make_function(
            "local", "Twice", ["x"], ["y"], [helper.make_node("Twice", ["x"], ["y"], domain="local")],
            [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)],
        )
    )  # fmt: skip
    return made


def announced():
    made = model([helper.make_node("MatMul", ["input_codes", "w"], ["output_codes"])], w=np.zeros((16, 5), "i4"))
    made.graph.initializer[0].dims[0] = 1 << 60
    return made


def external():
    made = model([helper.make_node("MatMul", ["input_codes", "w"], ["output_codes"])], w=np.zeros((16, 5), "i4"))
    made.graph.initializer[0].ClearField("raw_data")
    made.graph.initializer[0].data_location = TensorProto.EXTERNAL
    made.graph.initializer[0].external_data.add(key="location", value="/etc/hostname")
    return made


def broadcast():
    """Tensors of 400 kB each, whose sum takes 40 GB."""
    nodes = [helper.make_node("Add", ["a", "b"], ["output_codes"])]
    return model(nodes, a=np.zeros((100_000, 1), "i4"), b=np.zeros((1, 100_000), "i4"))


def expand():
    return model([helper.make_node("Expand", ["input_codes", "s"], ["output_codes"])], s=np.array([1 << 40, 16]))


def drawn():
    return model([helper.make_node("RandomNormal", [], ["output_codes"], shape=[1 << 40])])


def deep() -> bytes:
    """Graphs within graphs, deeper than protobuf's own library writes."""

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b""
    for _ in range(500):
        graph = field(1, field(4, b"If") + field(5, field(6, graph)))
    return field(7, graph)


def long():
    return model([helper.make_node("Identity", [f"x{i}"], [f"x{i + 1}"]) for i in range(30_000)])


MODELS = [loop, branch, function, announced, external, broadcast, expand, drawn, deep, long]


@pytest.mark.parametrize("make", MODELS)
def test_models(tmp_path, make):
    made = make()
    content = made if isinstance(made, bytes) else made.SerializeToString()
    (tmp_path / "model.onnx").write_bytes(content)
    with refused(r"model\.onnx"):
        Session(tmp_path / "model.onnx")
    if make is not drawn:
        with refused("m.onnx|operator"):
            read_graph(content, "m.onnx").run(np.zeros((1, 16)), None)


@pytest.mark.parametrize("content", [b"", b"\x08", b"not a model", bytes(1000), b"\x3a\xff\xff\xff\xff\x0f"])
def test_models_that_are_none(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with refused(r"model\.onnx"):
        Session(tmp_path / "model.onnx")
    with refused("m.onnx"):
        read_graph(content, "m.onnx")


def test_check_of_a_bundle_with_a_loop_ends(tmp_path):
    bundle = bundle_in(tmp_path)
    prove_bundle(bundle)  # what is written is read
    for name in ("codes", "features"):
        forge(bundle, f"onnx/{name}.onnx", loop().SerializeToString())
        report = prove_bundle(bundle)
        assert report.wrong, report.summary()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 1 << 60) + b"{}",
        struct.pack("<Q", 20_000) + b"[" * 20_000,
        struct.pack("<Q", 62) + b'{"a":{"dtype":"F32","shape":[99999999999],"data_offsets":[0,4]}}' + b"1234",
        struct.pack("<Q", 59) + b'{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,999999]}}' + b"1234",
    ],
)  # fmt: skip
def test_tensors(content):
    with refused("safetensors|nested|JSON", "w.safetensors"):
        tensors_of(content, "w.safetensors")


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


def test_a_name_in_onnx_that_is_no_text(tmp_path):
    run, number = run_in(tmp_path)
    content = (run / "trials" / f"{number:04d}" / "model.onnx").read_bytes()
    with refused("m.onnx: not an ONNX file"):
        read_graph(content.replace(b"features", b"feat\xb1res"), "m.onnx")


@pytest.mark.parametrize("key", ["task", "family", "flow", "target"])
def test_a_name_with_line_breaks_is_refused_on_one_line(tmp_path, key):
    from codesign.search.resolve import resolve

    shipped = Path(__file__).parents[2] / "search" / "jet-tagger.yaml"
    study = load_study(str(shipped))
    given = "x\n\x1b[31m"
    changed = {key: study.flow.model_copy(update={"name": given}) if key == "flow" else given}
    with refused(r"x\\n\\x1b"):
        resolve(study.model_copy(update=changed))
