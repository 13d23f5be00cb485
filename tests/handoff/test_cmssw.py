"""The emulator as CMSSW loads one: imitations of its conditions read golden integers out of each profile's library."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import FixedPoint, InputQuantisation, Port
from codesign.graph.interval import Interval, Intervals, tightest_type
from codesign.graph.reader import read_graph
from codesign.handoff import read_manifest, write_bundle
from codesign.handoff.cmssw import Profile, load_profile
from codesign.handoff.cmssw.arbitrary_precision import PrecisionNumber
from codesign.handoff.cmssw.profile import shipped_profiles
from codesign.handoff.cmssw.value_conversion import conversion_of
from codesign.handoff.emulator import build_emulator, write_emulator
from codesign.handoff.examination import prove_bundle
from codesign.handoff.statement import Finding
from tests.graph.graphs import GraphBuilder
from tests.handoff.cmssw_designs import (
    CANDIDATES,
    HERE,
    OUTPUTS,
    condition,
    made,
    profile_of,
    run,
    write_values,
)
from tests.security.strangers import forge

pytestmark = pytest.mark.skipif(not (shutil.which("g++") and shutil.which("make")), reason="g++ or make is missing")

SANITIZERS = {
    "plain": [],
    "undefined": ["-fsanitize=undefined", "-fno-sanitize=shift,vptr", "-fno-sanitize-recover=all"],
    "address": ["-fsanitize=address"],
}


def test_the_test_that_travels_along(tmp_path):
    _, _, codes, _ = made("axol1tl-v5", tmp_path)
    done = run(["make", "test", "CXXFLAGS=-O0"], tmp_path / "cmssw")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASS: GTADModel_v5, 79 events" in done.stdout
    assert len(codes) == 150
    golden = tmp_path / "cmssw/test/golden.txt"
    *lines, last = golden.read_text().splitlines()
    golden.write_text("\n".join([*lines, f"{last}1"]) + "\n")
    done = run(["make", "test", "CXXFLAGS=-O0"], tmp_path / "cmssw")
    assert "FAIL: GTADModel_v5: event 78 is not the golden one" in done.stdout
    assert done.returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_condition_reads_the_golden_integers(name, sanitizer, tmp_path):
    profile, design, codes, outputs = made(name, tmp_path)
    flags = SANITIZERS[sanitizer]
    built = run(["make", "test", f"CXXFLAGS={'-O1' if flags else '-O0'} -Werror {' '.join(flags)}"], tmp_path / "cmssw")
    assert built.returncode == 0, built.stdout + built.stderr
    conversion = conversion_of(profile, design)
    raws, usable = conversion.raws_of(codes)
    assert f"PASS: {profile.library}, {usable.sum()} events" in built.stdout
    assert usable.sum() >= 20
    write_values(tmp_path, profile, raws[usable])
    done = condition(name, tmp_path, profile.library, flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    expected = conversion.results_of(outputs[usable])
    if name.startswith("axol1tl"):  # of the pair, the loss
        expected = expected[:, -1:]
        assert (expected[:, 0] == outputs[usable][:, 0]).all(), "the score that is compared is the design's code"
    read = [[int(v) for v in line.split()] for line in done.stdout.splitlines()]
    np.testing.assert_array_equal(np.array(read), expected)
    assert len(np.unique(expected, axis=0)) > 5


@pytest.mark.slow
def test_a_library_of_other_types_gives_the_message(tmp_path):
    """The library for version 4, loaded as version 5, and ours with int32: one line, and no crash."""
    profile, design, codes, _ = made("axol1tl-v4", tmp_path)
    assert run(["make"], tmp_path / "cmssw").returncode == 0
    write_values(tmp_path, profile, conversion_of(profile, design).raws_of(codes)[0])
    for local in ([], ["local"]):
        done = condition("axol1tl-v5", tmp_path, profile.library, local=local)
        assert done.returncode == 3
        assert "ModelError: GTADModel_v4: read_result takes std::pair<std::array<ap_fixed<10,7," in done.stdout
        assert "load the library of the version that this code is for" in done.stdout
    so = build_emulator(write_emulator(design, "GTADModel", tmp_path / "cmssw"))
    assert condition("axol1tl-v4", tmp_path, so.stem).stdout == "ModelError: bad any_cast\n"


def fitted(design, **changes):
    """The rules of a small profile for a design of one input and one output."""
    number = {"type": changes.pop("type", "ap_fixed<18,13>")}
    field = {"name": "x", **changes.pop("field", {})}
    result = {"type": "ap_ufixed<18,14>", "outputs": [0], **changes.pop("result", {})}
    data = CANDIDATES | {"input": number | {"groups": [{"count": 1, "fields": [field]}]}, "result": [result]} | changes
    return conversion_of(Profile.model_validate(data), design)


def one(offset=0.0, step=1.0, bits=6, scale=1.0, outputs=1):
    """A design of one input and so many outputs, each a square."""
    kind = FixedPoint(signed=True, integer_bits=bits - 1, fraction_bits=0)
    q = InputQuantisation(features=("x",), units=("GeV",), offset=(offset,), step=(step,), types=(kind,))
    b = GraphBuilder(1)
    x = b.layer("x", np.full((1, outputs), scale))
    content = b.finish(b.node("Mul", x, x) if bits < 12 else b.node("Relu", x), outputs)
    found = read_graph(content).run(Interval.of_port(q.port), Intervals())
    types = tuple(tightest_type(*map(float, v)) for v in zip(found.low[0], found.high[0], found.step[0], strict=True))
    return Design(content, q, Port(name="y", types=types, labels=tuple(f"y{i}" for i in range(outputs))))


def test_what_does_not_fit_is_named_with_what_would():
    for design, changes, words in (
        (one(step=0.01), {}, r"counts in 0.03125  and the trial's codes in 0.01: 2 more fraction bits would do"),
        (one(), {"field": {"unit": "MeV"}}, r"the profile counts in MeV, the trial in GeV"),
        (one(scale=0.125), {}, r"result 0 \('y0', .*\) has 6 fraction bits, ap_ufixed<18,14> has 4: 2 more would do"),
        (one(bits=11), {}, r"has codes 0 to 1048576, which ap_ufixed<18,14> does not hold: ap_ufixed<25,21> would"),
        (one(outputs=2), {}, r"nothing of its result is the trial's output 1 \('y1'\)"),
        (one(), {"result": {"outputs": [3]}}, r"result 0 is the trial's output 3, and it has 1"),
        (one(step=0.3, bits=16), {}, r"with more than 14 bits that is not written"),
    ):
        with pytest.raises(InputError, match=words):
            fitted(design, **changes)
    with pytest.raises(InputError, match=r"passes 57 numbers of ap_fixed<18,13>, the trial has 1 inputs"):
        conversion_of(load_profile("axol1tl-v5"), one())


def rule_codes(rule, raws):
    """What the library computes, in Python: integers alone."""
    raws = rule.turned(raws)
    if rule.table is not None:
        return rule.low + np.searchsorted(np.array(rule.table), raws, side="right")
    return np.clip((raws + rule.added) >> rule.shift, rule.low, rule.high)


@pytest.mark.parametrize("number", ["ap_fixed<14,9>", "ap_ufixed<12,7>", "ap_int<11>", "ap_uint<10>"])
@pytest.mark.parametrize(
    ("offset", "step", "factor", "wrap"),
    [
        (0.0, 1.0, 1.0, None), (3.5, 4.0, 2.0, None), (-7.25, 0.5, 0.5, None), (0.1, 3.7, 1.0, None),
        (12.3, 1.0, 0.087, None), (0.0, 8.0, 1.0, 144), (0.5, 1.3, 1.0, 144), (1 / 3, 2.0, 1.0, None),
    ],
)  # fmt: skip
def test_every_value_has_the_code_that_the_study_gives_it(number, offset, step, factor, wrap):
    """Each integer of the producer's type, through a shift or a table, beside the study's formula in float64."""
    field = {"factor": factor, "wrap": wrap}
    kind = PrecisionNumber.of(number)
    if factor * 2.0**-kind.fraction_bits > step:
        with pytest.raises(InputError, match="more fraction bits would do"):
            fitted(one(offset, step), type=number, field=field)
        return
    found = fitted(one(offset, step), type=number, field=field)
    raws = np.arange(kind.low, kind.high + 1)
    codes = found.codes_of(raws[:, None])[:, 0]
    np.testing.assert_array_equal(rule_codes(found.codes[0], raws), codes)
    # and back: every code that is reached at all is given by the integer that stands for it
    there = np.unique(codes)
    back, usable = found.raws_of(there[:, None])
    assert usable.all()
    assert (back >= kind.low).all()


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("ap_fixed<18,13>", (True, 18, 5)),
        ("ap_ufixed< 10, 7, AP_RND_CONV, AP_SAT, 0 >", (False, 10, 3)),
        ("ap_uint<9>", (False, 9, 0)),
    ],
)
def test_types_are_read(text, bits):
    found = PrecisionNumber.of(text)
    assert (found.signed, found.width, found.fraction_bits) == bits
    assert " " not in found.text


HOSTILE = (
    "a b",
    "a;rm -rf .",
    "$(shell date)",
    "x__y",
    "_x",
    "int",
    "9a",
    "a\nb",
    "a/b",
    "",
    "ä",
    "a" * 200,
    "{version}}",
)


@pytest.mark.parametrize("key", ["package", "model", "version", "emulator", "namespace"])
def test_no_name_of_a_profile_is_more_than_a_name(key, tmp_path):
    for text in HOSTILE:
        with pytest.raises(InputError, match=r"profile|candidates"):
            profile_of("candidates", tmp_path, **{key: text})
    with pytest.raises(InputError, match="is no name in C"):
        load_profile("axol1tl-v5", "v7; date")


def test_no_type_or_member_of_a_profile_is_more_than_that(tmp_path):
    fields = CANDIDATES["input"]["groups"][0]["fields"]
    for text in (
        "ap_fixed<18,13> x;",
        "int",
        "ap_fixed<99,3>",
        "ap_fixed<8,3,AP_NONE>",
        "ap_int<8,3>",
        "ap_fixed<0,0>",
    ):
        with pytest.raises(InputError):
            profile_of("candidates", tmp_path, result=[{"type": text, "outputs": [0]}])
    for struct, name in (
        ("l1x::Candidate;", "pt"),
        ("l1x::Candidate", "p t"),
        ("::x", "pt"),
        ("l1x::Candidate", "eta"),
    ):
        changed = {"struct": struct, "groups": [{"count": 4, "fields": [fields[0] | {"name": name}, *fields[1:]]}]}
        with pytest.raises(InputError):
            profile_of("candidates", tmp_path, input=changed)
    with pytest.raises(InputError, match=r"no profile 'axol1tl-v9' \(did you mean 'axol1tl-v[45]'\?\); there are"):
        load_profile("axol1tl-v9")


def test_every_profile_names_what_it_follows():
    for name in shipped_profiles():
        profile = load_profile(name)
        assert profile.name == name
        assert {len(f.commit) for f in profile.follows} == {40}
        assert profile.follows[0].lines
        first = profile.follows[0]
        imitation = "".join(p.read_text() for p in HERE.glob(f"{name.rsplit('-v', 1)[0]}*"))
        assert f"{first.repository}@{first.commit[:8]}" in imitation
        assert first.file in imitation or Path(first.file).name in imitation
        assert f":{first.lines.split(', ')[-1]} " in imitation
    assert load_profile("axol1tl-v5", "v7").library == "GTADModel_v7"
    assert load_profile("axol1tl-v5", "v7").space == "hls4ml_axol1tl_v7"


OWN = {
    "name": "own",
    "follows": [{"repository": "nobody/nothing", "commit": "0" * 40, "file": "own.h"}],
    "package": "Own",
    "model": "OwnModel",
    "version": "v1",
    "emulator": "OwnEmulator_{version}",
    "namespace": "own_{version}",
    "input": {"type": "ap_fixed<18,10>", "groups": [{"count": 16, "fields": [{"name": "feature", "unit": "GeV"}]}]},
    "result": [{"type": "ap_fixed<24,16>", "count": 5, "outputs": [0, 1, 2, 3, 4]}],
}


def test_a_bundle_has_it_and_its_receiver_makes_it_again(run, trial, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(OWN))
    bundle = write_bundle(run.path, trial, tmp_path / "bundle", cmssw=load_profile(str(path), "v7"))
    manifest = read_manifest(bundle)
    assert manifest.cmssw is not None
    assert manifest.cmssw.library == "OwnModel_v7"
    assert {(c.files, c.licence) for c in manifest.components} >= {("cmssw/include/ap_types", "Apache-2.0")}
    listed = {f.path for f in manifest.files}
    assert {"cmssw/Own_v7/OwnEmulator_v7.cpp", "cmssw/include/ap_types/LICENSE", "cmssw/test/golden.txt"} <= listed
    assert "OwnModel_v7.so" in (bundle / "README.md").read_text()
    report = prove_bundle(bundle)
    assert report.wrong == ()
    assert report.of("cmssw/").outcome is Finding.CHECKED
    forged = bundle / "cmssw/Own_v7/OwnEmulator_v7.cpp"
    forge(bundle, "cmssw/Own_v7/OwnEmulator_v7.cpp", forged.read_bytes().replace(b"rule.low", b"rule.high", 1))
    assert [s.name for s in prove_bundle(bundle).wrong] == ["cmssw/"]


def test_the_command(run, trial, tmp_path):
    runner = CliRunner()
    given = ["handoff", str(run.path), str(trial), "-o", str(tmp_path / "b")]
    for more, words in (
        (["--for", "cmssw"], "stand together"),
        (["--model-version", "v7"], "--model-version is that of a --profile"),
        (
            ["--for", "cmssw", "--profile", "axol1tl-v5"],
            "passes 57 numbers of ap_fixed<18,13>, the trial has 16 inputs",
        ),
    ):
        with pytest.raises(InputError, match=words):
            runner.invoke(app, given + more, catch_exceptions=False)
    assert not (tmp_path / "b").exists()
