"""Two runs, and two designs, side by side: what differs is marked, in a real browser."""

from __future__ import annotations

import html
import json
import re

import pytest
from make_run import HOSTILE, make_run
from test_report_browser import BROWSER, browse, without_policy

from codesign.core.errors import InputError
from codesign.report import write_comparison

PROBE = """
const out = {};
const change = (id, value) => {
  const e = document.getElementById(id);
  e[e.type === "checkbox" ? "checked" : "value"] = value;
  e.dispatchEvent(new Event("change"));
};
window.addEventListener("load", () => {
  const rows = () => [...document.querySelectorAll("#compare-table tbody tr")].filter((r) => r.querySelector("td"));
  out.points = document.querySelectorAll("#fronts-plot .scatterlayer .point").length;
  out.lines = document.querySelectorAll("#fronts-progress .scatterlayer .js-line").length;
  out.designs = DATA.designs.length;
  change("compare-b", 0);
  out.same = rows().filter((r) => r.classList.contains("differs")).length;
  change("compare-b", 6);
  const all = rows().length, marked = rows().filter((r) => r.cells[0].textContent === "≠").length;
  change("compare-only", true);
  out.only = rows().length === marked && marked < all && marked > 3;
  out.said = document.getElementById("compare-count").textContent === `${marked} rows differ.`;
  out.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.title = "PROBED " + JSON.stringify(out);
});
"""


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("second") / "other", trials=20, front=4, seed=5)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH: apt-get install chromium")
@pytest.mark.parametrize("width", [1400, pytest.param(500, marks=pytest.mark.slow)])
def test_runs_and_designs_side_by_side(finished, second, tmp_path, width):
    path = write_comparison(finished.path, second.path, tmp_path / "two.html")
    assert browse(path, tmp_path, width)[1] == []
    dom, console = browse(without_policy(path, PROBE), tmp_path, width)
    assert console == []
    found = json.loads(html.unescape(re.search(r"<title>PROBED (.*?)</title>", dom).group(1)))
    points = len(points_of(finished)) + len(points_of(second))
    assert found == {"points": points, "lines": 2, "designs": points, "same": 0, "only": True, "said": True, "wide": 0}


def points_of(run):
    return json.loads((run.path / "front.json").read_text())["points"]


def test_only_what_differs_between_studies_is_marked(finished, second, tmp_path):
    text = write_comparison(finished.path, second.path, tmp_path / "out").read_text(encoding="utf-8")
    marked = re.findall(r'<tr class="differs">.*?<th scope="row" class="text">(.*?)</th>', text)
    assert set(marked) == {"trials", "on the front", "proven exact"}
    assert HOSTILE not in text


def test_a_run_is_not_compared_with_itself(finished):
    with pytest.raises(InputError, match="given twice"):
        write_comparison(finished.path, finished.path)
