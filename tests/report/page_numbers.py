"""The numbers that a page shows, everything opened: ``python page_numbers.py PAGE.html`` prints them as JSON.

``old_numbers.json`` was made so of the report that was one long page (before the first screen, all designs open), of
the made-up run of ``conftest.py``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

#: reads what stands on the page, without plots and without the table of two designs, which shows the two of a choice
PROBE = """
window.addEventListener("load", () => setTimeout(() => {
  for (const part of document.querySelectorAll("details")) part.open = true;
  for (const e of document.querySelectorAll(".js-plotly-plot, #compare-table, select, svg.front")) e.remove();
  const words = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    if (!["SCRIPT", "STYLE"].includes(walker.currentNode.parentElement.tagName)) words.push(walker.currentNode.data);
  }
  const exact = [...document.querySelectorAll("data")].map((e) => e.value);
  document.title = "NUMBERS " + JSON.stringify({ text: words.join(" "), exact });
}, 100));
"""
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?(?!\w)")


def numbers(text: str) -> set[str]:
    """Numbers as they are written, without the separators of thousands."""
    return {found.replace(",", "").rstrip(".") for found in _NUMBER.findall(text)}


def is_in(number: str, shown: set[str], exact: list[float]) -> bool:
    """Whether a number stands on the page, or is an exact value of it, rounded."""
    if number in shown or "e" in number:
        return number in shown
    decimals = len(number.partition(".")[2])
    return any(f"{abs(value):.{decimals}f}" == number for value in exact)


def read_page(path: Path, browser: str, folder: Path) -> tuple[set[str], list[float]]:
    """What a page shows: its numbers, and the exact values behind whole counts."""
    import html

    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", path.read_text(encoding="utf-8"))
    made = folder / "numbers.html"
    made.write_text(text.replace("</body>", f"<script>{PROBE}</script></body>"), encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=8000", "--window-size=1400,2000", "--dump-dom",
        made.as_uri(),
    ]  # fmt: skip
    dom = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout
    found = re.search(r"<title>NUMBERS (.*?)</title>", dom, re.DOTALL)
    assert found is not None
    read = json.loads(html.unescape(found[1]))
    return numbers(read["text"]), [float(value) for value in read["exact"] if value]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(json.dumps(sorted(read_page(Path(sys.argv[1]), "chromium", Path(place))[0])))
