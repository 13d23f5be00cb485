"""ONNX and QONNX files: taken exactly, or refused with all that is in the way; never misread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import codesign
from codesign.core.errors import CodesignError, InputError, UnsupportedError
from codesign.importing import importers
from codesign.importing.base import Importer, Question, Source
from codesign.importing.import_report import ImportReport
from codesign.importing.source_agreement import compare, exact_codes
from tests.importing.small import mlp, model, quant, saved

#: of the network below with the scale 0.3, whose float32 lies near ties: its executor misses them, float64 does not
ROUNDED = 44


def taken(made: onnx.ModelProto, folder: Path, inputs: Any = None, rounded: int = 0) -> codesign.Imported:
    """``rounded``: rows that the source's float32 rounds another way."""
    imported = codesign.import_model(saved(made, folder / "model.bin"), inputs=inputs)
    (agreement,) = imported.report.agreement
    assert agreement.tried > 1000
    assert agreement.equal == agreement.tried - rounded
    assert agreement.explained == rounded
    return imported


def changes(report: ImportReport, what: str) -> list[str]:
    return [c.how for c in report.changes if c.what == what]


def test_a_file_says_its_input_types_and_its_softmax_is_cut(tmp_path: Path) -> None:
    made = mlp([helper.make_node("Softmax", ["s"], ["p"], "last", axis=1)], "p")
    imported = taken(made, tmp_path)
    report = imported.report
    assert report.inputs == ("x0 to x3: fixed<4,2>",)
    assert report.input_types == "the model's own quantiser"
    assert changes(report, "cut") == ["a last Softmax is left out: the order of the scores stays"]
    assert report.checked_on == "checked on random and extreme codes only"
    assert report.weights == 35
    assert report.nonzero_weights == int(sum(np.count_nonzero(onnx.numpy_helper.to_array(t))
                                             for t in made.graph.initializer if t.name in ("w1", "w2")))  # fmt: skip
    assert report.ebops is not None
    assert imported.files()["source.onnx"] == (tmp_path / "model.bin").read_bytes()


@pytest.mark.parametrize(
    ("op", "attributes"),
    [("Sigmoid", {}), ("LogSoftmax", {"axis": -1}), ("ArgMax", {"axis": 1, "keepdims": 0})],
)
def test_other_ends_that_keep_the_order_are_cut(op: str, attributes: dict[str, Any], tmp_path: Path) -> None:
    report = taken(mlp([helper.make_node(op, ["s"], ["p"], "last", **attributes)], "p"), tmp_path).report
    assert len(changes(report, "cut")) == 1


def test_a_softmax_over_the_events_is_not_cut(tmp_path: Path) -> None:
    made = mlp([helper.make_node("Softmax", ["s"], ["p"], "last", axis=0)], "p")
    with pytest.raises(UnsupportedError, match="last"):
        codesign.import_model(saved(made, tmp_path / "m.onnx"))


def test_events_are_compared_first(tmp_path: Path) -> None:
    path = saved(mlp(), tmp_path / "m.onnx")
    events = np.random.default_rng(0).normal(size=(70, 4))
    report = codesign.import_model(path, events=events).report
    assert report.checked_on == "checked on 70 events and on random and extreme codes"
    with pytest.raises(InputError, match=r"the model has 4 inputs"):
        codesign.import_model(path, events=events[:, :3])
    events[3, 1] = np.nan
    with pytest.raises(InputError, match="row 3"):
        codesign.import_model(path, events=events)


def test_an_input_without_type_is_asked_for_in_one_line(tmp_path: Path) -> None:
    path = saved(mlp(own_input=False), tmp_path / "m.onnx")
    with pytest.raises(InputError, match="input 'x' of 4 numbers: the file does not say its type") as caught:
        codesign.import_model(path)
    said = str(caught.value)
    assert "inferred" in said
    assert "not taken" in said
    assert "--inputs" in said
    assert "\n" not in said
    assert codesign.import_model(path, inputs="fixed<6,3>").report.input_types == "declared"


def test_all_obstacles_are_told_at_once_with_the_type_that_is_missing(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Softmax", ["x"], ["a"], "middle", axis=1),
        helper.make_node("Hardmax", ["x"], ["b"], "odd", axis=1),
        helper.make_node("Add", ["a", "b"], ["y"], "sum"),
    ]
    with pytest.raises(UnsupportedError) as caught:
        codesign.import_model(saved(model(nodes, {}, domains=()), tmp_path / "m.onnx"))
    for word in ("middle", "odd", "input 'x'"):
        assert word in str(caught.value)


