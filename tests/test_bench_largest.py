"""What `python -m tests.benchmarks.largest` stops at its bound, it stops with all below it, and counts."""

import os
import subprocess
import sys

from tests.benchmarks.largest import _tree


def test_a_tool_in_a_session_of_its_own_is_found_below_what_started_it():
    busy = "import time; t = time.process_time()\nwhile time.process_time() - t < 0.3: pass\nprint(flush=True); input()"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], start_new_session=True)"
    with subprocess.Popen(
        [sys.executable, "-c", inner], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        found = _tree(process.pid)
        assert len(found) == 2
        assert os.getsid(max(found, key=found.get)) != os.getsid(process.pid)
        assert sum(found.values()) / os.sysconf("SC_CLK_TCK") >= 0.3
        process.stdin.write("\n")
        process.stdin.flush()
    assert set(_tree(process.pid)) == {process.pid}, "and what has ended is not"
