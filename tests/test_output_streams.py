"""Output to a full disk, to nobody, or to a terminal that knows ASCII only: no traceback, and a fitting exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codesign.cli.door import Messages, Output
from codesign.core.errors import SystemRefusal, system_errors
from tests.processes import PATIENCE

ROOT = Path(__file__).resolve().parents[1]


def codesign(*arguments: str, **streams: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **streams.pop("env", {})}  # type: ignore[dict-item]
    command = [sys.executable, "-m", "codesign.cli", *arguments]
    return subprocess.run(command, env=environment, text=True, timeout=PATIENCE, check=False, **streams)  # type: ignore[call-overload]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        done = codesign("schema", "front.json", stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output: No space left on device: make room")
    assert done.stderr.count("\n") == 1


def test_a_closed_pipe_is_quiet():
    reading, writing = os.pipe()
    os.close(reading)
    done = codesign("--help", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == 141  # as a shell says of a tool that SIGPIPE ends


@pytest.mark.parametrize("closed", [True, False], ids=["pipe", "disk"])
def test_what_reads_on_is_told_apart(closed):
    """Of output the error is known by its name; a broken pipe to a tool is no reader that went away."""
    reading, writing = os.pipe()
    os.close(reading)
    output = Output(writing, "wb")
    if closed:
        with pytest.raises(BrokenPipeError) as caught, system_errors():
            output.write(b"x")
        assert caught.value.filename == "standard output"
        assert output.gone
    else:
        with pytest.raises(SystemRefusal), system_errors():
            os.write(writing, b"x")
        assert not output.gone


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_messages_that_cannot_be_shown_stop_nothing():
    with Messages("/dev/full", "wb") as messages:
        assert messages.write(b"halfway") == 7


def test_an_ascii_terminal_shows_escapes():
    program = (
        "import codesign.cli as cli\n"
        "cli.app.command('say')(lambda: cli.about.print_rows([{'label': 'τ'}], False, ['label']))\n"
        "cli.main()"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    command = [sys.executable, "-c", program, "say"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u03c4" in done.stdout
