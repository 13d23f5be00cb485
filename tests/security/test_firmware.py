"""A run folder from somebody else: nothing in it is run, and firmware is what its design compiles to here."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess

import numpy as np
import pytest

from codesign.core import plugins
from codesign.core.errors import InputError
from codesign.core.probes import probe_codes
from codesign.flows import reopening as door
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.base import Flow
from codesign.flows.finn.environment import availability
from codesign.pipeline.flow_comparison import compare_flows
from codesign.pipeline.trial import firmware_for
from codesign.training.export import qonnx_codes
from tests.security.shared_run import TARGET, contents, made_by_ann


@pytest.fixture
def compiled(monkeypatch):
    """How often alkaid compiled."""
    count, compile_ = [], Alkaid.compile

    def counted(self, *given, **how):
        count.append(1)
        return compile_(self, *given, **how)

    monkeypatch.setattr(Alkaid, "compile", counted)
    return count


# ------------------------------------------------------------------------------------------------------- what is honest
def test_ones_own_is_loaded_as_it_is(shared, compiled):
    assert shared.open().folder == shared.trial.firmware
    assert compiled == []


def test_somebody_elses_is_made_again_once_and_is_then_ones_own(shared, compiled, become):
    before = contents(shared.trial.firmware)
    become("bob")
    for _ in range(2):
        firmware = shared.open()
        assert firmware.folder == shared.trial.firmware
    assert compiled == [1]
    after = contents(shared.trial.firmware)
    assert {n for n in before | after if before.get(n) != after.get(n)} == {".seal.json"}
    assert [p.name for p in shared.trial.path.iterdir() if p.name.startswith(".compiling")] == []


def test_a_run_of_before_there_were_seals_is_taken_the_same_way(shared, compiled):
    (shared.trial.firmware / ".seal.json").unlink()
    shared.open()
    shared.open()
    assert compiled == [1]


def test_beside_a_folder_that_cannot_be_written(shared, compiled, become, monkeypatch):
    become("bob")
    before = contents(shared.trial.path)
    mkdtemp = door.tempfile.mkdtemp

    def refused(dir=None, **how):
        if dir is not None:
            raise OSError(30, "Read-only file system")
        return mkdtemp(**how)

    monkeypatch.setattr(door.tempfile, "mkdtemp", refused)
    firmware = shared.open()
    assert not firmware.folder.is_relative_to(shared.run.path)
    assert Alkaid().predict(firmware, probe_codes(shared.design.inputs)[:4]).shape == (4, 5)
    assert contents(shared.trial.path) == before
    assert compiled == [1]


def test_with_the_settings_that_it_was_compiled_with(shared, become):
    config = shared.trial.read_json("config.json")
    shared.trial.write("config.json", config | {"flow.stage_delay": 1.0})
    become("bob")
    assert shared.open(again=True).settings == {"stage_delay": 1.0}
    shared.trial.write("config.json", config | {"flow.stage_delay": "$(touch x)"})
    with pytest.raises(InputError, match="settings of the flow") as caught:
        shared.open()
    assert "\n" not in str(caught.value)


# ------------------------------------------------------------------------------------------------------------- Verilog
VERILOG = {
    "system": 'initial $system("touch {}");\nendmodule',
    "C": 'initial $c("system(\\"touch {}\\");");\nendmodule',
    "macro": '`define S $system\ninitial `S("touch {}");\nendmodule',
    "another file": '`include "{}"\nendmodule',
    "DPI": 'import "DPI-C" function int system(input string s);\ninitial system("touch {}");\nendmodule',
}


@pytest.mark.parametrize(
    ("spelling", "where"), list(zip(VERILOG, ("codesign_top.v", "codesign_core.v", "static/mux.v") * 2, strict=False))
)
def test_verilog_that_was_changed_is_refused_and_by_again_made_anew(spelling, where, shared, become, marker):
    path = shared.trial.firmware / "src" / where
    honest = contents(shared.trial.firmware)
    path.write_text(path.read_text().replace("endmodule", VERILOG[spelling].format(marker)))
    for user in ("ann", "bob"):
        become(user)
        with pytest.raises(InputError, match=rf"trial {shared.trial.number}: .*{path.name} is not what") as caught:
            firmware_for(shared.run, shared.trial.number, None)
        assert "--again" in str(caught.value)
        assert "\n" not in str(caught.value)
    shared.open(again=True)
    assert {n: c for n, c in contents(shared.trial.firmware).items() if n != ".seal.json"} == {
        n: c for n, c in honest.items() if n != ".seal.json"
    }
    assert marker.name in (shared.trial.path / "firmware.before" / "src" / where).read_text(), "kept, to be looked at"


def _adds_a_source(folder, marker):
    (folder / "src" / "evil.v").write_text(f'module evil; initial $system("touch {marker}"); endmodule\n')
    return {"sources": ["src/evil.v", *json.loads((folder / "firmware.json").read_text())["sources"]]}


def _takes_a_source_from_elsewhere(folder, marker):
    (folder.parent / "evil.v").write_text(f'module evil; initial $system("touch {marker}"); endmodule\n')
    return {"sources": ["../evil.v"], "top": "evil"}


def _gives_tools_an_option(folder, marker):
    return {"sources": [f'x"\nexec -- touch {marker}\n#.v'], "top": f"codesign_top; exec -- touch {marker}"}


def _another_program(folder, marker):
    (folder / "program.json.gz").write_bytes(gzip.compress(b'{"model": 1}'))
    return {}


def _other_figures(folder, marker):
    return {"lut": 1.0, "latency_cycles": 1, "notes": ["\x1b[31m"]}


@pytest.mark.parametrize(
    "attack",
    [_adds_a_source, _takes_a_source_from_elsewhere, _gives_tools_an_option, _another_program, _other_figures],
)
def test_records_of_a_stranger_are_not_believed(attack, shared, become, marker):
    honest = shared.open()
    become("bob")
    folder = shared.trial.firmware
    record = json.loads((folder / "firmware.json").read_text())
    (folder / "firmware.json").write_text(json.dumps(record | attack(folder, marker)))
    firmware = shared.open()
    assert (firmware.sources, firmware.top, firmware.extra) == (honest.sources, honest.top, honest.extra)
    codes = probe_codes(shared.design.inputs)[:10]
    assert np.array_equal(Alkaid().predict(firmware, codes), qonnx_codes(shared.design, codes))
    assert not (firmware.folder / "src" / "evil.v").exists()


@pytest.mark.parametrize("seal", ["theirs", "no JSON", "a list", "deep", "another folder's"])
def test_a_seal_that_is_none(seal, shared, become, compiled, tmp_path, tiny):
    become("bob")
    path = shared.trial.firmware / ".seal.json"
    theirs = path.read_text()
    shared.open()
    own = path.read_text()
    path.write_text(
        {
            "theirs": json.dumps({**json.loads(own), "seal": json.loads(theirs)["seal"]}),
            "no JSON": "{",
            "a list": json.dumps([own]),
            "deep": "[" * 3000,
            "another folder's": own,
        }[seal]
    )
    if seal == "another folder's":
        (shared.trial.firmware / "src" / "more.v").write_text("module more; endmodule\n")
    shared.open()
    assert compiled == [1, 1]


def test_a_seal_is_broken_by_any_byte_name_or_file(shared):
    def own():
        return door.firmware_in(shared.trial.firmware, shared.flow, shared.design, TARGET) is not None

    assert own()
    for path in [p for p in shared.trial.firmware.rglob("*") if p.is_file()]:
        content = path.read_bytes()
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        assert not own(), path
        path.write_bytes(content)
        path.rename(path.with_name(f"{path.name}x"))
        assert not own(), path
        path.with_name(f"{path.name}x").rename(path)
    assert own()
    (shared.trial.firmware / "src" / "more").touch()
    assert not own()


@pytest.mark.parametrize("link", ["simulation", "log.txt", "firmware/src/codesign_top.v", "firmware", "synthesis/x"])
def test_links_that_lead_out_are_not_followed(link, shared, become, tmp_path):
    become("bob")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    path = shared.trial.path / link
    path.parent.mkdir(exist_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(outside / "precious" if "." in link else outside)
    with pytest.raises(InputError, match="symbolic link that leads out") as caught:
        firmware_for(shared.run, shared.trial.number, None)
    assert "\n" not in str(caught.value)
    assert contents(outside) == {"precious": b"mine"}


def test_a_comparison_of_flows_compiles_what_is_not_ones_own(shared, become, monkeypatch, compiled, marker):
    monkeypatch.setattr(plugins, "names", lambda kind: ["alkaid"])
    become("bob")
    path = shared.trial.firmware / "src" / "codesign_top.v"
    path.write_text(path.read_text().replace("endmodule", VERILOG["system"].format(marker)))
    (result,) = compare_flows(shared.run, [shared.trial.number], quick=True).results
    assert (result.equal, result.failed) == (True, {})
    assert compiled == [1]


# ------------------------------------------------------------------------------------------------- C++, libraries, FINN
def evil_library(path, marker):
    source = path.parent / "evil.cpp"
    source.write_text(
        f'#include <fstream>\n__attribute__((constructor)) void f() {{ std::ofstream("{marker}"); }}\n'
        'extern "C" void codesign_hls_double(double*, double*) {}\n'
    )
    subprocess.run(["g++", "-shared", "-fPIC", "-o", path, source], check=True)
    source.unlink()


@pytest.mark.slow
@pytest.mark.skipif(not plugins.load(Flow, "hls4ml").available().available, reason="hls4ml is not installed")
def test_a_strangers_hls_project_is_compiled_from_what_is_written_here(become, tiny, tmp_path, marker):
    shared = made_by_ann(tmp_path / "run", tiny, "hls4ml")
    project = shared.trial.firmware / "project"
    codes = probe_codes(tiny.inputs)[:50]
    expected = shared.flow.predict(shared.open(), codes)
    become("bob")
    evil_library(project / "csim.so", marker)
    (project / "firmware" / "weights" / "w2.txt").unlink(missing_ok=True)
    assert np.array_equal(shared.flow.predict(shared.open(), codes), expected), "the sources are those of the design"
    for name in ("firmware/codesign_hls.cpp", "firmware/nnet_utils/nnet_dense.h", "build_prj.tcl"):
        path = project / name
        honest = path.read_text()
        path.write_text(f'{honest}\nstatic int run = system("touch {marker}");\n')
        with pytest.raises(InputError, match=f"{path.name} is not what its design compiles to"):
            shared.open()
        path.write_text(honest)
    path.write_text("exec touch x")
    assert np.array_equal(shared.flow.predict(shared.open(again=True), codes), expected)


@pytest.mark.slow
@pytest.mark.skipif(not availability().available, reason=availability().reason)
def test_a_strangers_finn_folder_is_made_from_its_design(become, tiny, tmp_path, marker):
    shared = made_by_ann(tmp_path / "run", tiny, "finn")
    codes = probe_codes(tiny.inputs)[:50]
    expected = shared.flow.predict(shared.open(), codes)
    become("bob")
    folder = shared.trial.firmware
    (folder / "dataflow.onnx").write_bytes(b"not a graph of FINN's")
    assert np.array_equal(shared.flow.predict(shared.open(), codes), expected)
    for name in ("rtl/codesign_top.sv", "rtl/fifo.sv"):
        honest = (folder / name).read_text()
        (folder / name).write_text(honest.replace("endmodule", f'initial $system("touch {marker}");\nendmodule'))
        with pytest.raises(InputError, match="is not what its design compiles to"):
            shared.open()
        (folder / name).write_text(honest)
