"""Bundles that say other than their design, with fresh checksums: nothing false passes as checked."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from codesign.core.design import Design
from codesign.core.records import Front, TrialStatus
from codesign.handoff import write_bundle
from tests.handoff.conftest import build
from tests.make_run import make_run
from tests.security.bundles.forging import check, is_refused, is_wrong, put, rewritten, seal, text_of


def test_the_untouched_bundle_passes(bundle):
    before = text_of(bundle)
    seal(bundle)  # what the tests forge differs in what they forge alone
    assert json.loads(text_of(bundle)) == json.loads(before)
    code, statements, _ = check(bundle)
    assert code == 0
    assert {s["outcome"] for s in statements.values()} == {"checked", "not checked"}
    assert statements["metrics"]["outcome"] == "not checked"


# the design


@pytest.mark.parametrize(
    "value",
    [
        "0" * 64,
        lambda h: h[::-1],
        lambda h: h[:-1] + ("0" if h[-1] != "0" else "1"),
        lambda h: ("0" if h[0] != "0" else "1") + h[1:],
        lambda h: h[1:] + h[0],
    ],
    ids=["zeros", "backwards", "last", "first", "turned"],
)
def test_another_design_hash(bundle, value):
    seal(bundle, put("design", value=value))
    assert "the manifest's hash is" in is_wrong(bundle, "design")


def edit_design(bundle, change):
    path = bundle / "design.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data, indent=1))


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(more="than a design"),
        lambda d: d["inputs"]["labels"].reverse(),
        lambda d: d["inputs"]["types"][0].update(fraction_bits=1),
        lambda d: d["inputs"].update(name="other"),
        lambda d: d.update(trigger=None),
    ],
    ids=["key", "labels", "type", "name", "trigger"],
)
def test_a_design_file_that_says_more_than_the_design_that_is_hashed(bundle, change):
    edit_design(bundle, change)
    seal(bundle)
    assert "more or other than the design" in is_wrong(bundle, "design")


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["outputs"]["types"][0].update(fraction_bits=-1_000_000_000),
        lambda d: d["outputs"]["types"][0].update(integer_bits=1_000_000_000),
        lambda d: d["input_quantisation"]["types"][0].update(fraction_bits=10**30),
        lambda d: d["input_quantisation"]["offset"].__setitem__(0, 1e308 * 10),
        lambda d: d["input_quantisation"]["step"].__setitem__(0, -1.0),
        lambda d: d.pop("outputs"),
        lambda d: d["outputs"].update(labels=["one"]),
        lambda d: d.update(trigger="nothing"),
        lambda d: d.update(trigger=["g"]),
    ],
    ids=["fraction", "integer", "digits", "infinite", "negative", "none", "labels", "trigger", "list"],
)
def test_a_design_that_nothing_can_compute_with(bundle, change):
    edit_design(bundle, change)
    seal(bundle)
    assert "design.json" in is_refused(bundle)


# the interface


@pytest.mark.parametrize(
    ("port", "key", "value"),
    [
        ("inputs", "offset", lambda v: v + 0.3 * 0.125),
        ("inputs", "offset", lambda v: v + 1e-12),
        ("inputs", "step", lambda v: v * 2),
        ("inputs", "unit", "MeV"),
        ("inputs", "name", "feature_9"),
        ("inputs", "minimum", lambda v: v + 1),
        ("inputs", "maximum", lambda v: v - 1),
        ("outputs", "fraction_bits", lambda v: v + 1),
        ("outputs", "type", "fixed<9,9>"),
        ("outputs", "signed", lambda v: not v),
        ("outputs", "width", lambda v: v + 1),
        ("outputs", "low_bit", lambda v: v + 1),
        ("outputs", "high_bit", None),
        ("outputs", "name", "q"),
    ],
)
def test_another_scale_or_bit_of_a_port(bundle, port, key, value):
    seal(bundle, put(port, 0, key, value=value))
    code, statements, said = check(bundle)
    assert code == 1, "it passed"
    assert statements[port]["outcome"] == "wrong", said
    assert key in statements[port]["detail"]


@pytest.mark.parametrize(
    ("port", "key", "text"),
    [
        ("inputs", "offset", "NaN"),
        ("inputs", "offset", "-Infinity"),
        ("inputs", "offset", '"0.0"'),
        ("inputs", "offset", "1e999"),
        ("inputs", "step", "Infinity"),
        ("inputs", "step", "0"),
        ("inputs", "step", "1" * 5000),
        ("outputs", "fraction_bits", "-1000000000"),
        ("outputs", "fraction_bits", "1e30"),
        ("outputs", "fraction_bits", "0.5"),
        ("outputs", "width", "1" + "0" * 30),
    ],
)
def test_a_number_that_is_none_or_too_large(bundle, port, key, text):
    seal(bundle, put(port, 0, key, value="@"))
    rewritten(bundle, text)
    assert "manifest.json" in is_refused(bundle)


@pytest.mark.parametrize("port", ["inputs", "outputs"])
@pytest.mark.parametrize("value", [[], lambda s: s[:-1], lambda s: [*s, s[0]], lambda s: s[::-1]])
def test_more_or_fewer_ports(bundle, port, value):
    seal(bundle, put(port, value=value))
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert statements[port]["outcome"] == "wrong"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latency_cycles", lambda v: v + 1),
        ("top", "codesign_core"),
        ("protocol", "axi-stream"),
        ("sources", lambda v: v[:-1]),
        ("sources", lambda v: [*v, "README.md"]),
    ],
)
def test_another_interface_than_the_firmware_has(bundle, key, value):
    def change(manifest):
        put(key, value=value)(manifest)
        manifest["verified"]["latency_cycles"] = manifest["latency_cycles"]

    seal(bundle, change)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert key in statements["interface"]["detail"]


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        (put("target", "part", value="xcvu9p-flga2104-2-e"), "wrong"),
        (put("target", "clock_mhz", value=720.0), "wrong"),
        (put("target", "name", value="vu13p-240"), "wrong"),
        (put("target", "whole", "stage_delay", value=99.0), "not checked"),
        (put("target", "whole", "resources", "lut", value=1), "not checked"),
        (put("target", "whole", value=None), "checked"),
    ],
    ids=["part", "clock", "name", "delay", "resources", "none"],
)
def test_another_target_than_the_one_of_that_name(bundle, change, outcome):
    seal(bundle, change)
    _, statements, _ = check(bundle)
    assert statements["target"]["outcome"] == outcome


# golden vectors


def golden(bundle, change, **dtypes):
    with np.load(bundle / "golden.npz") as stored:
        arrays = {name: stored[name].copy() for name in stored.files}
    arrays = {name: array.astype(dtypes.get(name, array.dtype)) for name, array in arrays.items()}
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (bundle / "golden.npz").write_bytes(buffer.getvalue())
    seal(bundle)


def at(name, value):
    """A change of one integer; a cast to 32 bits would make of 2**40 more than it is what it was."""

    def change(arrays):
        array = arrays[name]
        array[3, 0] = value(array[3, 0]) if callable(value) else value

    return change


@pytest.mark.parametrize(
    ("change", "dtype"),
    [
        (at("inputs", lambda v: v + (1 << 40)), np.int64),
        (at("inputs", lambda v: v - (1 << 32)), np.int64),
        (at("outputs", lambda v: v + (1 << 40)), np.int64),
        (at("inputs", 0.5), np.float64),
        (at("inputs", np.nan), np.float64),
        (lambda a: a.update(inputs=a["inputs"].astype(np.float64)), np.int64),
        (lambda a: a.update(inputs=a["inputs"].astype(np.uint64) + np.uint64(1 << 63)), np.int64),
        (lambda a: a.update(inputs=a["inputs"].astype("U9")), np.int64),
    ],
    ids=["2^40", "-2^32", "output", "half", "nan", "floats", "unsigned", "text"],
)
def test_golden_vectors_that_are_no_codes(bundle, change, dtype):
    golden(bundle, change, inputs=dtype)
    assert "golden.npz" in is_wrong(bundle, "golden vectors")


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a.update({k: v[:20] for k, v in a.items()}),
        lambda a: a.update({k: v[:1] for k, v in a.items()}),
        lambda a: a.update({k: np.concatenate([v, v]) for k, v in a.items()}),
    ],
    ids=["half", "one", "twice"],
)
def test_golden_vectors_that_are_not_as_many_as_verified(bundle, change):
    golden(bundle, change)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert "40 events are said to be verified" in statements["golden vectors"]["detail"]


@pytest.mark.parametrize(
    ("key", "value"), [("exact", False), ("events", 1_000_000), ("events", 0), ("latency_cycles", 99)]
)
def test_another_verdict_than_the_golden_vectors(bundle, key, value):
    seal(bundle, put("verified", key, value=value))
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert statements["golden vectors"]["outcome"] == "wrong"


def test_golden_vectors_that_the_design_does_not_give(bundle):
    golden(bundle, at("outputs", lambda v: v - 1 if v > 0 else v + 1))
    code, statements, _ = check(bundle)
    assert code == 1
    assert statements["model.onnx"]["detail"].startswith("differs from golden.npz on 1 of 40 events, first on event 3")


def repacked(made, folder, offset, step):
    """The bundle of a trial whose inputs have these scales."""
    run = make_run(folder / "made-up", trials=12, front=3)
    trial = run.trial(run.read("front.json", Front).points[0].trial)
    design = Design.load(trial.path)
    n = design.inputs.size
    scales = {"offset": tuple([offset] * n), "step": tuple([step] * n)}
    other = Design(design.onnx, design.input_quantisation.model_copy(update=scales), design.outputs)
    other.save(trial.path)
    trial.write("status.json", trial.read("status.json", TrialStatus).model_copy(update={"design": other.hash}))
    return write_bundle(run.path, build(run), folder / "repacked")


@pytest.mark.parametrize(("offset", "step", "usable"), [(1e6, 1e-6, 0), (16.0, 1e-7, None)])
def test_events_that_were_not_compared_are_not_counted(made, tmp_path, offset, step, usable):
    code, statements, _ = check(repacked(made, tmp_path, offset, step))
    assert code == 0
    found = statements["onnx/features.onnx, run"]
    if usable == 0:
        assert found["outcome"] == "not checked"
        assert found["events"] is None
        assert "0 of 40 events usable" in found["detail"]
    else:
        assert found["outcome"] == "not checked" or found["events"] < 40


FORGED = {
    "metrics": put("metrics", "accuracy", "value", value=0.999),
    "validation": put("validation", "accuracy", "error", value=0.0),
    "baseline": put("baseline", "accuracy", "value", value=0.1),
    "synthesised": lambda d: [f.update(value=1.0) for f in d["figures"] if f["fidelity"] == "synthesised"],
    "sample": put("sample", "events", value=10**9),
    "verified": put("verified", "tool", value="ModelSim"),
    "licence": put("licence", value="MIT"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_claim_is_named_as_not_checked_and_breaks_the_signature(signed, keys, name):
    seal(signed, FORGED[name])
    code, statements, _ = check(signed)
    statement = {"validation": "metrics", "baseline": "metrics", "synthesised": "figures, others"}.get(name, name)
    statement = {"verified": "verification"}.get(statement, statement)
    assert statements[statement]["outcome"] == "not checked"
    assert "claimed by the maker" in statements[statement]["detail"]
    code, _, said = check(signed, "--key", keys / "ours.pub")
    assert code == 1
    assert "signature is not one of this manifest" in said


@pytest.mark.parametrize(
    "change",
    [
        lambda d: [f.update(value=1.0) for f in d["figures"] if f["fidelity"] == "compiled" and f["quantity"] == "lut"],
        lambda d: [f.update(version="9") for f in d["figures"] if f["fidelity"] == "compiled"],
        lambda d: [f.update(unit="kLUT") for f in d["figures"] if f["fidelity"] == "compiled"],
        lambda d: d.update(figures=[f for f in d["figures"] if f["fidelity"] != "compiled"]),
        lambda d: d["figures"].append(d["figures"][-4] | {"quantity": "dsp", "fidelity": "compiled"}),
    ],
    ids=["value", "version", "unit", "none", "more"],
)
def test_a_forged_figure_of_the_compiler(bundle, change):
    seal(bundle, change)
    code, statements, _ = check(bundle)
    assert code == 1, "it passed"
    assert statements["figures, compiled"]["outcome"] == "wrong"
