"""Every function of :mod:`codesign.core.quoting`, with the reader of its language: the value comes back, or is
refused."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codesign.core import quoting
from codesign.core.errors import InputError

SPECIAL = [
    *" \t\n\r\v\f\0\x07\x1b\x7f\x85\"'`$\\{}[]()<>|&;#!%*?~=@:,./+-_^0aZ",
    "\u2028", "\u202e", "\u2066", "\ufeff", "\uffff", "\ud800", "τ", "μ", "é", "😀", "$(", "${", "[exec ", "*/", "//",
    "\\\n", "</script>", "<!--", "??/", "{*}", "~/", "+/", "<<EOT", "\r\n", "!touch x\n", "; ", "--",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(SPECIAL) | st.characters(), max_size=12).map("".join)
fuzzed = settings(
    derandomize=True, max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def words(number: int = 300) -> list[str]:
    """The same texts every time: each special one alone, first, last and doubled, and their neighbours' pairs."""
    found = [
        *SPECIAL,
        *(f"a{s}b" for s in SPECIAL),
        *(s + s for s in SPECIAL),
        *map("".join, pairwise(SPECIAL)),
    ]
    return list(dict.fromkeys(["", "ordinary", "x" * 10_000, *found]))[:number]


def kept(function: Callable[[str], str]) -> dict[str, str]:
    """What a function makes of texts, but for those that it refuses in one line."""
    made: dict[str, str] = {}
    said: list[str] = []
    for word in words():
        try:
            made[word] = function(word)
        except InputError as error:
            said.append(str(error))
    assert len(made) > 1
    assert all(s.isprintable() and len(s) < 250 for s in said)
    return made


def test_ordinary_words_stay_as_they_are() -> None:
    word = "xcvu13p-flga2577-2-e"
    for function in (quoting.plain, quoting.relative_path, quoting.tcl, quoting.shell, quoting.yaml_word, quoting.line):
        assert function(word) == word
    for function in (quoting.comment, quoting.markdown, quoting.plotly, quoting.mathtext):
        assert function("jet pt of 1.5 GeV") == "jet pt of 1.5 GeV"
    assert quoting.tcl_list(["a/b.v", "c.v"]) == "{{a/b.v} {c.v}}"
    assert quoting.verilog_identifier("codesign_top") == quoting.cxx_identifier("codesign_top") == "codesign_top"


@pytest.mark.parametrize(
    "word", ["", "-x", "+/x", "a b", "a\n", "a;b", "a'b", 'a"', "$(x)", "`x`", "τ", "a\0", "x" * 256]
)
def test_a_word_that_a_tool_could_misread_is_refused(word: str) -> None:
    for function in (quoting.plain, quoting.relative_path, quoting.verilog_identifier):
        with pytest.raises(InputError):
            function(word)


@pytest.mark.parametrize("path", ["../a", "a/../b", "/a", "a//b", "a/", ".", "./a", ".a", "a/.b", "a\\b", "-a", "a/-b"])
def test_a_path_stays_inside(path: str) -> None:
    with pytest.raises(InputError, match="no path inside"):
        quoting.relative_path(path)


# ------------------------------------------------------------------------------------------------------------------ Tcl
@pytest.fixture(scope="module")
def tcl() -> object:
    return pytest.importorskip("tkinter", reason="Python's own Tcl interpreter reads the words").Tcl()


@fuzzed
@given(TEXT)
def test_tcl_reads_back_a_word(tcl, word: str) -> None:
    try:
        quoted = quoting.tcl(word)
    except InputError:
        assert any(ord(c) > 0xFFFF or 0xD800 <= ord(c) < 0xE000 for c in word)
        return
    assert quoted.isascii()
    assert quoted.isprintable()
    tcl.eval(f"proc unknown args {{ set ::ran $args }}\nset ::ran {{}}\nset found {quoted}\nset after 1")
    assert tcl.getvar("found") == word
    assert tcl.eval(f"lindex [list a {quoted} b] 1") == word
    assert tcl.getvar("ran") == ""