def test_float32_near_ties_is_counted_and_explained(tmp_path: Path) -> None:
    imported = taken(mlp(scale=0.3), tmp_path, rounded=ROUNDED)
    assert imported.design().input_quantisation.step == pytest.approx((0.3,) * 4, rel=1e-6)
    assert imported.report.inputs == ("x0 to x3: fixed<4,4>",)
    assert imported.report.agreement[0].largest_gap == 3
    assert changes(imported.report, "table") or changes(imported.report, "thresholds")


def test_one_scale_for_all_outputs_is_dropped_and_stands_in_the_report(tmp_path: Path) -> None:
    ends = [helper.make_node("Mul", ["s", "all"], ["p"], "scaled")]
    imported = taken(mlp(ends, "p", more={"all": 0.3}), tmp_path)
    assert len(set(imported.report.output_scale)) == 1
    assert imported.report.output_scale[0] > 0
    assert any("the order stays" in how for how in changes(imported.report, "dropped"))
    # the source's own values come back through the scale
    codes = np.array([[1, -3, 2, 0], [7, 7, -8, 1]])
    values = imported.design().outputs.values(exact_codes(imported.design(), codes))
    (run,) = imported.runners.values()
    assert np.allclose(run(codes), values, atol=1e-4)


def test_a_scale_for_each_output_is_recorded_and_said(tmp_path: Path) -> None:
    made = mlp([helper.make_node("Mul", ["s", "each"], ["p"], "scaled")], "p", more={"each": [0.3, 0.7, 0.11]})
    report = taken(made, tmp_path).report
    assert np.allclose(np.array(report.output_scale) / report.output_scale[0], [1, 0.7 / 0.3, 0.11 / 0.3], rtol=1e-6)
    assert any("before outputs are compared" in how for how in changes(report, "dropped"))


def test_outputs_in_steps_of_one_another_stay_comparable(tmp_path: Path) -> None:
    """One scale, and a column of even weights: no factor of its own for it."""
    nodes = [
        quant("x", "q", "in"), helper.make_node("Mul", ["q", "third"], ["r"], "r"),
        helper.make_node("MatMul", ["r", "w"], ["y"], "m"),
    ]  # fmt: skip
    weights = [[1, 2, 4], [3, 2, 0], [0, 4, 8], [1, 6, 0]]
    constants = {"zero": 0.0, "four": 4.0, "in": 0.25, "third": 0.3, "w": weights}
    report = taken(model(nodes, constants), tmp_path).report
    assert len(set(report.output_scale)) == 1
    assert not report.output_offset
    assert any("the order stays" in how for how in changes(report, "dropped"))


@pytest.mark.parametrize("narrow", [0, 1])
def test_a_narrow_input_quantiser_stays_narrow(narrow: int, tmp_path: Path) -> None:
    nodes = [quant("x", "q", "in", narrow=narrow), helper.make_node("MatMul", ["q", "w"], ["y"], "m")]
    constants = {"zero": 0.0, "four": 4.0, "in": 0.3, "w": np.eye(4, dtype=np.float32)}
    imported = taken(model(nodes, constants), tmp_path)
    found = exact_codes(imported.design(), np.full((1, 4), -8))
    assert found.tolist() == [[-8 + narrow] * 4]


def test_a_quantize_linear_input_with_a_zero_point(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], "ql"),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], "dl"),
        helper.make_node("MatMul", ["d", "w"], ["y"], "m"),
    ]
    constants = {
        "s": np.array(0.11, np.float32), "z": np.array(100, np.uint8),
        "w": np.array([[1, 0], [0, 1], [2, 0], [0, -1]], np.float32),
    }  # fmt: skip
    imported = taken(model(nodes, constants, domains=()), tmp_path)
    assert imported.report.inputs == ("x0 to x3: fixed<9,9>",)
    assert exact_codes(imported.design(), np.array([[-256, 255, 0, 0]]))[0, :2].tolist() == [-100, 155]


def test_an_integer_input_has_its_own_type(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], "cast", to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["f", "w"], ["y"], "m"),
    ]
    made = model(nodes, {"w": np.eye(4, dtype=np.float32)}, kind=TensorProto.INT8, domains=())
    report = taken(made, tmp_path).report
    assert report.input_types == "the model's own types"
    assert report.inputs == ("x0 to x3: fixed<8,8>",)


