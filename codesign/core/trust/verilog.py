"""What Verilog may hold before a simulator or a synthesiser sees it: what flows and wrappers here write, nothing more.

A lexical check, on top of the seals: a source that calls the system, reaches C, includes or opens other files, defines
macros, or steers tools by comments and attributes is refused, whoever wrote it. It knows comments, strings and escaped
identifiers, and does not parse: what it does not know is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from codesign.core.errors import ToolError

__all__ = ("check_sources", "check_text")

_SUFFIXES = (".v", ".sv", ".vh", ".svh")
_MOST_BYTES = 256 << 20
#: system tasks and functions that alkaid, FINN, the wrappers here and Yosys' models of cells use, and messages
_SYSTEM = {
    "signed", "unsigned", "clog2", "bits", "left", "right", "high", "low", "size", "time",
    "display", "info", "warning", "error", "fatal", "finish", "stop", "sformatf", "readmemh", "readmemb",
}  # fmt: skip
_DIRECTIVES = {"timescale", "default_nettype", "ifdef", "ifndef", "elsif", "else", "endif"}
_ATTRIBUTES = {
    "ram_style", "dont_touch", "shreg_extract", "extract_shreg", "extract_enable", "keep_hierarchy",
    "x_interface_info", "x_interface_parameter",
    "frequency_pin_clki", "frequency_pin_clkop", "icp_current", "lpf_resistor", "mfg_enable_filteropamp",
    "mfg_gmcref_sel",
    "invertible_pin", "clkbuf_sink", "clkbuf_driver", "clkbuf_inv", "iopad_external_pin", "pullmode", "syn_useioff",
    "ioff_dir", "abc9_carry",
}  # fmt: skip
#: that reach into other modules, libraries or C
_KEYWORDS = ("bind", "chandle", "config", "export", "extern", "import", "include", "library", "program")
#: first words of comments that tools obey, and what of them our flows write
_OBEYED = re.compile(
    r"[\s*/!]*(?:verilator|synopsys|synthesis|pragma|translate_(?:off|on)|vcs|cadence|ambit|exemplar|altera|xilinx|"
    r"lattice|quartus|attribute)\b",
    re.IGNORECASE,
)
_HARMLESS = re.compile(
    r"\s*(?:verilator\s+lint_(?:off|on)\s+[A-Z]+|synthesis\s+translate[_ ](?:off|on))\s*", re.ASCII | re.IGNORECASE
)
_PLAIN = re.compile(r'(?:\./)?(?:[^/\\]|\\[nt"\\])*')

# every text that is none of these is plain: it can neither call nor open anything, nor hide where a token begins
_TOKEN = re.compile(
    r"(?P<comment>//[^\n]*|/\*.*?\*/)"
    r'|(?P<triple>""")'
    r'|(?P<string>"(?:[^"\\\n]|\\.)*")'
    r"|(?P<escaped>\\[!-~]+)"
    r"|(?P<directive>`[A-Za-z_]\w*)"
    r"|(?P<system>\$[A-Za-z_]\w*)"
    r"|(?P<every>\(\s*\*\s*\))"
    r"|(?P<attribute>\(\*)"
    r"|(?P<keyword>\b(?:" + "|".join(_KEYWORDS) + r")\b)"
    r'|(?P<strange>/\*|["`$\\]|[^\x00-\x7f])',
    re.ASCII | re.DOTALL,
)
_CONTROL = re.compile(r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_IN_ATTRIBUTE = re.compile(
    r'\s+|(?P<end>\*\))|(?P<string>"(?:[^"\\\n]|\\.)*")|(?P<word>[A-Za-z_]\w*)|(?P<comma>,)|[=?:0-9\']', re.ASCII
)
_GAP = r"(?:\s|//[^\n]*\n|/\*.*?\*/)*"
#: what a memory is read from: a name in quotes, a parameter, or a format of them
_READ_FROM = re.compile(_GAP + r"\(" + _GAP + r'(?:"|[A-Za-z_]\w*\s*,|\$sformatf\b)', re.ASCII | re.DOTALL)
_PACKAGE = re.compile(r"\s+[A-Za-z_]\w*\s*::", re.ASCII)


def check_sources(paths: Iterable[Path]) -> None:
    """Refuse sources that hold what no flow writes here; ToolError names file, line and what it is."""
    for path in paths:
        if path.suffix not in _SUFFIXES:
            raise ToolError(f"{path} is no Verilog source ({', '.join(_SUFFIXES)}): it is given to no tool")
        if path.stat().st_size > _MOST_BYTES:
            raise ToolError(f"{path} is larger than any firmware ({_MOST_BYTES >> 20} MiB): it is given to no tool")
        try:
            text = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            raise ToolError(f"{path} is not UTF-8: it is given to no tool") from None
        if (found := check_text(text)) is not None:
            line, what = found
            raise ToolError(f"{path}:{line}: {what}: firmware made here has none, so it is given to no tool")


def check_text(text: str) -> tuple[int, str] | None:
    """Line and name of the first thing in a Verilog source that is refused; None where there is none."""
    found = _first(text)
    if found is None:
        return None
    at, what = found
    return text.count("\n", 0, at) + 1, what


def _first(text: str) -> tuple[int, str] | None:
    if (control := _CONTROL.search(text)) is not None:
        return control.start(), f"a control character (code {ord(control[0])})"
    position = 0
    while (match := _TOKEN.search(text, position)) is not None:
        position = match.end()
        kind = str(match.lastgroup)
        if kind == "attribute":
            end, what = _attribute(text, position)
            if what is not None:
                return match.start(), what
            position = end
        elif (what := _refuse(kind, match[0], text, position)) is not None:
            return match.start(), what
    return None


def _refuse(kind: str, given: str, text: str, end: int) -> str | None:
    """Why a token, as given in the text up to ``end``, is refused."""
    if kind == "comment":
        inner = given[2:-2] if given.startswith("/*") else given[2:]
        obeyed = _OBEYED.match(inner) and not _HARMLESS.fullmatch(inner)
        return f"a comment that tools obey ('{' '.join(inner.split())[:40]}')" if obeyed else None
    if kind == "string":
        return None if _is_plain(given[1:-1]) else f"the path {given[:60]}"
    if kind == "directive":
        return None if given[1:] in _DIRECTIVES else f"the directive or macro {given}"
    if kind == "system":
        if given[1:] not in _SYSTEM:
            return f"the system task {given}"
        reads = given.startswith("$readmem")
        return f"{given} of no plain name" if reads and not _READ_FROM.match(text, end) else None
    if kind == "keyword":
        return None if given == "import" and _PACKAGE.match(text, end) else f"'{given}'"
    if kind in ("triple", "strange"):
        return f"{given!a} where none belongs"
    return None  # an escaped identifier is a name, whatever stands in it; (*) is every signal


def _is_plain(content: str) -> bool:
    """Whether a string is no path that leads out of the working directory, nor a part of one."""
    return _PLAIN.fullmatch(content) is not None and ".." not in content and content != "."


def _attribute(text: str, position: int) -> tuple[int, str | None]:
    """Where an attribute instance ends that begins before ``position``, and why it is refused, if it is."""
    expected = True
    while (match := _IN_ATTRIBUTE.match(text, position)) is not None:
        position = match.end()
        if match["end"]:
            return position, None
        if match["word"] and expected:
            if match["word"].lower() not in _ATTRIBUTES:
                return position, f"the attribute {match['word']}"
            expected = False
        if match["comma"]:
            expected = True
    return position, "an attribute that cannot be read"
