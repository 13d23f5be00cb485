"""How long the report of a large run takes to write and to open: python -m tests.benchmarks.report_page [TRIALS]

The run is made up (tests/make_run.py): only its size matters here. The browser is a headless Chromium; the time is from
the start of the navigation to the end of the load event, when the front is drawn and the table stands. The start of the
command line is measured beside it.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from make_run import make_run

from codesign.report import write_report

_PROBE = """<script>window.addEventListener("load", () => {
const drawn = document.querySelectorAll("#front-plot .scatterlayer .point").length;
document.title = "LOADED " + JSON.stringify({ ms: performance.now(), drawn, rows: DATA.tables.all.rows.length });
});</script></body>"""


def opened(page: Path, folder: Path) -> dict[str, float]:
    """Milliseconds until the page stands, points drawn and rows held."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        sys.exit("error: no Chromium on the PATH: apt-get install chromium")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    (folder / "probe.html").write_text(text.replace("</body>", _PROBE), encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        f"--user-data-dir={folder / 'profile'}", "--window-size=1400,2000", "--dump-dom",
        (folder / "probe.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=True)
    found = re.search(r"<title>LOADED (.*?)</title>", done.stdout)
    assert found is not None, "the page did not load"
    return json.loads(html.unescape(found.group(1)))  # type: ignore[no-any-return]


def started() -> float:
    """Seconds that ``codesign --help`` takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "codesign.cli", "--help"], capture_output=True, check=True)
    return time.perf_counter() - began


def main(trials: int) -> None:
    """Measure, and print JSON."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make_run(folder / "made-up", trials=trials, front=20)
        began = time.perf_counter()
        page = write_report(run.path, folder / "report.html")
        written = time.perf_counter() - began
        found = [opened(page, folder) for _ in range(5)]
        made = {
            "trials": trials,
            "report_write_seconds": round(written, 2),
            "report_megabytes": round(page.stat().st_size / 1e6, 1),
            "report_open_seconds_median": round(statistics.median(f["ms"] for f in found) / 1e3, 2),
            "report_open_seconds_worst": round(max(f["ms"] for f in found) / 1e3, 2),
            "points_drawn": found[0]["drawn"],
            "rows": found[0]["rows"],
            "command_start_seconds_median": round(statistics.median(started() for _ in range(5)), 2),
        }
    print(json.dumps(made, indent=1))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