def test_a_file_of_one_event_takes_any_number(tmp_path: Path) -> None:
    nodes = [
        quant("x", "q", "in"),
        helper.make_node("Reshape", ["q", "to"], ["f"], "flat"),
        helper.make_node("MatMul", ["f", "w"], ["y"], "m"),
    ]
    constants = {
        "zero": 0.0, "four": 4.0, "in": 0.25, "to": np.array([1, -1]),
        "w": np.ones((4, 2), np.float32),
    }  # fmt: skip
    imported = taken(model(nodes, constants, shape=(1, 2, 2)), tmp_path)
    assert exact_codes(imported.design(), np.ones((7, 4), np.int64)).shape == (7, 2)


def test_quant_of_a_domain_that_qonnx_had_is_quant_and_of_any_other_is_not(tmp_path: Path) -> None:
    for domain in ("onnx.brevitas", "finn.custom_op.general"):
        made = mlp(domains=(domain,))
        for node in made.graph.node:
            node.domain = domain if node.op_type == "Quant" else ""
        taken(made, tmp_path)
    for node in made.graph.node:
        node.domain = "mine" if node.op_type == "Quant" else ""
    with pytest.raises(UnsupportedError, match="domain 'mine'"):
        codesign.import_model(saved(made, tmp_path / "m.onnx"), inputs="fixed<4,2>")


def test_a_design_that_is_not_its_source_is_refused(tmp_path: Path) -> None:
    imported = codesign.import_model(saved(mlp(), tmp_path / "m.onnx"))
    lsb = imported.design().outputs.lsbs

    def exactly(codes: Any) -> Any:
        return imported.design().outputs.values(exact_codes(imported.design(), codes))

    def exactly_off(codes: Any) -> Any:
        return exactly(codes) + 0.3 * lsb

    def otherwise(codes: Any) -> Any:
        found = exactly(codes)
        found[5] += lsb
        return found

    with pytest.raises(InputError, match="misread"):
        compare(replace(imported, runners={"planted 1": otherwise}, again=None))
    # less than half a code off is off, too
    with pytest.raises(InputError, match="misread"):
        compare(replace(imported, runners={"planted 1": exactly_off}, again=exactly_off))
    explained = compare(replace(imported, runners={"planted 1": otherwise}))
    (agreement,) = explained.imported.report.agreement
    assert (agreement.tried - agreement.equal, agreement.explained, agreement.largest_gap) == (1, 1, 1.0)
    assert not explained.same[5]
    assert explained.same.sum() == agreement.equal


def test_whatever_is_no_model_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "project" / "firmware").mkdir(parents=True)
    (tmp_path / "project" / "firmware" / "parameters.h").write_text("//")
    for path, said in (("text.onnx", "no importer takes it"), ("project", "hls4ml"), ("none", "no such file")):
        with pytest.raises(InputError, match=said):
            codesign.import_model(tmp_path / path)
    with pytest.raises(InputError, match="no importer takes a int"):
        codesign.import_model(3)  # type: ignore[arg-type]


def test_importers_of_packages_are_found_and_held_to_their_contract(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mine(Importer):
        name = "mine"

        def takes(self, source: Source) -> bool:
            return isinstance(source, Path) and source.read_bytes().startswith(b"mine")

        def read(self, source: Source, question: Question) -> codesign.Imported:
            raise UnsupportedError("read by mine")

    class Half(Importer):
        name = "half"

        def takes(self, source: Source) -> bool:
            return False

    @dataclass(frozen=True)
    class Entry:
        name: str
        made: object

        def load(self) -> object:
            return self.made

    path = tmp_path / "model"
    path.write_bytes(b"mine")
    for made, said in ((Mine, "read by mine"), (Half, "lacks what an Importer must do: read"), (dict, "is none")):
        entry = Entry("mine", made)
        monkeypatch.setattr(importers, "entry_points", lambda group, entry=entry: [entry])
        importers.importers.cache_clear()
        with pytest.raises(CodesignError, match=said):
            codesign.import_model(path)
    importers.importers.cache_clear()


def test_odd_files_are_taken_or_named_in_one_line(tmp_path: Path) -> None:
    unmade = mlp()
    unmade.graph.output[0].name = "nobody"
    with pytest.raises(UnsupportedError, match="no node makes the output 'nobody'"):
        codesign.import_model(saved(unmade, tmp_path / "m.onnx"))
    noted = mlp()
    noted.graph.node[0].attribute.append(helper.make_attribute("note", 7))
    taken(noted, tmp_path)
    scalar = mlp([helper.make_node("MatMul", ["zero", "w2"], ["z"]), helper.make_node("Add", ["s", "z"], ["p"])], "p")
    with pytest.raises(CodesignError):
        codesign.import_model(saved(scalar, tmp_path / "m.onnx"))
