"""The global trigger's block and wrapper, from the words of a vector file to score and bit."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess

import numpy as np
import pytest
from wrapper_designs import needs_ghdl

from codesign.core.errors import InputError
from codesign.core.fixedpoint import InputQuantisation
from codesign.handoff.emulator import build_emulator, load_emulator, write_emulator
from codesign.handoff.inference import Session, codes_model, heads_of
from codesign.handoff.wrappers.destination import Golden, simulate_destination, write_destination
from codesign.handoff.wrappers.ugt_wrapper import UgtWrapper, ugt_decisions, ugt_inputs
from codesign.handoff.wrappers.wrapper import network_of, play
from codesign.physics.events import read_events
from codesign.physics.events.ugt_vectors import UgtCrossing, read_ugt_vectors, ugt_vectors
from codesign.tasks.anomalies.level1_inputs import COLLECTIONS, FEATURES, UNITS, event_inputs, quantisation_of


@pytest.fixture(scope="module")
def written(level1, tmp_path_factory):
    """The folder ``ugt`` with a threshold that some events reach, and what is in it."""
    folder = tmp_path_factory.mktemp("ugt") / "ugt"
    threshold = int(np.quantile(level1.outputs[:, 0], 0.8))
    return folder, write_destination("ugt", level1.firmware, Golden(level1.inputs, level1.outputs, threshold), folder)


def vectors(events, seed=5):
    """Crossings as a file of the trigger has them: words of any bits, as wild as they come."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(events):
        words = {}
        for name, count, bits in (("muons", 8, 64), ("egammas", 12, 32), ("taus", 12, 32), ("jets", 12, 32)):
            for i in range(int(rng.integers(0, count + 1))):
                words[f"{name}_{i}"] = int.from_bytes(rng.bytes(bits // 8), "little")
        words |= {name: int(rng.integers(1 << 32)) for name in ("et", "ht", "etmiss", "htmiss", "ethfmiss", "hthfmiss")}
        found.append(UgtCrossing(number, words, conditions=0xF0))
    return found


def test_a_vector_file_is_read_as_events(tmp_path, level1):
    """Events of a file give the codes that its words give in the firmware, for every object that is there."""
    rng, crossings = np.random.default_rng(8), []
    for number in range(60):
        words = {"etmiss": int(rng.integers(1, 4096)) | int(rng.integers(144)) << 12}
        for name, count, bits, at, turn, phi in (
            ("jets", 10, 11, 0, 144, 19), ("egammas", 4, 9, 0, 144, 17), ("muons", 4, 9, 10, 576, 0)
        ):  # fmt: skip
            energies = sorted(rng.integers(2, 1 << bits, int(rng.integers(0, count + 1))).tolist(), reverse=True)
            low, width = {"jets": (11, 8), "egammas": (9, 8), "muons": (23, 9)}[name]
            for i, energy in enumerate(energies):
                eta = int(rng.integers(1 << width)) << low
                words[f"{name}_{i}"] = energy << at | int(rng.integers(turn)) << phi | eta
        crossings.append(UgtCrossing(number, words))
    path = tmp_path / "vectors.txt"
    path.write_text(ugt_vectors(crossings))
    rows = np.concatenate([event_inputs(events).features for events in read_events(path, COLLECTIONS, chunk=25)])
    pins = {pin for c in crossings for pin in c.words}
    by_words = ugt_inputs(level1.design).codes_of({p: [c.words.get(p, 0) for c in crossings] for p in pins}, 60)
    by_events = level1.design.input_quantisation.codes(rows)
    there = rows[:, [FEATURES.index(f"{name.rpartition('_')[0]}_pt") for name in FEATURES]] > 0
    assert 0.3 < there.mean() < 0.9
    eta_of_missing = FEATURES.index("met_eta")
    there[:, eta_of_missing] = False
    assert level1.design.inputs.labels == FEATURES
    np.testing.assert_array_equal(by_events[there], by_words[there])


@needs_ghdl
def test_from_a_vector_file_to_score_and_bit(tmp_path, level1, written):
    """Raw words, inputs prepared in the firmware: emulator == ONNX == RTL of the wrapper, and the bit of each."""
    folder, made = written
    path = tmp_path / "vectors.txt"
    path.write_text(ugt_vectors(vectors(80)))
    crossings = read_ugt_vectors(path)
    words = {pin: [c.words.get(pin, 0) for c in crossings] for pin in {p for c in crossings for p in c.words}}
    codes = ugt_inputs(level1.design).codes_of(words, len(crossings))

    onnx = Session(codes_model(level1.design)).run(codes.astype(np.int32))
    scores = np.concatenate([onnx[name] for _, name in heads_of(level1.design.outputs)], axis=1).astype(np.int64)
    if shutil.which("g++") and shutil.which("make"):
        emulator = load_emulator(build_emulator(write_emulator(level1.design, "level1", tmp_path / "emulator"), "-O0"))
        np.testing.assert_array_equal(emulator.predict(codes.astype(np.int32)), scores)
    assert len(np.unique(scores)) > 20

    events = [{p: w for p, w in c.words.items() if not p.startswith("cicada")} for c in crossings]
    assert isinstance(made.wrapper, UgtWrapper)
    fired = scores[:, 0] >= made.wrapper.threshold
    assert 0 < fired.sum() < len(fired)
    _, bench = made.wrapper.benches_of(events, scores[:, 0])
    assert bench.events == 80
    assert play(bench, made.network, folder, tmp_path / "work") is None

    decided, found = ugt_decisions(level1.design, crossings, made.wrapper.threshold)
    np.testing.assert_array_equal(found, scores[:, 0])
    path.write_text(ugt_vectors(decided))
    again = read_ugt_vectors(path)
    assert [c.finor for c in again] == fired.astype(int).tolist()
    assert again == decided


@pytest.mark.slow
@needs_ghdl
def test_translated_by_ghdl_it_is_the_same_in_verilator(tmp_path, written):
    folder, made = written
    assert simulate_destination(made, folder, tmp_path / "ghdl") == (2 * made.benches[0].events, None)
    events, difference = simulate_destination(
        dataclasses.replace(made, benches=made.benches[:1]), folder, tmp_path, verilator=True
    )
    assert (events, difference) == (made.benches[0].events, None)


@pytest.mark.slow
@needs_ghdl
def test_the_bundles_own_bench_needs_ghdl_alone(tmp_path, written):
    folder = shutil.copytree(written[0], tmp_path / "ugt")
    if shutil.which("make") is None:
        pytest.skip("make is missing")
    done = subprocess.run(["make", "-s", "test"], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.count("PASS: ") + done.stderr.count("PASS: ") == 2
    block = folder / "codesign_ugt.vhd"
    block.write_text(block.read_text().replace("etmiss(19 downto 12)", "etmiss(18 downto 11)"))
    wrong = subprocess.run(["make", "-s", "test"], cwd=folder, capture_output=True, text=True, check=False)
    assert wrong.returncode != 0
    assert "FAIL: " in wrong.stdout + wrong.stderr


@pytest.mark.slow
@needs_ghdl
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("if ap_rst = '1' then", "if ap_rst = '1' and ap_start = '0' then"),
        ("alive(alive'high - 1 downto 0) & ap_start", "alive(alive'high - 1 downto 0) & '1'"),
        ("resize(unsigned(model_out", "resize(signed(model_out"),
        ("144, ", "143, "),
        (" and alive = NONE", ""),
    ],
)
def test_a_planted_fault_is_seen(tmp_path, written, right, wrong):
    folder, made = written
    copy = shutil.copytree(folder, tmp_path / "ugt")
    block = copy / "codesign_ugt.vhd"
    text = block.read_text()
    assert right in text
    block.write_text(text.replace(right, wrong))
    assert play(made.benches[0], made.network, copy, tmp_path / "work") is not None


@pytest.mark.slow
@needs_ghdl
def test_a_threshold_off_by_one_is_seen(tmp_path, written):
    folder, made = written
    copy = shutil.copytree(folder, tmp_path / "ugt")
    path = copy / "codesign_ugt_wrapper.vhd"
    path.write_text(path.read_text().replace(">= threshold", "> threshold"))
    found = play(made.benches[1], made.network, copy, tmp_path / "work")
    assert found is not None
    assert "adt_out is 0x0, expected 0x1" in found


def test_every_word_of_the_study_standardised_upstream_has_its_code():
    """Without a preparation the shipped study's own offsets and shifts are taken: integers, as its formula."""
    rng = np.random.default_rng(0)
    x = rng.gamma(2, 40, (2000, len(FEATURES))).astype(np.int64)
    x[:, [n == "met_eta" for n in FEATURES]] = 0
    q = quantisation_of(x, FEATURES, UNITS, 6)
    words = ugt_inputs(_Of(q))
    for place, rule in enumerate(words.rules):
        low, high = rule.field.span if rule.field else (0, 0)
        raw = np.arange(low, high + 1)
        features = np.zeros((len(raw), len(FEATURES)))
        features[:, place] = raw
        np.testing.assert_array_equal(rule.codes(raw), q.codes(features)[:, place])


class _Of:
    """A design, as far as its inputs go."""

    def __init__(self, q):
        self.input_quantisation, self.inputs = q, q.port


def test_what_does_not_fit_is_refused_in_one_line(tmp_path, level1):
    design = level1.design
    q = design.input_quantisation
    n = len(FEATURES)
    coarse = InputQuantisation(features=FEATURES, units=("",) * n, offset=(0.0,) * n, step=(0.3,) * n, types=q.types)
    with pytest.raises(InputError, match=r"ugt: input 'met_pt' has steps of 0.3 raw units"):
        ugt_inputs(_Of(coarse))
    names = tuple("jet12_pt" if n == "jet9_pt" else n for n in FEATURES)
    renamed = InputQuantisation(features=names, units=("",) * n, offset=(0.0,) * n, step=(1.0,) * n, types=q.types)
    with pytest.raises(InputError, match=r"input 'jet12_pt' is no object's"):
        ugt_inputs(_Of(renamed))
    with pytest.raises(InputError, match=r"unknown place 'utg'"):
        write_destination("utg", level1.firmware, Golden(level1.inputs, level1.outputs), tmp_path)
    two = dataclasses.replace(design, outputs=design.outputs.model_copy(update={"blocks": _twice(design.outputs)}))
    with pytest.raises(InputError, match=r"has 2 outputs and no trigger"):
        UgtWrapper.of(two, network_of(level1.firmware, tmp_path, 40.0), None)


def _twice(port):
    (block,) = port.blocks
    return (block.model_copy(update={"shape": (2,), "fields": ("a", "b"), "types": block.types * 2}),)


LINE = UgtCrossing(7, {"muons_0": 5}).line()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no crossing in it"),
        (LINE.rsplit(" ", 2)[0], "columns, a crossing of the global trigger has"),
        (LINE[:-1] + "2", "finor, 0 or 1, last"),
        (re.sub("0{15}5", "0" * 14 + "g5", LINE), "muons_0 is '00000000000000g5'"),
        (LINE.replace("0" * 15 + "5", "5", 1), "muons_0 is '5', expected 16 hexadecimal digits"),
    ],
)
def test_a_bad_vector_file_is_one_line(tmp_path, text, said):
    path = tmp_path / "bad.txt"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=re.escape(said)):
        read_ugt_vectors(path)


def test_a_line_is_as_wide_as_the_triggers_own():
    assert LINE.split()[0] == "0007"
    assert len(LINE.split()) == 60
    assert len(LINE.split()[-2]) == 128
