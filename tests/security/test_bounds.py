"""Bytes, depths, numbers and times of what is read have bounds; beyond them: one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from codesign.core.reading.json import json_of
from codesign.core.reading.yaml import yaml_of
from codesign.core.records import TrialStatus
from codesign.core.runfolder import RunFolder
from codesign.core.targets import load_target
from codesign.physics.card import load_card
from codesign.search.cluster import job_queue
from codesign.study.definition import load_study
from tests.security.refusal import refused


def bomb(first: str = "[x, x, x, x, x, x, x, x, x, x]", row: str = "[{}]") -> str:
    lines = [f"a{i}: &a{i} {row.format(', '.join([f'*a{i - 1}'] * 10))}" for i in range(1, 12)]
    return "\n".join([f"a0: &a0 {first}", *lines])


YAML = {
    "aliases that multiply": (bomb(), "aliases repeat"),
    "merges that multiply": (bomb("{k: 1, l: 2}", "{{<<: [{}]}}"), "aliases repeat"),
    "an alias within what it repeats": ("name: &n [*n]", "within what it repeats"),
    "a recursive mapping": ("&m\nname: {next: *m}", "within what it repeats"),
    "deep lists": ("name: " + "[" * 20_000, "nested deeper"),
    "deep mappings": ("name: " + "{a: " * 5_000 + "1" + "}" * 5_000, "nested deeper"),
    "deep blocks": ("- " * 3_000 + "1", "nested deeper"),
    "a key twice": ("name: a\ntask: b\nname: c", "key 'name' stands twice, again in line 3"),
    "a key twice, deep": ("search:\n  trials: 1\n  trials: 2\n", "line 3"),
    "5,000 digits": ("seed: " + "9" * 5_000, "5000 characters in line 1"),
    "5,000 hexadecimal digits": ("seed: 0x" + "f" * 5_000, "5002 characters"),
    "base 60": ("seed: 1" + ":59" * 2_000, "characters in line 1"),
    "infinity": ("clock_mhz: .inf", "not a finite number"),
    "no number": ("clock_mhz: .NaN", "not a finite number"),
    "an impossible date": ("name: 2001-99-99", "not what its tag says"),
    "a Python object": ("name: !!python/object/apply:os.system [id]", "not valid YAML"),
    "a million values": ("[" + "1," * 400_000 + "]", "more than 50000 values"),
    "two megabytes": ("# " + "x" * (2 << 20), "are read"),
    "no text": ("name: \0", "not valid YAML"),
}  # fmt: skip


@pytest.mark.parametrize("kind", YAML)
def test_yaml(kind):
    text, why = YAML[kind]
    with refused(why, "a.yaml"):
        yaml_of(text, "a.yaml")


@pytest.mark.parametrize(
    "kind", ["aliases that multiply", "deep lists", "a recursive mapping", "5,000 digits", "a key twice"]
)
@pytest.mark.parametrize("door", [load_study, load_target, load_card, job_queue])
def test_every_door_for_yaml(tmp_path, door, kind):
    pytest.importorskip("dask_jobqueue") if door is job_queue else None
    path = tmp_path / "given.yaml"
    path.write_text(YAML[kind][0])
    with refused(YAML[kind][1], path):
        door(path if door is job_queue else str(path))


def test_yaml_that_is_not_utf8(tmp_path):
    (tmp_path / "s.yaml").write_bytes(b"name: \xff\xfe")
    with refused("not UTF-8", "s.yaml"):
        load_study(str(tmp_path / "s.yaml"))


JSON = {
    "deep lists": ("[" * 100_000, "nested deeper"),
    "deep lists that Python still parses": ("[" * 500 + "]" * 500, "nested deeper"),
    "deep objects": ('{"a":' * 300 + "1" + "}" * 300, "nested deeper"),
    "5,000 digits": ('{"trial": ' + "9" * 5_000 + "}", "5000 digits"),
    "5,000 digits behind a point": ('{"trial": 0.' + "9" * 5_000 + "}", "digits"),
    "NaN": ('{"trial": NaN}', "not a finite number"),
    "infinity": ('{"trial": -Infinity}', "not a finite number"),
    "infinity in digits": ('{"trial": 1e999}', "not a finite number"),
    "a key twice": ('{"trial": 1, "trial": 2}', "'trial' stands twice"),
    "no JSON": ('{"trial": ', "not valid JSON"),
    "a list": ("[1, 2]", "expected"),
}


@pytest.mark.parametrize("kind", JSON)
def test_records(tmp_path, kind):
    text, why = JSON[kind]
    (tmp_path / "status.json").write_text(text)
    run = RunFolder(tmp_path)
    with refused(why, "status.json"):
        run.read("status.json", TrialStatus)
    with refused(why, "status.json"):
        run.read_json("status.json")


def test_records_that_are_no_text_and_too_large(tmp_path):
    (tmp_path / "status.json").write_bytes(b'{"a": "\xff"}')
    with refused("not UTF-8", "status.json"):
        RunFolder(tmp_path).read_json("status.json")
    with (tmp_path / "status.json").open("wb") as stream:
        stream.truncate(1 << 40)  # holes
    with refused("at most", "status.json"):
        RunFolder(tmp_path).read_json("status.json")


def test_numbers_that_are_not_finite_pass_where_a_record_has_them():
    assert json_of('{"a": [NaN, 1e400]}', "s", constants=True)["a"][1] == float("inf")


@pytest.mark.parametrize("key", ["task", "family", "flow", "target"])
def test_a_name_with_line_breaks_is_refused_on_one_line(tmp_path, key):
    from codesign.search.resolve import resolve

    shipped = Path(__file__).parents[2] / "search" / "jet-tagger.yaml"
    study = load_study(str(shipped))
    given = "x\n\x1b[31m"
    changed = {key: study.flow.model_copy(update={"name": given}) if key == "flow" else given}
    with refused(r"x\\n\\x1b"):
        resolve(study.model_copy(update=changed))
