"""What is wrong in a study is said in one line, with file, line and key, before anything runs; an editor knows it."""

import json
import re

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner

from codesign.cli import app, schemas
from codesign.core.errors import CodesignError, InputError
from codesign.core.resources import available, locate
from codesign.search.resolve import resolve
from codesign.study.definition import in_its_file, load_study

STUDY = """name: own
task: jet-tagging
sample:
  card: jets-13tev
  events: 20000
family: mlp
space:
  depth: {low: 1, high: 3}
  width: [8, 16]
  weight_bits: {low: 2, high: 5}
  activation_bits: {low: 2, high: 5}
  input_bits: {low: 4, high: 8}
  sparsity: {low: 0.4, high: 0.9}
training:
  epochs: 8
flow: alkaid
target: vu13p-360
objectives:
- {name: accuracy, direction: maximise}
- {name: lut, direction: minimise}
constraints:
- {name: lut, max: 6000}
"""
#: what is replaced by what, the line that is named, what is said, and whether an editor's schema sees it
MISTAKES = [
    ("name: own\n", "name: Own Study\n", 1, "it is no name: small letters", True),
    ("task: jet-tagging", "task: jet-taging", 2, "did you mean 'jet-tagging'?", True),
    ("  card: jets-13tev", "  crad: jets-13tev", 4, r"unknown key 'crad' (did you mean 'card'?)", True),
    ("  events: 20000", "  events: few", 5, "'events': Input should be a valid integer", True),
    ("family: mlp", "family: mpl", 6, "did you mean 'mlp'?", True),
    ("  width: [8, 16]", "  width: [8, -16]", 9, "no candidate can have width_0 -16", False),
    ("  width: [8, 16]", "  widths: [8, 16]", 9, "unknown key 'widths' (did you mean 'width'?)", True),
    ("  width: [8, 16]", "  width: [8, 8.5]", 9, "expected a whole number, found 8.5", True),
    ("sparsity: {low: 0.4, high: 0.9}", "sparsity: 95", 13, "holds no valid candidate: 'sparsity'", False),
    ("sparsity: {low: 0.4, high: 0.9}", "sparsity: {low: 0.4, high: 95}", 13, "can have sparsity 95", False),
    ("sparsity: {low: 0.4, high: 0.9}", "sparsity: {low: 0.9, high: 0.4}", 13, "low (0.9) is above high", False),
    ("sparsity: {low: 0.4, high: 0.9}", "sparsity: {lo: 0.4, high: 0.9}", 13, "unknown key 'lo' (did you mean", True),
    ("  epochs: 8", "  epochs: 0", 15, "greater than or equal to 1", True),
    ("  epochs: 8", "  epohcs: 8", 15, "unknown key 'training.epohcs' (did you mean 'epochs'?)", True),
    ("  epochs: 8", "  device: gpu", 15, "'training.device': Input should be 'auto', 'cpu' or 'cuda'", True),
    ("  epochs: 8", "  optimiser: adamm", 15, "did you mean 'adam'?", False),
    ("flow: alkaid", "flow: alkiad", 16, "did you mean 'alkaid'?", True),
    ("flow: alkaid", "flow: {name: alkaid, stage_dely: 2}", 16, "unknown key 'stage_dely'", True),
    ("target: vu13p-360", "target: vu13p-36", 17, "did you mean 'vu13p-360'?", True),
    ("{name: accuracy, direction: maximise}", "{name: acuracy, direction: maximise}", 19, "'accuracy'?", False),
    ("{name: accuracy, direction: maximise}", "{name: accuracy, direction: maximize}", 19, "'maximise'?", True),
    ("{name: accuracy, direction: maximise}", "{name: accuracy, direction: minimise}", 19, "the higher it is", False),
    ("{name: lut, max: 6000}", "{name: lut, max: 0}", 22, "no design has so little", False),
    ("{name: lut, max: 6000}", "{name: lut}", 22, "needs a min or a max", False),
    ("{name: lut, max: 6000}", "{name: latency_ns, max: 1}", 22, "no design takes less than one clock period", False),
    ("flow: alkaid", "flow: alkaid\nseed: 1\nseed: 2", 18, "key 'seed' stands twice", False),
    ("flow: alkaid", "flow: [alkaid", None, "not valid YAML", None),
]


@pytest.mark.parametrize(("right", "wrong", "line", "said", "seen"), MISTAKES)
def test_a_mistake_is_named_with_file_line_and_key(tmp_path, right, wrong, line, said, seen):
    path = tmp_path / "own.yaml"
    assert STUDY.count(right) == 1
    path.write_text(STUDY.replace(right, wrong))
    with pytest.raises(CodesignError) as error, in_its_file(str(path)):
        resolve(load_study(str(path)))
    text = str(error.value)
    assert text.startswith(str(path))
    assert said in text
    if line is not None:
        assert f"line {line}" in text
    assert "\n" not in text
    assert not re.search(r"https?://|\^\[|validation error", text)
    if seen is not None:
        assert bool(list(_checker().iter_errors(yaml.safe_load(path.read_text())))) == seen


def test_without_a_mistake_nothing_is_said(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(STUDY)
    resolve(load_study(str(path)))
    assert not list(_checker().iter_errors(yaml.safe_load(STUDY)))


def _checker():
    if not hasattr(_checker, "made"):
        _checker.made = jsonschema.Draft202012Validator(schemas.schema("study"))
    return _checker.made


def test_the_schema_is_one_and_offers_what_there_is():
    made = schemas.schema("study")
    jsonschema.Draft202012Validator.check_schema(made)
    assert "jet-tagging" in made["properties"]["task"]["enum"]
    assert "vu13p-360" in made["properties"]["target"]["anyOf"][0]["enum"]
    training = made["$defs"]["Training"]["properties"]
    for key in ("optimiser", "learning_rate", "schedule", "patience", "class_weights", "loss", "device", "epochs"):
        assert training[key]["description"]
    assert "focal" in training["loss"]["enum"]
    assert "width" in made["$defs"]["space of mlp"]["properties"]


@pytest.mark.parametrize("name", available("search"))
def test_the_schema_takes_every_shipped_study(name):
    given = yaml.safe_load(locate("search", name).read_text())
    assert [error.message for error in _checker().iter_errors(given)] == []


def test_the_command_checks_a_file(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(STUDY.replace("target: vu13p-360", "target: vu13p-36"))
    found = CliRunner().invoke(app, ["studies", "--check", str(path), "--json"])
    assert found.exit_code == 1
    (row,) = json.loads(found.stdout)
    assert row["check"].startswith(f"{path}, line 17, target: ")


def test_a_table_without_a_column_is_told_before_anything_runs(tmp_path):
    from tests.tasks.tables.made import six_tables

    six_tables(tmp_path, 60)
    path = tmp_path / "own.yaml"
    sample = (
        f"sample:\n  files: [{tmp_path}/a.csv]\n  features:\n  - ht\n  - mas\n"
        "  label: {column: is_signal, classes: {0: b, 1: s}}\n"
    )
    text = STUDY.replace("task: jet-tagging", "task: classification")
    path.write_text(re.sub(r"sample:\n(  .*\n)+", sample, text))
    with (
        pytest.raises(InputError, match=r"own.yaml, line 7.*no column 'mas' \(did you mean 'mass'\?\)"),
        in_its_file(str(path)),
    ):
        resolve(load_study(str(path)))
