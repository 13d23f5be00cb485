"""The EMP payload: folded networks over items fed over 64-bit links, time multiplexed by 6, and its text vectors."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from wrapper_designs import compiled, needs_ghdl

from codesign.core.errors import InputError
from codesign.core.probes import probe_codes
from codesign.flows.alkaid.flow import AlkaidSettings
from codesign.handoff.patterns.emp_vectors import EmpWord, emp_vectors, read_emp_vectors
from codesign.handoff.wrappers.destination import Golden, simulate_destination, write_destination
from codesign.handoff.wrappers.emp_links import FRAMES
from codesign.handoff.wrappers.emp_wrapper import EmpWrapper
from codesign.handoff.wrappers.wrapper import play
from codesign.tools import verilator
from tests.graph.item_networks import network

WAYS = {
    "beats": AlkaidSettings(interval=4, transport="beats"),
    "parallel": AlkaidSettings(interval=4),
    "unrolled": AlkaidSettings(),
}


def constituents(folder, way, items=10, trigger=None):
    """A JEDI-linear network of random weights over items of 18 bits, compiled in one of the ways."""
    design = replace(network("JEDI-linear", items, seed=11, width=4, outputs=3), trigger=trigger)
    return compiled(design, probe_codes(design.inputs, 40)[:80], folder, WAYS[way])


def written(own, folder):
    return write_destination("emp", own.firmware, Golden(own.inputs, own.outputs), folder)


@needs_ghdl
def test_an_event_is_a_packet_whatever_comes_between(tmp_path):
    """Unrolled, in GHDL: packets at 54 words, then close ones with gaps, wrong start and last bits, and resets."""
    own = constituents(tmp_path / "firmware", "unrolled")
    made = write_destination("emp", own.firmware, Golden(own.inputs[:20], own.outputs[:20]), tmp_path / "emp")
    assert made.network.vhdl
    assert isinstance(made.wrapper, EmpWrapper)
    assert len(np.unique(own.outputs, axis=0)) > 10
    events, difference = simulate_destination(made, tmp_path / "emp", tmp_path / "work")
    assert difference is None
    first, hard = made.benches
    assert first.events == 20
    assert 2 <= hard.events < 10  # some are dropped, most of the rest are not
    assert events == first.events + hard.events
    frames = read_emp_vectors(tmp_path / "emp" / "test/in.txt")
    assert len(frames) == 20 * FRAMES
    starts = [n for n, frame in enumerate(frames) if frame[0].start]
    assert starts == list(range(0, len(frames), FRAMES))
    assert sum(frame[0].start_of_orbit for frame in frames) == 2


@pytest.mark.slow
@needs_ghdl
@pytest.mark.parametrize("way", ["beats", "parallel", "unrolled"])
def test_a_folded_network_fed_over_links(tmp_path, way):
    """The wrapper as GHDL translates it around the network's own Verilog, in Verilator: every word of every clock."""
    own = constituents(tmp_path / "firmware", way)
    made = written(own, tmp_path / "emp")
    assert bool(made.network.verilog) == (way != "unrolled")
    events, difference = simulate_destination(made, tmp_path / "emp", tmp_path / "work", verilator=True)
    assert difference is None
    assert events > 60  # all of the first bench, and of the hard one what is not dropped


@pytest.mark.slow
@needs_ghdl
@pytest.mark.parametrize("way", ["beats", "unrolled"])
def test_the_word_of_a_network_that_triggers_has_its_bit(tmp_path, way):
    own = constituents(tmp_path / "firmware", way, trigger="y0")
    threshold = int(np.median(own.outputs[:, 0]))
    golden = Golden(own.inputs, own.outputs, threshold)
    made = write_destination("emp", own.firmware, golden, tmp_path / "emp")
    assert bool(made.network.threshold) == (way == "beats")
    assert simulate_destination(made, tmp_path / "emp", tmp_path / "work")[1] is None
    words = [frame[0].data for frame in read_emp_vectors(tmp_path / "emp" / "test/results.txt")]
    bits = [word >> own.design.outputs.width for word in words]
    assert bits == (own.outputs[: len(bits), 0] >= threshold).astype(int).tolist()
    assert 0 < sum(bits) < len(bits)
    path = tmp_path / "emp" / "codesign_emp.vhd"
    path.write_text(path.read_text().replace(f":= {threshold}", f":= {threshold + 1}"))
    assert any(play(bench, made.network, tmp_path / "emp", tmp_path / bench.name[:4]) for bench in made.benches)


