"""The report in a real browser: it draws, sorts and pages, and reports no error. Needs Chromium."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess

import pytest

from codesign.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH: apt-get install chromium")

#: what a reader does: every view, sorting, filtering, a click on a point of either kind
PROBE = """
const out = {};
const change = (id, value) => {
  const e = document.getElementById(id);
  e.value = value;
  e.dispatchEvent(new Event(e.type === "search" ? "input" : "change"));
};
// by the page's clock, which waits for its work: frames may not come before the end on a loaded machine
window.addEventListener("load", () => setTimeout(() => {
  out.tall = document.documentElement.scrollHeight;
  document.getElementById("open-all").click();
  document.getElementById("explore").dispatchEvent(new Event("toggle"));  // which a browser sends later
  const rows = () => document.querySelectorAll("#trial-table tbody tr").length;
  const first = () => document.querySelector("#trial-table tbody th").textContent;
  const plot = document.getElementById("front-plot");
  out.views = DATA.views.map((view, i) => {
    change("view", i);
    return plot.querySelectorAll(".scatterlayer .point").length;
  });
  // a budget on the front's first figure: at its lowest step one point is left, and lifted none is outside
  const outside = () => document.querySelectorAll(".overview tr.outside").length;
  change("view", 2);
  const slider = [...document.querySelectorAll("#budget-main input")].find((e) => e.dataset.column.startsWith("lut "));
  const slide = (at) => { slider.value = at; slider.dispatchEvent(new Event("input")); };
  const grey = () => plot.data.filter((t) => t.name === "outside the budgets").reduce((n, t) => n + t.x.length, 0);
  out.budgets = [0, 2, slider.max].map((at) => { slide(at); return [outside(), grey()]; });
  slide(0);
  out.said = document.getElementById("budget-count").textContent;
  document.getElementById("budget-reset").click();
  out.lifted = outside() + grey();
  window.dispatchEvent(new Event("beforeprint"));  // what is drawn when it is seen
  window.dispatchEvent(new Event("afterprint"));
  const canvas = document.getElementById("parallel");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  out.lines = pixels.some((v) => v);
  out.progress = document.querySelectorAll("#progress-plot .main-svg").length;
  out.rows = rows();
  document.querySelectorAll("#trial-table thead button")[3].click();
  const low = first();
  document.querySelectorAll("#trial-table thead button")[3].click();
  out.sorted = low !== first() && document.querySelectorAll("#trial-table th[aria-sort=descending]").length === 1;
  change("trial-state", "failed");
  out.failed = rows();
  change("trial-search", "rounding");
  out.found = rows();
  // every link within the page has its target; following one shows that section
  const inner = [...document.querySelectorAll("a[href^='#']")].map((a) => a.getAttribute("href"));
  out.broken = inner.filter((href) => !document.getElementById(href.slice(1)));
  const link = document.querySelector(".overview a");
  link.click();
  const shown = document.querySelector(":target");
  out.opened = location.hash === link.getAttribute("href") && shown.classList.contains("trial");
  // downloads hold what they say
  const given = [...document.querySelectorAll(".downloads a")];
  out.downloads = given.length > 0 && given.every((a) => a.download && atob(a.href.split(",")[1]).length > 0);
  // whatever takes the focus has a name, what shows something has words for it, and no identifier is there twice
  const named = (e) => (e.labels && e.labels.length) || e.ariaLabel || e.hasAttribute("aria-labelledby")
    || e.textContent.trim();
  const own = (selector) => [...document.querySelectorAll(selector)].filter((e) => !e.closest(".js-plotly-plot"));
  out.nameless = own("a, button, input, select, summary, [tabindex]").filter((e) => !named(e)).map((e) => e.outerHTML);
  out.wordless = own("[role=img]").filter((e) => !e.getAttribute("aria-label")).length;
  const ids = own("[id]").map((e) => e.id);
  out.twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  const first_slider = document.querySelector("#budget-main input");
  first_slider.focus();
  out.keyboard = document.activeElement === first_slider && first_slider.getAttribute("aria-valuetext") !== null;
  document.dispatchEvent(new CustomEvent("show-trial", { detail: 2 }));
  out.marked = document.querySelector("#trial-table .marked th").textContent;
  out.physics = document.querySelectorAll(".plots .plot .main-svg").length;
  out.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  // the page's own styles must not reach into the plots
  out.icon = [...document.querySelectorAll(".modebar svg")].every((e) => e.getBoundingClientRect().width < 30);
  document.title = "PROBED " + JSON.stringify(out);
}, 100));
"""


def probed(run, tmp_path, width):
    return browse(without_policy(write_report(run.path, tmp_path / "report.html"), PROBE), tmp_path, width)


def without_policy(path, probe):
    """A copy of a page with a probe in it: the page's policy forbids foreign scripts, and is taken off for that."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text(encoding="utf-8"))
    made = path.with_name("probe.html")
    made.write_text(text.replace("</body>", f"<script>{probe}</script></body>"), encoding="utf-8")
    return made


def browse(path, tmp_path, width=1400):
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=8000", f"--window-size={width},2000",
        "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "</html>" in done.stdout, done.stderr[-2000:]
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [1400, pytest.param(500, marks=pytest.mark.slow)])
def test_everything_a_reader_can_do(finished, tmp_path, width):
    dom, console = probed(finished, tmp_path, width)
    assert console == []
    found = re.search(r"<title>PROBED (.*?)</title>", dom)
    assert found is not None, re.findall(r"<title>.*?</title>", dom)
    # two views of all 32 scored trials (compiled, analytic) and four of the front's 6; three drawing layers per plot;
    # nothing sticks out of the page sideways
    done = json.loads(html.unescape(found.group(1)))
    # nothing opened: a few screens, whatever there is below
    assert 1000 < done.pop("tall") < (6000 if width == 1400 else 14_000)
    assert done == {
        "views": [32, 32, 6, 6, 6, 6], "budgets": [[5, 5], [3, 3], [0, 0]], "lifted": 0, "lines": True, "progress": 3,
        "broken": [], "opened": True, "downloads": True, "nameless": [], "wordless": 0, "twice": [], "keyboard": True,
        "said": "1 of 6 trials meet the budgets.", "rows": 40, "sorted": True, "failed": 8, "found": 4, "marked": "2",
        "physics": 6 * 2 * 3, "wide": 0, "icon": True,
    }  # fmt: skip


def test_the_policy_lets_the_report_itself_run(finished, tmp_path):
    dom, console = browse(write_report(finished.path, tmp_path / "report.html"), tmp_path)
    assert console == []
    assert "js-plotly-plot" in dom
    assert dom.count("<script>alert(1)</script>") == 0
