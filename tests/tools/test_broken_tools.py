"""A tool that crashes, hangs, or has no room costs its own figures only: the reason is recorded, no process stays."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Figures, State, TrialStatus
from codesign.core.runfolder import TrialFolder
from codesign.core.targets import load_target
from codesign.pipeline.stages import add_figures, costs_only_itself
from codesign.rtl.firmware import Firmware
from codesign.tools import yosys
from codesign.tools.nextpnr import place_and_route
from tests.tools.hand_written import HEAD, hand_written

ADDER = HEAD + "always @(posedge clk) model_out <= model_inp * model_inp + 8'd3; endmodule\n"


@pytest.fixture
def trial(tmp_path: Path) -> TrialFolder:
    folder = TrialFolder(tmp_path / "trials" / "0007")
    folder.write("status.json", TrialStatus(trial=7, state=State.COMPLETE, seed=1))
    add_figures(folder, [Figure.of("lut", 12, Fidelity.COMPILED, "alkaid", "1")])
    return folder


@pytest.fixture
def firmware(tmp_path: Path) -> Firmware:
    made = hand_written(tmp_path / "f", ADDER)
    return Firmware(made.design, load_target("ulx3s-85f"), made.folder, made.rtl)


def program(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def still_running(word: str) -> list[str]:
    """Command lines of processes that have ``word`` in them."""
    lines = [p.read_bytes().replace(b"\0", b" ").decode() for p in _command_lines()]
    return [line for line in lines if word in line]


def _command_lines() -> Iterator[Path]:
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                (process / "cmdline").read_bytes()
            except OSError:
                continue
            yield process / "cmdline"


def reason(trial: TrialFolder) -> str:
    """The note, after it is seen that what was known before is still there and nothing was added."""
    figures, status = trial.read("figures.json", Figures), trial.read("status.json", TrialStatus)
    assert figures is not None
    assert status is not None
    assert [(f.quantity, f.fidelity) for f in figures.figures] == [("lut", Fidelity.COMPILED)]
    assert status.state == State.COMPLETE
    (note,) = status.notes
    return note


@contextmanager
def no_room_for_more_than(octets: int) -> Iterator[None]:
    """Files of this process and its children end after so many bytes, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_synthesis_that_crashes(
    trial: TrialFolder, firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = program(tmp_path / "python", "kill -SEGV $$")
    monkeypatch.setattr(yosys.sys, "executable", crashing)
    with costs_only_itself(trial, "synthesis"):
        add_figures(trial, yosys.synthesise(firmware, trial.path / "synthesis", 60))
    assert reason(trial).startswith("synthesis not measured: yosys: ended by signal SIGSEGV")


def test_a_synthesis_that_hangs_is_ended_with_its_children(
    trial: TrialFolder, firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = program(tmp_path / "child-of-yosys", "exec sleep 600")
    monkeypatch.setattr(yosys.sys, "executable", program(tmp_path / "python", f"{child} & sleep 600; wait"))
    with costs_only_itself(trial, "synthesis"):
        add_figures(trial, yosys.synthesise(firmware, trial.path / "synthesis", 1.0))
    assert "yosys: stopped after 1 s" in reason(trial)
    assert still_running(str(tmp_path)) == []


def test_a_synthesis_on_a_full_disk(trial: TrialFolder, firmware: Firmware) -> None:
    with no_room_for_more_than(2048), costs_only_itself(trial, "synthesis"):
        add_figures(trial, yosys.synthesise(firmware, trial.path / "synthesis", 120))
    assert "synthesis not measured: yosys: " in reason(trial)
    assert still_running(str(trial.path)) == []


def test_a_placement_whose_tool_is_killed(
    trial: TrialFolder, firmware: Firmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from codesign.tools import nextpnr_family

    killed = program(tmp_path / "python", "kill -KILL $$")

    def command(self: object, name: str) -> list[str]:
        return [killed]

    monkeypatch.setattr(nextpnr_family.DeviceFamily, "command", command)
    with costs_only_itself(trial, "placement"):
        add_figures(trial, place_and_route(firmware, trial.path / "nextpnr", 120))
    assert reason(trial).startswith("placement not measured: nextpnr-ecp5: ended by signal SIGKILL")
