"""A trial on a board: timing closed by deepening, the board's top simulated, and what is said where either fails."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_run import make_run

from codesign.cli import app
from codesign.core.errors import InputError, ToolError
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import Front
from codesign.core.runfolder import RunFolder
from codesign.flows.alkaid.flow import Alkaid
from codesign.pipeline import board
from codesign.pipeline.board import bitstream_of_trial, close_timing_of_trial
from codesign.pipeline.trial import synthesisers
from codesign.rtl.firmware import Firmware
from codesign.tools import nextpnr
from codesign.tools.bitstream import Bitstream, MissedClock
from codesign.verify import bitstream_simulation


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return make_run(tmp_path / "run" / "made-up", trials=6, front=2)


@pytest.fixture
def number(run: RunFolder) -> int:
    front = run.read("front.json", Front)
    assert front is not None
    return front.points[0].trial


def routed(fmax_of: Any) -> Any:
    """In place of nextpnr, which other tests run: ``fmax_of(firmware)`` MHz."""

    def bitstream(firmware: Firmware, work: Path, threshold: int | None) -> Bitstream:
        fmax = fmax_of(firmware)
        if fmax < firmware.target.clock_mhz:
            raise MissedClock(f"nextpnr-ecp5: the board's design reaches {fmax:.1f} MHz", fmax)
        work.mkdir(parents=True, exist_ok=True)
        path, report = work / "codesign_board.bit", work / "codesign_board.report.json"
        path.write_bytes(b"bits")
        report.write_text("{}")
        return Bitstream(path, report, fmax)

    return bitstream


def delay(firmware: Firmware) -> float:
    return float(firmware.settings.get("stage_delay") or firmware.target.stage_delay)


def test_the_pipeline_is_deepened_and_the_board_gives_the_golden_events(
    run: RunFolder, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(board, "bitstream", routed(lambda f: 180 / (delay(f) + 0.5)))  # 50 MHz at 3 adders and less
    monkeypatch.setattr(board, "_EVENTS", 5)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)  # stages are named on a terminal only
    copy = tmp_path / "jets.bit"
    app(["bitstream", str(run.path), str(number), "--target", "ulx3s-85f", "-o", str(copy)], standalone_mode=False)
    said = capsys.readouterr()
    assert "board simulated: 5 golden events through the serial line, all equal" in said.out
    assert "51.4 MHz, of 50 MHz needed" in said.out
    assert said.err.count("placing and routing") == 2
    assert copy.read_bytes() == b"bits"
    record = json.loads((run.trial(number).path / "bitstream-ulx3s-85f" / "bitstream.json").read_text())
    assert record["stage_delay"] == 3
    assert record["simulated_events"] == 5
    assert record["not_simulated"] is None
    assert Path(record["timing"]).is_file()


def test_a_clock_that_no_pipeline_reaches(run: RunFolder, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[float] = []
    monkeypatch.setattr(board, "bitstream", routed(lambda f: (tried.append(delay(f)), 30.0)[1]))
    with pytest.raises(MissedClock, match=r"30\.0 MHz"):
        bitstream_of_trial(run, number, "ulx3s-85f")
    assert tried == sorted(tried, reverse=True)
    assert 1 < len(tried) <= 4


def test_a_board_that_answers_wrong_gets_no_bitstream(
    run: RunFolder, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wrong:
        """A port that answers every event with zeros."""

        def __init__(self, firmware: Firmware, work: Path, threshold: int | None) -> None:
            pass

        def write(self, data: bytes, /) -> None:
            pass

        def read(self, size: int, /) -> bytes:
            return bytes(size)

    monkeypatch.setattr(board, "bitstream", routed(lambda f: 60.0))
    monkeypatch.setattr(bitstream_simulation, "SimulatedPort", Wrong)
    with pytest.raises(ToolError, match="come back wrong through the simulated serial line: no bitstream is made"):
        bitstream_of_trial(run, number, "ulx3s-85f")
    assert not list(run.trial(number).path.rglob("*.bit"))


def test_a_board_that_cannot_be_simulated_costs_the_proof_only(
    run: RunFolder, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "bitstream", routed(lambda f: 60.0))
    monkeypatch.setenv("CXX", "no-such-compiler")
    made = bitstream_of_trial(run, number, "ulx3s-85f")
    assert made.bitstream.is_file()
    assert made.simulated_events == 0
    assert "board not simulated: the C++ compiler 'no-such-compiler' is missing" in str(made)


def test_timing_closure_of_a_trial(
    run: RunFolder, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def place(firmware: Firmware, work: Path, timeout: float, seed: int = 1) -> list[Figure]:
        fmax = 180 / (firmware.target.stage_delay + 0.5)
        return [Figure.of("fmax", fmax, Fidelity.PLACED, "nextpnr-ecp5", "0")]

    closing = board.close_timing
    monkeypatch.setattr(board, "close_timing", lambda *given, **more: closing(*given, **more, place=place))
    app(["synth", str(run.path), str(number), "--target", "ulx3s-85f", "--close-timing"], standalone_mode=False)
    said = capsys.readouterr()
    assert "meets 50 MHz: Fmax 51.4 MHz" in said.err
    assert "(2 pipelines tried)" in said.err
    assert "placed" in said.out
    text = (run.path / "study.yaml").read_text()
    (run.path / "study.yaml").write_text(text.replace("flow: alkaid", "flow: hls4ml"))
    with pytest.raises(InputError, match="not of 'hls4ml'"):
        close_timing_of_trial(run, number, "ulx3s-85f")


def test_gates_of_a_trial(run: RunFolder, number: int, capsys: pytest.CaptureFixture[str]) -> None:
    app(["verify", str(run.path), str(number), "--gates", "--target", "ulx3s-85f"], standalone_mode=False)
    assert f"trial {number} is exact at gate level on" in capsys.readouterr().out
    assert "LUT4" in (run.trial(number).path / "gates-ulx3s-85f" / "gates.v").read_text()
    with pytest.raises(InputError, match="--target is for --gates"):
        app(["verify", str(run.path), str(number), "--target", "ulx3s-85f"], standalone_mode=False)


def test_waves_that_cannot_be_kept_cost_no_verdict(
    run: RunFolder, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (run.trial(number).path / "verify.json").read_bytes()
    monkeypatch.setattr("codesign.tools.verilator._FST_NEEDS", (("no-such-header.h", "z", "apt install nothing"),))
    with pytest.raises(ToolError, match=r"no-such-header.h with libz \(apt install nothing\); as VCD"):
        app(["verify", str(run.path), str(number), "--fst"], standalone_mode=False)
    assert (run.trial(number).path / "verify.json").read_bytes() == before


def test_what_is_placed_and_where(run: RunFolder, number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from codesign.pipeline.trial import firmware_for, synthesise_trial

    flow = Alkaid()
    _, own = firmware_for(run, number, "vu13p-240")
    _, lattice = firmware_for(run, number, "ulx3s-85f")
    assert "placement" not in synthesisers(flow, own)
    assert ("placement" in synthesisers(flow, lattice)) == nextpnr.available().available
    assert "placement" not in synthesisers(flow, lattice, placed=False)  # a study's verification.placement
    figure = Figure.of("fmax", 61.0, Fidelity.PLACED, "nextpnr-ecp5", "0")

    def broken(*given: Any) -> list[Figure]:
        raise ToolError("yosys: stopped with exit code 1")

    monkeypatch.setattr(nextpnr, "reaches", lambda firmware: True)
    monkeypatch.setattr(nextpnr, "place_and_route", lambda *given: [figure])
    monkeypatch.setattr("codesign.tools.yosys.synthesise", broken)
    found = synthesise_trial(run, number, "ulx3s-85f")
    assert [(f.quantity, f.fidelity) for f in found] == [("fmax", Fidelity.PLACED)]  # one failure costs its own figures
