"""Names that try to break out, wherever they are written, and what is asked of all that is given one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codesign.rtl.firmware import Firmware

#: each breaks out of some language, where it stands unquoted there
EVIL = {
    "quote and line": 'x.v"\nexec -- touch MARK\nlog "',
    "shell escape": "x.v\n!touch MARK\n",
    "semicolon": 'x"; exec -- touch MARK; "',
    "tcl command": "xcvu13p [exec touch MARK]",
    "tcl braces": "x} ; exec touch MARK ; set y {",
    "substitution": "x$(touch MARK)",
    "backtick": "x`touch MARK`",
    "make": "x$(shell touch MARK)\n\ttouch MARK\n",
    "comment": 'x*/ \\\n; int y = system("touch MARK"); /* ??/',
    "verilog": 'x; initial $system("touch MARK"); //',
    "markup": "</script><script>alert('MARK')</script><!--",
    "bidi": "τ\u202e\u2066μ",
    "nul": "x\0y",
    "long": "x" * 70_000,
}
evil = pytest.mark.parametrize("name", EVIL.values(), ids=EVIL)

#: a folder's name that no shell, no Tcl and no make takes as it is
WEIRD = 'a b\'$(touch MARK) "q"; \\ #'


def refused(error: pytest.ExceptionInfo[Any]) -> None:
    """An error is one short line that a terminal can show."""
    text = str(error.value)
    assert len(text.splitlines()) == 1
    assert len(text) < 1000


def changed(firmware: Firmware, **fields: Any) -> None:
    """Write other fields into the record of a firmware."""
    path = firmware.folder / "firmware.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))