@fuzzed
@given(st.lists(TEXT, max_size=4))
def test_tcl_reads_back_a_list(tcl, given_words: list[str]) -> None:
    try:
        quoted = quoting.tcl_list(given_words)
    except InputError:
        return
    tcl.eval(f"set found {{}}\nforeach word {quoted} {{ lappend found $word }}")
    assert tcl.eval("llength $found") == str(len(given_words))
    assert [tcl.eval(f"lindex $found {i}") for i in range(len(given_words))] == given_words


# ---------------------------------------------------------------------------------------------------------------- Yosys
def test_yosys_takes_a_plain_word_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the name of a file, in a command that Yosys splits itself: a file of this very name, and none else."""
    libyosys = pytest.importorskip("pyosys.libyosys")
    names = {word for word in kept(quoting.plain) if "/" not in word and word not in (".", "..", "")} | {"a+b-c_.v"}
    monkeypatch.chdir(tmp_path)
    design = libyosys.Design()
    for name in sorted(names):
        libyosys.run_pass(f"tee -q -o {name} log x", design)
    assert {path.name for path in tmp_path.iterdir()} == names


def test_yosys_reads_a_file_below_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyosys")
    from codesign.tools.pyosys import Yosys

    folder = tmp_path / "a b'$(touch x)\n!touch x\n\"; exec -- touch x"
    folder.mkdir()
    source = folder / "top.v"
    source.write_text("module top (input a, output b); assign b = a; endmodule")
    monkeypatch.chdir(tmp_path)
    yosys = Yosys()
    yosys.read(source)
    yosys.run("hierarchy", "-top", "top")
    assert yosys.cells(folder / "cells.json") == {}
    (folder / "*.v").write_text("module other; endmodule")
    with pytest.raises(InputError, match="no file that Yosys can read"):
        yosys.read(folder / "*.v")
    assert {path.name for path in folder.iterdir()} == {"top.v", "cells.json", "*.v"}


# -------------------------------------------------------------------------------------------------------------- Verilog
def test_yosys_reads_back_an_identifier(tmp_path: Path) -> None:
    libyosys = pytest.importorskip("pyosys.libyosys")
    names = {*kept(quoting.verilog_identifier), "_", "A0", "codesign_top", "endmodules"}
    (tmp_path / "names.v").write_text("".join(f"module {name}; endmodule\n" for name in sorted(names)))
    design = libyosys.Design()
    libyosys.Pass.call(design, ["read_verilog", "-sv", str(tmp_path / "names.v")])
    assert {str(name) for name in design.modules_} == {f"\\{name}" for name in names}


@pytest.mark.parametrize("word", ["module", "end", "logic", "string", "$display", "a$b", "1a", "\\a "])
def test_what_is_no_identifier_is_refused(word: str) -> None:
    with pytest.raises(InputError, match="no identifier of Verilog"):
        quoting.verilog_identifier(word)


# --------------------------------------------------------------------------------------------------------- C++ and make
def test_a_compiler_reads_back_strings_and_identifiers(tmp_path: Path) -> None:
    """One program that prints every string, with a variable of every identifier, built by make under such a name."""
    strings = kept(quoting.cxx_string)
    names = sorted({f"{quoting.cxx_identifier(word)}_v1" for word in words() if len(word) < 100})
    lines = [f"// {quoting.comment(word)}" for word in strings if len(word) < 100]
    lines += ["#include <cstdio>", *(f"int {name} = 1;" for name in names), "const char* all[] = {"]
    lines += [f"  {quoted}," for quoted in strings.values()]
    lines += ["};", "int main() { for (auto s : all) { std::fputs(s, stdout); std::fputc(0, stdout); } }"]
    library = quoting.cxx_identifier("p$(touch x)`touch x`\n%: a")
    (tmp_path / f"{library}.cpp").write_text("\n".join(lines) + "\n")
    (tmp_path / "Makefile").write_text(f"# {library}\n{library}: {library}.cpp\n\tg++ -O0 -trigraphs -o $@ $<\n")
    subprocess.run(["make", "-s"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / library], capture_output=True, check=True).stdout
    assert printed.decode().split("\0")[:-1] == list(strings)
    assert len(list(tmp_path.iterdir())) == 3


@fuzzed
@given(TEXT)
def test_an_identifier_of_cxx_is_made_of_any_text(text: str) -> None:
    name = quoting.cxx_identifier(text)
    assert name.isascii()
    assert name.isidentifier()
    assert name[0].isalpha()
    assert "__" not in name
    assert quoting.cxx_identifier(name) == name


# -------------------------------------------------------------------------------------------------------- other strings
@fuzzed
@given(TEXT)
def test_text_formats_read_back_a_string(text: str) -> None:
    from google.protobuf import text_format
    from onnx import StringStringEntryProto

    name = quoting.file_name(text)
    assert quoting.relative_path(name) == quoting.file_name(name) == name
    for quote in (quoting.yaml_string, quoting.yaml_word):
        assert yaml.safe_load(f"a: {quote(text)}\nb: 1") == {"a": text, "b": 1}
        assert len(quote(text).splitlines()) == 1
    try:
        quoted = quoting.pbtxt(text)
    except InputError:
        assert any(0xD800 <= ord(c) < 0xE000 for c in text)
    else:
        assert text_format.Parse(f'key: {quoted} value: "b"', StringStringEntryProto()).key == text


@pytest.mark.parametrize("text", ["true", "no", "1e3", "0x1", "~", "null", "2020-01-01", "- a", "a: b", "", "x" * 5000])
def test_yaml_takes_no_string_for_anything_else(text: str) -> None:
    assert yaml.safe_load(f"[{quoting.yaml_word(text)}]") == [text]


def test_a_shell_reads_back_a_word(tmp_path: Path) -> None:
    made = kept(lambda word: quoting.shell(word.replace("\ud800", "")))
    command = "printf '%s\\0' " + " ".join(made.values())
    printed = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, check=True).stdout
    assert printed.decode().split("\0")[:-1] == [word.replace("\ud800", "") for word in made]
    assert list(tmp_path.iterdir()) == []


# ----------------------------------------------------------------------------------------------------- what people read
class Page(HTMLParser):
    """Elements and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: object) -> None:
        self.elements.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@fuzzed
