"""The documentation: it builds without a warning, loads nothing, and its cheap examples do what they say."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import typer
from typer.testing import CliRunner

from codesign.cli import app
from codesign.core.targets import load_target

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def blocks(language):
    """What stands between fences of a language; fences are taken in pairs, from the top of each page."""
    fences = r"(?ms)^```(\w*)\n(.*?)^```$"
    found = (b for page in PAGES for b in re.findall(fences, page.read_text(encoding="utf-8")))
    return [text for name, text in found if name == language]


def lines(language, prefix):
    return [s.removeprefix(prefix) for b in blocks(language) for s in b.splitlines() if s.startswith(prefix)]


@pytest.mark.parametrize("line", sorted(set(lines("console", "$ "))))
def test_examples_run(line):
    command = shlex.split(line)
    assert command[0] == "codesign"
    done = CliRunner().invoke(app, command[1:])
    assert done.exit_code == 0, done.output
    assert done.output.strip()


@pytest.mark.parametrize("line", sorted(set(lines("", "codesign "))))
def test_examples_that_are_not_run_name_commands_and_options_that_there_are(line):
    words, command = shlex.split(line, comments=True), typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    context = command.make_context("codesign", words, resilient_parsing=True)
    assert not context.args, "an argument too many"
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_the_shortest_task_is_one():
    made: dict[str, type] = {}
    exec(next(b for b in blocks("python") if "class FiveJets" in b), made)
    assert made["FiveJets"]().open({"file": "none"}, 1).metrics["auc_uds"] == "maximise"


def test_the_site_builds_and_loads_nothing(tmp_path):
    pytest.importorskip("mkdocs", reason="extra 'docs' is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    for page in PAGES:
        text = (tmp_path / "site" / f"{page.stem}.html").read_text(encoding="utf-8")
        tags = re.findall(r"<(?:script|img|iframe|link)\b[^>]*>", text)
        loading = [t for t in tags if not t.startswith("<link") or "stylesheet" in t or "icon" in t]
        assert loading
        assert not [t for t in loading if "//" in t]


def test_the_target_that_is_shown_is_one(tmp_path):
    (tmp_path / "my-artix.yaml").write_text(next(b for b in blocks("yaml") if b.startswith("name: my-artix")))
    found = load_target(str(tmp_path / "my-artix.yaml"))
    assert (found.family, found.board) == ("xc7", None)


def test_the_network_of_layers_is_exact():
    made: dict[str, type] = {}
    exec(next(b for b in blocks("python") if "class SkipNetwork" in b), made)
    config = SimpleNamespace(input_bits=6, width=5, weight_bits=4, activation_bits=3)
    network, x = made["SkipNetwork"](config, 4, 2), torch.randint(-32, 32, (64, 4)) / 4.0
    network.calibrate(x)
    network.fold()
    values = network.of_flat(x).detach()
    assert torch.equal(values, network.double().of_flat(x.double()).detach().float())
    bare = made["SkipNetwork"](config, 4, 2)
    bare.shapes = ()
    with pytest.raises(TypeError, match="set shapes"):
        bare.calibrate(x)