def make(folder, *target):
    """Make in a destination's folder with the Verilator of this environment."""
    here = verilator.root()
    own = {"VERILATOR_ROOT": str(here), "VERILATOR": str(here / "bin" / "verilator_bin")}
    own["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"  # which the package's makefile lacks
    return subprocess.run(["make", *target], cwd=folder, env=os.environ | own, capture_output=True, text=True)


@pytest.mark.slow
@needs_ghdl
@pytest.mark.parametrize("way", ["beats", "unrolled"])
def test_a_bundle_plays_its_benches_and_anybodys_vectors_by_make(tmp_path, way):
    own = constituents(tmp_path / "firmware", way)
    made = write_destination("emp", own.firmware, Golden(own.inputs[:20], own.outputs[:20]), tmp_path / "emp")
    done = make(tmp_path / "emp", "test")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert [bench.events for bench in made.benches] == [
        int(n) for n in re.findall(r"PASS: (\d+) events", done.stdout + done.stderr)
    ]
    order = [3, 1, 4, 1, 5]
    golden = Golden(own.inputs[order], own.outputs[order])
    other = write_destination("emp", own.firmware, golden, tmp_path / "other")
    done = make(tmp_path / "emp", "run", f"VECTORS={tmp_path / 'other' / 'test/in.txt'}")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    frames = read_emp_vectors(tmp_path / "emp" / "build/results.txt")
    results = [frame for frame in frames if frame[0].valid]
    assert results == read_emp_vectors(tmp_path / "other" / "test/results.txt")
    assert len(results) == len(order)
    assert other.network == made.network
    done = make(tmp_path / "emp", "run", "VECTORS=nothing.txt")
    assert done.returncode != 0
    assert "FAIL: nothing.txt cannot be read" in done.stdout + done.stderr
    expected = tmp_path / "emp" / "test/1/expected.txt"
    text = expected.read_text()
    at = text.index("1", len(text) // 2)
    expected.write_text(text[:at] + "0" + text[at + 1 :])
    done = make(tmp_path / "emp", "test")
    assert done.returncode != 0
    assert "FAIL: 1 of " in done.stdout + done.stderr


@pytest.mark.slow
@needs_ghdl
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("r(2).valid = '1' and ", ""),
        (" and r(0).last = last_bit", ""),
        ("r(1).data(17 downto 0)", "r(0).data(17 downto 0)"),
        ("r(i).valid <= '0';", "null;"),
        ("passed(15 downto 1) <= (others => '0');", ""),
        ("soo <= r(0).start_of_orbit when count = 0 else kept_soo;", "soo <= r(0).start_of_orbit;"),
    ],
)
def test_a_planted_fault_is_seen(tmp_path, folded, right, wrong):
    source, made = folded
    folder = shutil.copytree(source, tmp_path / "emp")
    path = folder / "codesign_emp.vhd"
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong))
    assert any(play(bench, made.network, folder, tmp_path / bench.name[:4]) for bench in reversed(made.benches))


@pytest.fixture(scope="module")
def folded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folded")
    own = constituents(folder / "firmware", "beats")
    return folder / "emp", written(own, folder / "emp")


def test_what_does_not_fit_a_packet_is_refused(tmp_path):
    """More clocks an event than a packet has words."""
    own = constituents(tmp_path / "firmware", "unrolled")
    rtl = own.firmware.rtl
    slow = type(rtl)(rtl.sources, rtl.top, rtl.latency_cycles, "started", FRAMES + 1)
    firmware = type(own.firmware)(
        design=own.design, target=own.firmware.target, folder=own.firmware.folder, rtl=slow, extra=own.firmware.extra
    )
    with pytest.raises(InputError, match=r"emp: an event takes 3 frames and the firmware 55 clocks, a packet has 54"):
        write_destination("emp", firmware, Golden(own.inputs, own.outputs), tmp_path / "emp")


TEXT = emp_vectors(
    [{4: EmpWord(0xDEADBEEF, True, True, False, True), 7: EmpWord()}, {4: EmpWord(1, True), 7: EmpWord()}]
)


def test_text_vectors_are_written_as_the_framework_reads_them(tmp_path):
    lines = TEXT.splitlines()
    assert lines[0] == "ID: x0"
    assert lines[1] == "Metadata: (strobe,) start of orbit, start of packet, end of packet, valid"
    assert lines[3].split() == ["Link", "004", "007"]
    assert lines[4] == "Frame 0000    1101 00000000deadbeef    0000 0000000000000000"
    path = tmp_path / "in.txt"
    path.write_text(TEXT)
    assert read_emp_vectors(path)[1] == {4: EmpWord(1, True), 7: EmpWord()}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ID: ", "Id: ", "it is no text vector of EMP, version 2"),
        ("Metadata", "metadata", "it is no text vector of EMP, version 2"),
        ("Frame 0001", "Frame 0002", "frame 0002 of 2 links, expected frame 0001 of 2"),
        ("    1101 ", " 1101 ", "two blanks apart"),
        ("deadbeef", "deadbeeg", "16 hexadecimal digits each"),
        ("007", "004", "expected 'Link' and a number for each link"),
    ],
)
def test_a_bad_text_vector_is_one_line(tmp_path, old, new, said):
    path = tmp_path / "in.txt"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(InputError, match=re.escape(said)):
        read_emp_vectors(path)
