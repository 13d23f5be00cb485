"""Names that try to break out, through everything that writes a script, a source or a page.

They come from a study, a sample, a target or a stranger's run folder. Wherever a tool here reads what was written, it
does so in these tests; none may run what a name says (``MARK`` must not appear), and each gives the name back or
refuses it in one line.
"""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from codesign.core import resources
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import Port
from codesign.core.records import Plot, Series
from codesign.core.targets import Target, load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.hls4ml.flow import Hls4ml
from codesign.rtl.firmware import Firmware
from codesign.tasks.base import Task
from tests.make_run import make_run
from tests.security.evil_names import EVIL, evil

pytestmark = pytest.mark.usefixtures("no_mark")


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
