"""axe-core finds nothing to say of a report, closed and opened, wide and narrow.

Needs Chromium, and the package axe-playwright-python, of which only its copy of axe-core is used.
"""

from __future__ import annotations

import html
import importlib.util
import json
import re
from pathlib import Path

import pytest
from test_report_browser import BROWSER, browse, without_policy

from codesign.report import write_report

FOUND = importlib.util.find_spec("axe_playwright_python")
AXE = Path(FOUND.submodule_search_locations[0]) / "axe.min.js" if FOUND and FOUND.submodule_search_locations else None
pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH: apt-get install chromium"),
    pytest.mark.skipif(AXE is None, reason="axe-core is not here: pip install axe-playwright-python"),
]

#: plotly's own drawings are left out: each has its words, and its numbers in a table
PROBE = """
window.addEventListener("load", () => setTimeout(async () => {
  const run = () => axe.run({ exclude: [[".js-plotly-plot"]] }, { resultTypes: ["violations"] });
  const closed = await run();
  for (const part of document.querySelectorAll("details")) part.open = true;
  const opened = await run();
  const said = (found) => found.violations.map((v) => `${v.id}: ${v.nodes.length}: ${v.nodes[0].html.slice(0, 160)}`);
  document.title = "AXE " + JSON.stringify({ closed: said(closed), opened: said(opened), rules: closed.passes.length });
}, 100));
"""


def violations(path, tmp_path, width, more=""):
    core = AXE.read_text(encoding="utf-8").replace("</script", "<\\/script")
    probe = f"{more}{core}{PROBE}"
    dom, _ = browse(without_policy(path, probe), tmp_path, width)
    found = re.search(r"<title>AXE (.*?)</title>", dom, re.DOTALL)
    assert found is not None
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", [1400, pytest.param(500, marks=pytest.mark.slow)])
def test_axe_has_nothing_to_say(finished, tmp_path, width):
    found = violations(write_report(finished.path, tmp_path / "report.html"), tmp_path, width)
    assert found.pop("rules") > 20
    assert found == {"closed": [], "opened": []}


@pytest.mark.slow  # ten seconds of a browser
def test_a_planted_fault_is_seen(own, tmp_path):
    plant = 'document.querySelector("#explore").insertAdjacentHTML("beforebegin", "<button></button>");'
    found = violations(write_report(own.path, tmp_path / "report.html"), tmp_path, 1400, plant)
    assert any(text.startswith("button-name") for text in found["closed"])
