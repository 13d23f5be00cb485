"""The night's parts: recorded, gone on with, ended at their limit; and a comparison of searches finds what differs."""

import json

import pytest

from tests import nightly
from tests.nightly import Part, night
from tests.replay.trained import _values, differences


@pytest.fixture
def at_commit(monkeypatch):
    def at(name):
        monkeypatch.setattr(nightly, "commit_of", lambda: name)
        monkeypatch.setattr(nightly, "changed", lambda: False)

    at("a" * 40)
    return at


def test_goes_on_where_it_was(at_commit, tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    append = Part("one", ("-c", f"open({str(ran)!r}, 'a').write('x')"))
    fails = Part("two", ("-c", "print('why it fails'); raise SystemExit(3)"))
    assert night([append], again=False, folder=tmp_path, last=tmp_path / "last.json")
    assert not night([append, fails], again=False, folder=tmp_path, last=tmp_path / "last.json")
    record = json.loads((tmp_path / f"{'a' * 40}.json").read_text())
    assert record["commit"] == "a" * 40
    assert {name: part["outcome"] for name, part in record["parts"].items()} == {"one": "passed", "two": "failed"}
    assert all(part["date"] for part in record["parts"].values())
    assert "why it fails" in (tmp_path / ("a" * 40) / "two.log").read_text()
    assert ran.read_text() == "x"
    night([append], again=True, folder=tmp_path, last=tmp_path / "last.json")
    assert ran.read_text() == "xx"
    at_commit("b" * 40)
    assert night([append], again=False, folder=tmp_path, last=tmp_path / "last.json")
    assert ran.read_text() == "xxx"
    last = json.loads((tmp_path / "last.json").read_text())["parts"]
    assert {name: (part["commit"], part["outcome"]) for name, part in last.items()} == {
        "one": ("b" * 12, "passed"),
        "two": ("a" * 12, "failed"),
    }
    monkeypatch.setattr(nightly, "changed", lambda: True)
    assert night([append], again=True, folder=tmp_path, last=tmp_path / "last.json")
    assert json.loads((tmp_path / "last.json").read_text())["parts"] == last, "of no commit"


def test_a_part_ends_at_its_limit_with_all_it_started(at_commit, tmp_path):
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    assert not night(
        [Part("endless", ("-c", child), seconds=1)], again=False, folder=tmp_path, last=tmp_path / "last.json"
    )
    record = json.loads((tmp_path / f"{'a' * 40}.json").read_text())
    assert record["parts"]["endless"]["outcome"] == "stopped after 1 s"


def test_a_part_that_is_not_here_is_said(at_commit, tmp_path, capsys):
    assert night([Part("later", ("-m", "tests.not_here"))], again=False, folder=tmp_path, last=tmp_path / "last.json")
    assert "later: no module tests.not_here here" in capsys.readouterr().out


def test_parts_are_named_once_and_short_enough():
    parts = nightly.parts()
    assert len({part.name for part in parts}) == len(parts)
    assert all(part.seconds <= 40 * 60 for part in parts)


def test_a_value_that_differs_is_found_wherever_it_is():
    figure = {"quantity": "lut", "fidelity": "compiled", "value": 10}
    base = _values("t", {"state": "complete", "figures": [figure], "front": [1, 2]})
    assert differences(base, base) == []
    now = _values("t", {"state": "complete", "figures": [figure | {"value": 11}], "front": [1], "new": 0})
    assert differences(base, now) == [
        ("t/figures/lut (compiled)/value", 10, 11),
        ("t/front", [1, 2], [1]),
        ("t/new", "absent", 0),
    ]
