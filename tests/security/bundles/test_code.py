"""Code in bundles from somebody who means harm: none of it is built, simulated or interpreted."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from codesign.cli import app
from tests.security.bundles.forging import check, is_wrong, put, seal


def marker(tmp_path, text):
    """Code that leaves a file behind where it runs, and where that file would be."""
    place = tmp_path / "it-ran"
    return text.replace("@", str(place)).encode(), place


EMULATOR = {
    "made_up_v1.cpp": '#include <cstdlib>\nstatic int x = std::system("touch @");\n',
    "made_up_v1.h": '#include <cstdlib>\nstatic int y = std::system("touch @");\n',
    "emulator.h": '#include <cstdio>\nstatic auto* z = std::fopen("@", "w");\n',
    "Makefile": "X := $(shell touch @)\n",
    "GNUmakefile": "all:\n\ttouch @\n%.so:\n\ttouch @\n",
}


def infect(bundle, tmp_path, file):
    """Put code into a file of the emulator; where it would leave its mark."""
    content, place = marker(tmp_path, EMULATOR[file])
    path = bundle / "emulator" / file
    path.write_bytes(content + (path.read_bytes() if path.exists() else b""))
    seal(bundle)
    return place


@pytest.mark.parametrize("file", EMULATOR)
def test_no_code_of_an_emulator_is_built_to_check_it(bundle, tmp_path, file):
    place = infect(bundle, tmp_path, file)
    assert f"emulator/{file}" in is_wrong(bundle, "emulator/", "--emulator")
    assert not place.exists()


def test_no_code_of_an_emulator_is_built_to_apply_it(bundle, tmp_path):
    places = [infect(bundle, tmp_path, file) for file in EMULATOR]
    names = json.loads((bundle / "design.json").read_text())["inputs"]["labels"]
    table = pyarrow.table({name: np.zeros(3, np.float32) for name in names})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    arguments = ["apply", bundle, tmp_path / "x.parquet", "-o", tmp_path / "scores.parquet", "--emulator"]
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    assert done.exit_code == 0, (done.output, done.exception)
    assert not any(place.exists() for place in places)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("firmware/src/codesign_top.v", 'module x; initial $system("touch @"); endmodule\n'),
        ("firmware/src/codesign_top.v", 'module x; initial $c("system(\\"touch @\\");"); endmodule\n'),
        ("firmware/src/static/mux.v", '`include "/etc/passwd"\n'),
        ("firmware/src/logic0.v", 'module x; integer f; initial f = $fopen("@", "w"); endmodule\n'),
        ("firmware/src/more.v", 'import "DPI-C" function int system(string x);\n'),
        ("firmware/build_vivado_prj.tcl", "exec touch @\n"),
        ("firmware/firmware.json", " "),
        ("firmware/program.json.gz", "no program"),
    ],
)
def test_no_verilog_of_a_bundle_is_simulated(bundle, tmp_path, file, text):
    content, place = marker(tmp_path, text)
    path = bundle / file
    path.write_bytes((path.read_bytes() if path.exists() else b"") + content)

    def listed(manifest):
        if file.endswith("more.v"):
            manifest["sources"].append(file)

    seal(bundle, listed)
    code, statements, _ = check(bundle, "--rtl")
    assert code == 1, "it passed"
    assert file in statements["firmware/"]["detail"]
    assert "not simulated" in statements["firmware/, run"]["detail"]
    assert not place.exists()


@pytest.mark.parametrize(
    "files",
    [
        ("testbench/tb.sv", "axi/codesign_axi.v", "vivado/build.tcl", "triton/made-up/config.pbtxt", "run-me.sh"),
        ("testbench/inputs.mem", "axi/more.v", "vivado/ooc.tcl", "triton/made-up/1/model.py", "setup/install.py"),
    ],
)
def test_a_file_that_is_not_what_codesign_writes(bundle, files):
    for file in (*files, "README.md"):
        path = bundle / file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n# exec touch it-ran\n")
    seal(bundle)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    wrong = {name: s["detail"] for name, s in statements.items() if s["outcome"] == "wrong"}
    assert list(wrong) == ["other files", "README.md", "triton/", "axi/", "testbench/", "vivado/"]
    assert all(any(file in detail for detail in wrong.values()) for file in files)


def test_parts_that_are_missing(bundle):
    folders = ("testbench", "axi", "vivado", "emulator", "triton")
    for folder in folders:
        shutil.rmtree(bundle / folder)
    seal(bundle)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert all("is missing" in statements[f"{folder}/"]["detail"] for folder in folders)


# ONNX that hangs


def endless(size):
    """A model that loops for ever, with the inputs and outputs of a bundle's."""

    def scalar(name, kind):
        return helper.make_tensor_value_info(name, kind, [])

    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [scalar("i", TensorProto.INT64), scalar("go", TensorProto.BOOL)],
        [scalar("on", TensorProto.BOOL)],
    )
    nodes = [
        helper.make_node("Loop", ["", "always"], [], body=body),
        helper.make_node("Identity", ["input_codes"], ["output_codes"]),
    ]
    ends = [
        helper.make_tensor_value_info(n, TensorProto.INT32, ["events", size]) for n in ("input_codes", "output_codes")
    ]
    always = helper.make_tensor("always", TensorProto.BOOL, [], [True])
    graph = helper.make_graph(nodes, "endless", ends[:1], ends[1:], [always])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.mark.parametrize("file", ["onnx/codes.onnx", "onnx/features.onnx", "model.onnx"])
@pytest.mark.parametrize("version", ["0.1.0", "0.0.9"])
def test_a_network_that_never_ends(bundle, file, version):
    (bundle / file).write_bytes(endless(16))
    seal(bundle, put("codesign", value=version))
    code, statements, said = check(bundle)
    if file == "model.onnx":
        assert code == 1
        assert "a loop or a branch" in statements["design"]["detail"], said
    elif version == "0.1.0":
        assert statements["onnx/"]["outcome"] == "wrong"
    else:
        assert "a loop or a branch" in statements[f"{file}, run"]["detail"]
