"""Where a report goes: a run's own is refreshed; another's, or any other file, is never overwritten silently."""

import shutil

import pytest
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.errors import InputError
from codesign.report import write_comparison, write_report


@pytest.fixture
def two(own, tmp_path, monkeypatch):
    """Two runs of one study, in folders of one name."""
    other = tmp_path / "elsewhere" / "made-up"
    shutil.copytree(own.path, other)
    own.write("search.json", {"name": "made-up-aaaa"})
    (other / "search.json").write_text('{"name": "made-up-bbbb"}')
    monkeypatch.chdir(tmp_path)
    return own.path, other


def test_the_report_of_another_run_is_not_overwritten(two):
    mine = write_report(two[0])
    before = mine.read_bytes()
    assert write_report(two[0]) == mine  # its own is refreshed
    with pytest.raises(InputError, match=r"another run.*-o reports/made-up-2\.html.*--force"):
        write_report(two[1])
    assert mine.read_bytes() == before
    assert write_report(two[1], force=True) == mine
    assert mine.read_bytes() != before


def test_each_run_folder_has_a_report_of_its_own(two, tmp_path):
    renamed = tmp_path / "second"
    two[1].rename(renamed)
    assert write_report(two[0]) != write_report(renamed)


def test_a_copy_of_a_run_is_the_same_run(two, tmp_path):
    shutil.copytree(two[0], tmp_path / "copy")
    assert write_report(two[0], tmp_path / "r.html") == write_report(tmp_path / "copy", tmp_path / "r.html")


@pytest.mark.parametrize("damage", ["{", "[1]", '{"name": 3}', "gone"])
def test_a_damaged_record_of_the_search_still_gives_a_report(two, damage):
    path = two[0] / "search.json"
    path.unlink() if damage == "gone" else path.write_text(damage)
    assert write_report(two[0]).is_file()


def test_a_file_that_is_no_report_is_not_overwritten(two, tmp_path):
    thesis = tmp_path / "thesis.html"
    thesis.write_text("years of work")
    with pytest.raises(InputError, match=r"no report of this run.*--force"):
        write_report(two[0], thesis)
    assert thesis.read_text() == "years of work"
    with pytest.raises(InputError, match=r"ends in \.html"):
        write_report(two[0], tmp_path / "table.csv")


def test_comparisons_are_kept_apart_as_well(two, tmp_path):
    made = write_comparison(*two)
    assert write_comparison(*two) == made
    with pytest.raises(InputError, match="another run"):
        write_comparison(two[1], two[0], made)


def test_the_command_replaces_with_force_only(two, tmp_path):
    runner, place = CliRunner(), str(tmp_path / "r.html")
    assert runner.invoke(app, ["report", str(two[0]), "-o", place]).exit_code == 0
    assert isinstance(runner.invoke(app, ["report", str(two[1]), "-o", place]).exception, InputError)
    assert runner.invoke(app, ["report", str(two[1]), "-o", place, "--force"]).exit_code == 0
