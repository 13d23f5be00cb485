"""The published schemas, and the records judged by them without pydantic."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from make_run import make_run

from codesign.cli import schemas
from codesign.core.errors import InputError
from codesign.core.records import SCHEMAS, FlowResult, Flows, RepeatedDesign, RepeatedMetric, Repeats
from codesign.core.runfolder import RunFolder
from codesign.core.validation import validate

#: name of a record -> where a finished run keeps one
PLACES = {
    "front.json": "front.json",
    "metrics.json": "trials/*/metrics.json",
    "figures.json": "trials/*/figures.json",
    "verify.json": "trials/*/verify.json",
    "status.json": "trials/*/status.json",
    "plots.json": "trials/*/plots.json",
    "flows.json": "flows.json",
    "inputs.json": "trials/*/inputs.json",
    "explained.json": "trials/*/explained.json",
    "layers.json": "trials/*/layers.json",
    "comparisons.json": "trials/*/comparisons.json",
    "repeats.json": "repeats.json",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    made = make_run(tmp_path_factory.mktemp("runs") / "made-up", trials=12, front=3)
    results = [FlowResult(trial=1, flow="alkaid", equal=True, events=9), FlowResult(trial=1, flow="finn")]
    made.write("flows.json", Flows(study="made-up", target="vu13p-360", results=results))
    metric = RepeatedMetric(values=[0.7, 0.72], mean=0.71, training=0.014, events=0.01)
    made.write(
        "repeats.json", Repeats(repeats=1, designs=[RepeatedDesign(trial=1, seeds=[5], metrics={"auc": metric})])
    )
    return made


def records(run, name):
    found = [json.loads(path.read_text()) for path in sorted(run.path.glob(PLACES[name]))]
    assert found
    return found


def test_every_record_has_a_schema():
    assert set(PLACES) == set(SCHEMAS)
    assert set(schemas.NAMES) == {
        *SCHEMAS,
        "manifest.json",
        "import.json",
        "imported.json",
        "stream.json",
        "reference.json",
    }


def test_committed_schemas_are_the_models(tmp_path):
    committed = Path(schemas.__file__).parent
    written = schemas.write_schemas(tmp_path)
    assert {p.name for p in written} == {p.name for p in committed.glob("*.json")}
    for path in written:
        assert path.read_text() == (committed / path.name).read_text(), "run codesign.cli.schemas.write_schemas"


@pytest.mark.parametrize("name", schemas.NAMES)
def test_a_schema_is_one(name):
    jsonschema.Draft202012Validator.check_schema(schemas.schema(name))


def test_an_unknown_schema_names_the_nearest():
    with pytest.raises(InputError, match=r"did you mean 'front.json'"):
        schemas.schema("font.json")


@pytest.mark.parametrize("name", PLACES)
def test_records_obey_their_schema(run, name):
    for record in records(run, name):
        jsonschema.validate(record, schemas.schema(name))


@pytest.mark.parametrize("name", PLACES)
def test_an_unknown_key_is_refused(run, name):
    record = records(run, name)[0] | {"surprise": 1}
    with pytest.raises(jsonschema.ValidationError, match="surprise"):
        jsonschema.validate(record, schemas.schema(name))
    with pytest.raises(InputError, match="surprise"):
        validate(SCHEMAS[name], record, name)


WRONG = [
    ("metrics.json", ("split",), "all"),
    ("metrics.json", ("events",), 0),
    ("metrics.json", ("metrics", "accuracy", "error"), -0.1),
    ("figures.json", ("figures", 0, "value"), -1),
    ("figures.json", ("figures", 0, "fidelity"), "guessed"),
    ("figures.json", ("figures", 0, "quantity"), "happiness"),
    ("figures.json", ("figures", 0, "tool"), ""),
    ("verify.json", ("events",), -1),
    ("verify.json", ("latency_cycles",), 0),
    ("status.json", ("state",), "done"),
    ("status.json", ("trial",), -1),
    ("front.json", ("objectives", 0, "direction"), "up"),
    ("front.json", ("points", 0, "verified", "exact"), []),
    ("plots.json", ("plots", 0, "series", 0, "y"), None),
]


@pytest.mark.parametrize(("name", "where", "value"), WRONG, ids=[f"{n}:{'.'.join(map(str, w))}" for n, w, _ in WRONG])
def test_a_wrong_value_is_refused_by_schema_and_model(run, name, where, value):
    record = copy.deepcopy(records(run, name)[0])
    inner = record
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(record, schemas.schema(name))
    with pytest.raises(InputError):
        validate(SCHEMAS[name], record, name)
