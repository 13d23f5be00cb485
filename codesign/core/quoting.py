"""Text for other languages: names and values as their readers give back exactly, or refused in one line.

Names of inputs, classes, studies, parts and files come from users and from what others sent. Whatever writes them into
a script, a source or a page does it through this module:

- where a language has identifiers: :func:`verilog_identifier` (checked), :func:`cxx_identifier` (made of any text);
- where it has strings: :func:`tcl`, :func:`cxx_string`, :func:`pbtxt`, :func:`yaml_string`, :func:`yaml_word`,
  :func:`shell`,
  :func:`script_json`;
- where others' scripts and tools take a word as it is, without quotes: :func:`plain`, :func:`relative_path` (checked),
  :func:`file_name` (made of any text);
- where people read: :func:`markdown`, :func:`markdown_code`, :func:`plotly`, :func:`mathtext`, :func:`comment`,
  :func:`line`.

Ordinary words come out as they went in. Every function raises InputError for what its language cannot hold.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from collections.abc import Iterable
from typing import Any

import yaml

from codesign.core.errors import InputError

__all__ = (
    "comment",
    "cxx_identifier",
    "cxx_string",
    "file_name",
    "line",
    "markdown",
    "markdown_code",
    "mathtext",
    "pbtxt",
    "plain",
    "plotly",
    "relative_path",
    "script_json",
    "shell",
    "tcl",
    "tcl_list",
    "verilog_identifier",
    "yaml_string",
    "yaml_word",
)

_LONGEST = 255  # characters of a name that is a file's or an identifier
#: text that turns what stands around it: the marks, embeddings, overrides and isolates of Unicode's bidirectional text
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def _refuse(text: str, why: str) -> InputError:
    shown = ascii(text)
    return InputError(f"{shown if len(shown) <= 80 else shown[:77] + '...'} {why}")


def _encode(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _refuse(text, f"is no {what}: it is not whole Unicode") from None


# -------------------------------------------------------------------------------------------------- words as they are
def plain(word: str, what: str = "name") -> str:
    """The word itself, where no tool can take it for anything else: letters, digits and ``_ . / + -``.

    It begins with none of ``+ -``: of neither an option nor one of Yosys' own files.
    """
    if len(word) > _LONGEST or not re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./+-]*", word):
        raise _refuse(word, f"is no {what}: expected letters, digits and any of _ . / + -, at most {_LONGEST}")
    return word


def relative_path(text: str) -> str:
    """A path with forward slashes, of plain names, that stays in its folder: no ``..``, no root, nothing hidden."""
    parts = text.split("/")
    if len(text) > _LONGEST or not all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", part) for part in parts):
        raise _refuse(
            text,
            "is no path inside of the folder: expected names of letters, digits and any of _ . + -, with / between",
        )
    return text


def file_name(text: str) -> str:
    """The name of a file out of any text: plain, and in no other folder; letters that are not plain become ``_``."""
    name = re.sub(r"[^A-Za-z0-9_.+-]", "_", text).lstrip(".+-")
    return name[: _LONGEST - 50] or "_"


# --------------------------------------------------------------------------------------------------------- identifiers
#: IEEE 1800-2017, annex B
_VERILOG_WORDS = """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind
    bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config
    const constraint context continue cover covergroup coverpoint cross deassign default defparam design disable dist
    do edge else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
    endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event
    eventually expect export extends extern final first_match for force foreach forever fork forkjoin function
    generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import incdir
    include initial inout input inside instance int integer interconnect interface intersect join join_any join_none
    large let liblist library local localparam logic longint macromodule matches medium modport module nand negedge
    nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter pmos
    posedge primitive priority program property protected pull0 pull1 pulldown pullup pulsestyle_ondetect
    pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg reject_on release repeat
    restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime s_until s_until_with scalared
    sequence shortint shortreal showcancelled signed small soft solve specify specparam static string strong strong0
    strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout time
    timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef union unique unique0
    unsigned until until_with untyped use uwire var vectored virtual void wait wait_order wand weak weak0 weak1 while
    wildcard wire with within wor xnor xor
