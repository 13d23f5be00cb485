"""Tools are run with a limit, and nothing of them is left."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from codesign.core.errors import ToolError
from codesign.core.process import last_words, run_tool
from tests.processes import wait_until_gone


def test_output_and_log(tmp_path: Path) -> None:
    code = "import os, sys; print(os.environ['GIVEN']); print('also', file=sys.stderr)"
    log = tmp_path / "deep" / "log.txt"
    for _ in range(2):
        done = run_tool([sys.executable, "-c", code], tmp_path, 120, {"GIVEN": "this"}, log)
        assert sorted(done.output.split()) == ["also", "this"]
    assert log.read_text().count("this") == 2


def test_failure_names_the_tool_and_its_errors(tmp_path: Path) -> None:
    code = "print('fine'); print('Error: the third gate is missing'); print('bye'); raise SystemExit(3)"
    with pytest.raises(ToolError, match=r"^gates: exit code 3; Error: the third gate is missing$"):
        run_tool([sys.executable, "-c", code], tmp_path, 120, name="gates")
    with pytest.raises(ToolError, match="SIGSEGV"):
        run_tool([sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"], tmp_path, 120)
    with pytest.raises(ToolError, match="no-such-tool"):
        run_tool(["no-such-tool"], tmp_path, 120)


def test_timeout_ends_children_too(tmp_path: Path) -> None:
    script = "sleep 1000 & echo $!; wait"
    log = tmp_path / "log"
    with pytest.raises(ToolError, match="stopped after 2 s"):
        run_tool(["sh", "-c", script], tmp_path, 2, log=log)
    wait_until_gone(int(log.read_text()))


def test_long_output_is_shortened() -> None:
    assert last_words("") == "it printed nothing"
    assert len(last_words("x" * 10_000)) < 500
