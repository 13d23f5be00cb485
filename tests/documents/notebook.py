"""The page of the tutorial, from its notebook: what is run is what is read."""

from __future__ import annotations

import json
from typing import Any

from tests.trees import ROOT

__all__ = ("NOTEBOOK", "cells", "tutorial_page")

NOTEBOOK = ROOT / "docs" / "tutorial.ipynb"


def cells() -> list[dict[str, Any]]:
    """The cells of the notebook, in order."""
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return found


def tutorial_page() -> str:
    """The cells as text and code, and where the notebook is."""
    parts = []
    for cell in cells():
        text = "".join(cell["source"]).strip()
        if cell["cell_type"] == "markdown":
            parts.append(text)
        elif text.startswith("!"):
            parts.append("```sh\n" + "\n".join(line.removeprefix("!") for line in text.splitlines()) + "\n```")
        else:
            parts.append(f"```python\n{text}\n```")
    written = "<!-- written by `make numbers` from tutorial.ipynb: change it there -->"
    parts[1:1] = [written, "This page is a [notebook](tutorial.ipynb), which the tests run."]
    return "\n\n".join(parts) + "\n"
