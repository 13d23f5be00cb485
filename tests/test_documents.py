"""README and documentation say what the records hold."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.documents import numbers, pictures, records, reference, search_tables, tables
from tests.documents.notebook import cells, tutorial_page
from tests.documents.numbers import SPAN, UNREAD, fill, loose_numbers, plain_numbers, value_of
from tests.documents.tables import TABLE, fill_tables
from tests.trees import ROOT

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
#: made whole from code, records or a notebook: each is compared with what is made
MADE = {*reference.PAGES, "evidence.md", "tutorial.md"}
WRITTEN = [path for path in PAGES if path.name not in MADE]


def faults(path, text):
    """What of a page does not follow from records, code or the list of plain numbers."""
    loose, plain = Counter(loose_numbers(text)), plain_numbers().get(path.name, Counter())
    found = [f"of no record, and not in plain_numbers.txt: '{phrase}'" for phrase in (loose - plain)]
    found += [f"in plain_numbers.txt, and not on the page: '{phrase}'" for phrase in (plain - loose)]
    try:
        return found + (["make numbers"] if fill_tables(fill(text)) != text else [])
    except ValueError as error:
        return [*found, str(error)]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.name)
def test_every_number_of_a_page_is_accounted_for(path):
    assert faults(path, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda p: p.name)
def test_a_digit_changed_on_any_page_is_found(path):
    text = path.read_text(encoding="utf-8")
    unread = [m.span() for pattern in (r"<!--[=|] .*? -->", *UNREAD) for m in re.finditer(pattern, text)]
    digits = [m.start() for m in re.finditer(r"(?<![\w.])\d", text) if not any(a <= m.start() < b for a, b in unread)]
    for at in digits[:: max(1, len(digits) // 12)]:
        changed = f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}"
        assert faults(path, changed), text[at - 40 : at + 40]
    assert digits or not plain_numbers().get(path.name)


def broken_lines(text):
    """Lines that Markdown takes for HTML of their own, and out of their paragraph."""
    return re.findall(r"(?m)^ *(?:[-*] |\d+\. )?<!--= .*", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_no_line_begins_with_a_span(path):
    text = path.read_text(encoding="utf-8")
    assert broken_lines(text) == []
    if span := SPAN.search(text):
        assert broken_lines(text.replace(span[0], f"\n- {span[0]}", 1))


def test_plain_numbers_are_of_pages_that_are_written():
    assert set(plain_numbers()) <= {path.name for path in WRITTEN}


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
    assert loose_numbers("It takes 17 LUTs, in `2` modules.") == ["takes 17 LUTs,"]


def test_what_no_page_can_hide():
    text = "lost: -0.131 and <b>4</b>.\n- a\n    and 12 of\n\n    code 13\n\n`14` [15](16.md) <!--= x -->17<!--/-->"
    assert loose_numbers(text) == ["lost: -0.131 and", "and 4 .", "and 12 of", "of [15"]


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
    monkeypatch.setattr(search_tables, "locate", lambda folder, name: files.get(name, ROOT / folder / f"{name}.yaml"))
    assert "| `l1-anomaly` | `seed` | `1` | `2` |" in tables.TABLES["studies that changed since"]()


def test_commands_of_records_and_pages_exist():
    texts = [command for _, command in records.MADE_BY.values()] + [p.read_text(encoding="utf-8") for p in PAGES]
    modules = {
        ROOT.joinpath(*of.split("."))
        for text in texts
        for of in re.findall(r"python -m ((?:tests|codesign)[\w.]+)", text)
    }
    assert [m for m in modules if not (m.with_suffix(".py").is_file() or (m / "__main__.py").is_file())] == []
    targets = {of for text in texts for of in re.findall(r"(?:^|`)make ([a-z][a-z-]+)", text)}
    made = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    assert targets <= made, targets - made


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
    assert f", events {today};" in rows["hlt_jets.json"]
    assert "older" not in rows["hlt_jets.json"]
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