"""
_VERILOG_KEYWORDS = frozenset(_VERILOG_WORDS.split())


def verilog_identifier(text: str) -> str:
    """The text itself, where it is a simple identifier of Verilog and SystemVerilog (IEEE 1800, 5.6) without ``$``."""
    if len(text) > _LONGEST or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise _refuse(text, "is no identifier of Verilog: expected letters, digits and _, not beginning with a digit")
    if text in _VERILOG_KEYWORDS:
        raise _refuse(text, "is no identifier of Verilog: it is a keyword")
    return text


def cxx_identifier(text: str) -> str:
    """An identifier of C++ out of any text: letters, digits and single underscores, never reserved."""
    name = re.sub(r"_+", "_", re.sub(r"[^A-Za-z0-9]", "_", text)).strip("_")
    return name if name and name[0].isalpha() else f"design_{name}".rstrip("_")


# -------------------------------------------------------------------------------------------------------------- strings
def tcl(word: str) -> str:
    """One word of a Tcl script or list: as it is, in braces, or with every other character escaped.

    The script is ASCII whatever the word is, since Tcl reads files in the system's encoding. InputError beyond the
    Basic Multilingual Plane, which Tcl 8 cannot write.
    """
    if re.fullmatch(r"[A-Za-z0-9_./:,+-]+", word):
        return word
    return _brace(word)


def tcl_list(words: Iterable[str]) -> str:
    """A list of words as one word of a Tcl script."""
    return "{" + " ".join(_brace(word) for word in words) + "}"


def _brace(word: str) -> str:
    if re.fullmatch(r"[ -~]*", word) and "\\" not in word:
        depth = lowest = 0
        for character in word:
            depth += {"{": 1, "}": -1}.get(character, 0)
            lowest = min(lowest, depth)
        if depth == lowest == 0:
            return f"{{{word}}}"
    return "".join(_escape_tcl(word, character) for character in word)


def _escape_tcl(word: str, character: str) -> str:
    if character.isascii() and (character.isalnum() or character in "_./:,+-"):
        return character
    if " " <= character <= "~":
        return f"\\{character}"
    if ord(character) > 0xFFFF or unicodedata.category(character) == "Cs":
        raise _refuse(word, f"cannot be written in Tcl: it has the character U+{ord(character):04X}")
    return f"\\u{ord(character):04x}"


def cxx_string(text: str) -> str:
    """A string literal of C and C++, in UTF-8; InputError for a NUL, which would end it."""
    if "\0" in text:
        raise _refuse(text, "is no string of C++: it has a NUL")
    return '"' + _octal(_encode(text, "string of C++"), rb'"\?') + '"'


def pbtxt(text: str) -> str:
    """A string of Protocol Buffers' text format."""
    return '"' + _octal(_encode(text, "string of a .pbtxt"), rb'"\'') + '"'


def _octal(raw: bytes, escaped: bytes) -> str:
    """Printable ASCII as it is, a backslash before what is escaped, and all else as three octal digits."""
    found = (f"\\{chr(b)}" if b in escaped or b == 0x5C else chr(b) if 0x20 <= b <= 0x7E else f"\\{b:03o}" for b in raw)
    return "".join(found)


def yaml_string(text: str) -> str:
    """A string of YAML in double quotes, on one line."""
    made: str = yaml.safe_dump(text, default_style='"', width=float("inf"), allow_unicode=True)
    return made.removesuffix("\n")


def yaml_word(text: str) -> str:
    """A string of YAML: as it is where YAML takes it for this very string, else as :func:`yaml_string`."""
    alone = re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", text) and yaml.safe_load(text) == text
    return text if alone else yaml_string(text)


def shell(word: str) -> str:
    """One word of a POSIX shell's line."""
    if "\0" in word:
        raise _refuse(word, "is no word of a command: it has a NUL")
    return shlex.quote(word)


def script_json(data: Any) -> str:
    """JSON that can stand in a script element: nothing in it can end that element or begin a comment."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    text = re.sub("[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


# --------------------------------------------------------------------------------------------------- what people read
def line(text: str) -> str:
    """Text as one line that shows what it holds: spaces for line ends and tabs, U+FFFD for what cannot be shown.

    What turns the direction of the text around it cannot be shown either.
    """
    return "".join(map(_show, text))


def _show(character: str) -> str:
    if character in "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029":
        return " "
    hidden = (
        unicodedata.category(character) in ("Cc", "Cs") or character in _TURNING or ord(character) & 0xFFFE == 0xFFFE
    )
    return "\ufffd" if hidden else character


def comment(text: str) -> str:
    """Text in a comment of any language: nothing in it can end, continue or begin one."""
    return re.sub(r"[^A-Za-z0-9_ .+-]", "_", text)


def markdown(text: str) -> str:
    """Text on one line of Markdown, or in a cell of its tables, as it is written: no Markdown, no HTML, no new cell."""
    text = " ".join(line(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|#]|(?<!\w)_|_(?!\w))", r"\\\1", text)  # an underscore inside a word is only that
    return text.replace("$", "&#36;").replace("~", "&#126;")  # formulas and struck-out text, of some dialects


def markdown_code(text: str) -> str:
    """Text on one line of Markdown as code, as it is written; not for cells of tables."""
    text = " ".join(line(text).split())
    fence = "`" * (1 + max(map(len, re.findall(r"`+", text)), default=0))
    space = " " if not text or "`" in (text[0], text[-1]) else ""
    return f"{fence}{space}{text}{space}{fence}"


def plotly(text: str) -> str:
    """Text for plotly, which reads a small HTML of its own in labels: shown as it is written."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def mathtext(text: str) -> str:
    """Text for matplotlib, which reads formulas between dollars: shown as it is written, on one line."""
    return line(text).replace("$", r"\$")
