"""Every number of the report that was one long page is in this one, opened or closed, and no table cuts one short."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from page_numbers import is_in, numbers, read_page
from test_report_browser import BROWSER

from codesign.report import write_report

OLD = json.loads((Path(__file__).parent / "old_numbers.json").read_text())


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH: apt-get install chromium")
def test_every_number_of_the_old_report_is_in_the_new_one(finished, tmp_path):
    shown, exact = read_page(write_report(finished.path, tmp_path / "report.html"), BROWSER, tmp_path)
    assert len(OLD) > 500
    assert [number for number in OLD if not is_in(number, shown, exact)] == []
    assert not is_in("0.98765", shown, exact)


def test_numbers_are_found():
    assert numbers("trial 3: 1,234 LUT, 0.61 ± 0.02 (x16, v1.2.3) 5e-3") == {"3", "1234", "0.61", "0.02", "5e-3"}
    assert is_in("72", {"1"}, [71.76])
    assert is_in("71.8", set(), [71.76])
    assert not is_in("73", {"7"}, [71.76])
