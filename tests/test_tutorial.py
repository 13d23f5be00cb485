"""The tutorial's notebook runs from its first cell to its bitstream."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from tests.documents.notebook import NOTEBOOK


def test_the_notebook_runs_to_its_bitstream(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute()
    outputs = [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]
    said = "".join(out.get("text", "") for out in outputs)
    assert "exact: True on 1000 simulated events" in said
    assert "1000 events, all exact" in said
    assert ", 0 wrong" in said
    assert "board simulated: 96 golden events through the serial line, all equal" in said
    assert any("image/png" in out.get("data", {}) for out in outputs)
    assert (tmp_path / "scores.parquet").exists()