@given(st.dictionaries(TEXT, TEXT | st.floats(allow_nan=False, allow_infinity=False) | st.none(), max_size=3))
def test_a_page_reads_back_its_data(data: dict[str, object]) -> None:
    text = quoting.script_json(data)
    text.encode()
    page = Page(f'<script type="application/json">{text}</script><p>')
    assert page.elements == ["script", "p"]
    assert json.loads(page.text) == data


@fuzzed
@given(TEXT)
def test_markdown_shows_a_text_as_it_is_written(text: str) -> None:
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    written = " ".join(quoting.line(text).split())
    page = Page(reader.render(f"# x {quoting.markdown(text)} y"))
    assert page.elements == ["h1"]
    assert " ".join(page.text.split()) == " ".join(f"x {written} y".split())
    table = Page(reader.render(f"| a | b |\n|---|---|\n| {quoting.markdown(text)} | c |"))
    assert table.elements.count("td") == 2
    assert not set(table.elements) - {"table", "thead", "tbody", "tr", "th", "td"}
    code = Page(reader.render(f"x {quoting.markdown_code(text)} y"))
    assert code.elements == ["p", "code"]
    assert " ".join(code.text.split()) == " ".join(f"x {written} y".split())


@fuzzed
@given(TEXT)
def test_a_line_shows_one_line(text: str) -> None:
    shown = quoting.line(text)
    shown.encode()
    assert len(shown) == len(text)
    assert len(shown.splitlines()) <= 1
    assert not set(shown) & set("\0\x1b\x07\n\r\t\u202e\u2066\u2028")
    assert quoting.line(shown) == shown
    said = quoting.comment(text)
    assert len(said) == len(text)
    assert not set(said) & set("\\*/?\n\r\u2028\"'`$#{}[]")


@fuzzed
@given(TEXT)
def test_matplotlib_draws_no_formula(text: str) -> None:
    from matplotlib.text import Text

    drawn, formula = Text()._preprocess_math(quoting.mathtext(text))
    assert not formula
    if "\\" not in text:
        assert drawn == quoting.line(text)
