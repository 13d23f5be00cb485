"""README and documentation say what the records hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.documents import numbers, pictures, records, reference, tables
from tests.documents.notebook import cells, tutorial_page
from tests.documents.numbers import SPAN, fill, loose_numbers, value_of
from tests.documents.tables import TABLE, fill_tables
from tests.trees import ROOT

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_numbers_are_those_of_their_records(path):
    text = path.read_text(encoding="utf-8")
    assert fill_tables(fill(text)) == text, "make numbers"


def test_every_number_of_the_readme_has_a_record():
    assert not loose_numbers(README.read_text(encoding="utf-8"))


def test_the_readme_is_short():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert len(SPAN.sub(lambda span: span["text"], text).split()) <= 1100


def test_one_digit_changed_by_hand_is_found():
    text = README.read_text(encoding="utf-8")
    span = SPAN.search(text)
    digit = next(i for i in range(span.start("text"), span.end("text")) if text[i].isdigit())
    changed = f"{text[:digit]}{(int(text[digit]) + 1) % 10}{text[digit + 1 :]}"
    assert fill(changed) == text
    (loose,) = loose_numbers("It takes 17 LUTs, in `2` modules of Python 3.11.")
    assert "17" in loose


def test_a_number_of_a_table_changed_by_hand_is_found():
    text = (ROOT / "docs" / "trees.md").read_text(encoding="utf-8")
    row = TABLE.search(text)[0].splitlines()[-2]
    assert fill_tables(text.replace(row, row.replace("8,085", "8,086"))) == text
    with pytest.raises(ValueError, match="no table 'of nothing'"):
        fill_tables("<!--| of nothing -->\n<!--|/-->")


def test_a_study_that_changes_is_said_beside_its_record(monkeypatch, tmp_path):
    changed = tmp_path / "l1-anomaly.yaml"
    changed.write_text((ROOT / "search" / "l1-anomaly.yaml").read_text().replace("seed: 1\n", "seed: 2\n"))
    assert "`l1-anomaly`" not in tables.TABLES["studies that changed since"]()
    files = {"l1-anomaly": changed}
    monkeypatch.setattr(tables, "locate", lambda folder, name: files.get(name, ROOT / folder / f"{name}.yaml"))
    assert "| `l1-anomaly` | `seed` | `1` | `2` |" in tables.TABLES["studies that changed since"]()


def test_records_are_listed_and_as_they_were_indexed():
    assert not records.unlisted()
    assert json.loads(records.INDEX.read_text(encoding="utf-8")) == records.index(), "make numbers"
    assert (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8") == records.page(), "make numbers"


def test_pictures_are_those_of_the_rooms():
    for name in ("pipeline", "rooms"):
        drawn = (ROOT / "docs" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
        assert drawn == getattr(pictures, name)(), "make numbers"


@pytest.mark.parametrize("name", reference.PAGES)
def test_pages_of_reference_say_what_the_code_says(name):
    # in a process of its own: other tests name plug-ins
    code = f"from tests.documents.reference import PAGES; print(PAGES[{name!r}](), end='')"
    own = {key: value for key, value in os.environ.items() if key != "CODESIGN_PACKAGES"}
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=own, capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == made.stdout, "make numbers"


@pytest.mark.parametrize("name", [name for name in reference.PAGES if name != "reference_python.md"])
def test_every_key_of_a_page_of_reference_says_what_it_means(name):
    untold = [line for line in (ROOT / "docs" / name).read_text(encoding="utf-8").splitlines() if line.endswith("|  |")]
    assert untold == []


def test_the_tutorial_s_page_is_its_notebook():
    assert (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8") == tutorial_page(), "make numbers"
    assert not [c for c in cells() if c.get("outputs")], "commit the notebook without its results"


def test_no_record_is_of_another_version_of_a_tool(monkeypatch, tmp_path):
    assert not records.outdated()
    index = json.loads(records.INDEX.read_text(encoding="utf-8"))
    index["calibration.json"]["versions"]["alkaid"] = "0.0.1"
    (tmp_path / "index.json").write_text(json.dumps(index), encoding="utf-8")
    monkeypatch.setattr(records, "INDEX", tmp_path / "index.json")
    assert len(records.outdated()) == 1


def test_a_record_of_an_older_simulation_says_so(monkeypatch, tmp_path):
    """By its own word, or by the code of its commit; the page of evidence has it."""
    index = records.index()
    today = records.GENERATIONS["events"][1]
    for name, version in (("hlt_jets.json", today), ("detector.json", today - 1)):
        index[name]["simulation"] = {"events": version}
    (tmp_path / "index.json").write_text(json.dumps(index), encoding="utf-8")
    monkeypatch.setattr(records, "INDEX", tmp_path / "index.json")
    assert "detector.json" in records.older()
    assert "hlt_jets.json" not in records.older()
    rows = {line.split("`")[1]: line for line in records.page().splitlines() if line.startswith("| `")}
    assert f"**events {today - 1}: older**" in rows["detector.json"]
    assert f"| events {today} |" in rows["hlt_jets.json"]
    said = {"provenance": {"origin": "simulated", "generation_version": 1, "card": {}}, "rows": []}
    assert records.simulation_of("detector.json", said, "no-commit") == {"events": 1}
    assert records.simulation_of("detector.json", {}, "no-commit") == {"events": today}
    assert records.simulation_of("kept.json", said, "no-commit") == {}
    then = records.simulation_of("hlt_jets.json", {}, "a69a14cf9e6c")["events"]
    assert then in (2, today), "today's where the history is not there"


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("front.json points", "a span is"),
        ("front.json points/*/trial .0f", "no reducer"),
        ("max front.json nothing/*/lut .0f", "has no"),
    ],
)
def test_spans_that_name_nothing(what, found):
    with pytest.raises(ValueError, match=found):
        value_of(what)


def test_spans_reach_figures(monkeypatch):
    record = {
        "points": [{"figures": [{"quantity": "lut", "value": v}, {"quantity": "ff", "value": 1}]} for v in (4, 9)]
    }
    monkeypatch.setattr(numbers, "_record", lambda name: record)
    assert value_of("max x.json points/*/figures/quantity=lut/value .0f") == "9"
    assert value_of("geomean x.json points/*/figures/quantity=lut/value .1f") == "6.0"
    assert value_of("count x.json points/* d") == "2"
