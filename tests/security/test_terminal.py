"""What a stranger named is shown on a terminal, and never steers it."""

from __future__ import annotations

import io
import json
import sys

import pytest
from rich.console import Console

from codesign.cli import main
from codesign.core import printing
from codesign.core.errors import InputError
from codesign.core.records import Front, Objective
from codesign.search.progress import Plain, _Live, front_table
from tests.security.strangers import run_in

#: name -> what it is, and how it shows
HOSTILE = {
    "colours": ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
    "a screen that is wiped": ("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H"),
    "a title (OSC)": ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
    "a clipboard (OSC 52)": ("\x1b]52;c;ZXZpbA==\x1b\\", r"\x1b]52;c;ZXZpbA==\x1b"),
    "C1": ("\x9b31m\x9d0;x\x9c", r"\x9b31m\x9d0;x\x9c"),
    "a line written over": ("fine\rerror: all is well", r"fine\rerror"),
    "backspaces": ("bad\x08\x08\x08ok", r"bad\x08\x08\x08ok"),
    "text turned round": ("a\u202egpj.exe", r"a\u202egpj.exe"),
    "text isolated": ("a\u2066b\u2069", r"a\u2066b\u2069"),
    "another line": ("fine\nerror: all is well", r"fine\nerror"),
    "a line separator": ("fine\u2028error", r"fine\u2028error"),
    "no character": ("a\udc80b", r"a\udc80b"),
    "nothing": ("a\u200bb\x00\x7f", r"a\u200bb\x00\x7f"),
}
STEERS = set(map(chr, (*range(9), *range(11, 32), *range(127, 160)))) | set("\u202e\u2066\u2069\u2028\u200b\udc80")


@pytest.mark.parametrize("kind", HOSTILE)
def test_one_function_shows_it(kind):
    text, shown = HOSTILE[kind]
    assert shown in printing.visible(text)
    assert not set(printing.visible(text)) & (STEERS | {"\n"})


def test_what_harms_nobody_stays():
    for text in ("plain", "µ ± 3", "b̄ b", "日本語", "pT (GeV/c²)", "no-break\u00a0space", "[red]"):
        assert printing.visible(text) == text


@pytest.mark.parametrize("kind", HOSTILE)
def test_errors(kind, monkeypatch, capsys):
    text, _ = HOSTILE[kind]

    def app():
        raise InputError(f"{text}.yaml: unknown key '{text}'")

    monkeypatch.setattr("codesign.cli.app", app)
    monkeypatch.setattr(sys, "argv", ["codesign", "targets"])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.endswith(".yaml: unknown key '" + said.split("key '")[1])
    assert said.count("\n") == 1
    assert not set(said) & STEERS


def test_an_error_has_an_end(monkeypatch, capsys):
    def app():
        raise InputError("x" * 1_000_000)

    monkeypatch.setattr("codesign.cli.app", app)
    monkeypatch.setattr(sys, "argv", ["codesign", "targets"])
    with pytest.raises(SystemExit):
        main()
    assert len(capsys.readouterr().err) < 2100


@pytest.mark.parametrize("kind", HOSTILE)
def test_tables_facts_and_places(kind, capsys):
    text, _ = HOSTILE[kind]
    printing.print_rows([{"name": text, text: 1}], False, ["name", text])
    printing.print_facts({text: text, "list": [text], "rows": {text: {text: {text: 1}}}}, False)
    printing.print_facts([{text: text}], False)
    printing.print_made(text, False)
    printing.print_json({text: text})
    printing.say(text)
    assert not set(capsys.readouterr().out) & STEERS


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_front_and_why_it_is_empty(kind, tmp_path, capsys):
    text, _ = HOSTILE[kind]
    printing.print_front(Front(study="s", objectives=[], points=[]), tmp_path)
    assert capsys.readouterr().out == "the front is empty\n"
    from tests.make_run import make_run

    run = make_run(tmp_path / "run", trials=3, front=1)
    front = run.read("front.json", Front)
    objective = Objective(name=text, direction="maximise")
    printing.print_front(front.model_copy(update={"objectives": [objective]}), tmp_path / "run")
    assert not set(capsys.readouterr().out) & STEERS


@pytest.mark.parametrize("text", ["[red]evil[/red]", "[bold", "[link=http://x]y[/link]", "\x1b[31mx", "[/]"])
def test_no_markup(text):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, color_system="truecolor")
    console.print(front_table((text,), [(1, (0.5,))]))
    _Live(console).note(text)
    Plain(stream).note(text)
    said = stream.getvalue()
    assert said.count(printing.visible(text)) == 3
    assert "\x1b[31m" not in said
    assert "\x1b]8" not in said


def test_a_path_from_a_strangers_archive(tmp_path, monkeypatch, capsys):
    run, _ = run_in(tmp_path)
    hostile = run.rename(tmp_path / "run\x1b[2J\rerror")
    (hostile / "front.json").write_text('{"study": "\\u001b]0;x\\u0007"')
    monkeypatch.setattr(sys, "argv", ["codesign", "report", str(hostile / "nowhere")])
    with pytest.raises(SystemExit):
        main()
    monkeypatch.setattr(sys, "argv", ["codesign", "handoff", str(hostile), "3", "-o", str(tmp_path / "b")])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr()
    assert r"run\x1b[2J error" in said.err
    assert not set(said.out + said.err) & STEERS


def test_json_says_it_in_ascii(capsys):
    printing.print_json({"a": "".join(sorted(STEERS))})
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said)["a"] == "".join(sorted(STEERS))
