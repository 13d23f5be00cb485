"""codesign new: what it writes is green as it is, and nothing of the user's is written over."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from codesign.cli import app
from codesign.cli.new_plugin import write_plugin
from codesign.core.errors import InputError


def installed(kind, name, folder):
    """A written package, and the environment in which it is installed."""
    package, target = write_plugin(kind, name, folder / "package"), folder / "installed"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(target), str(package)], check=True, capture_output=True, timeout=1200)
    path = os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])
    return package, os.environ | {"PYTHONPATH": path}


def run_tests(package, environment, *options):
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options]
    return subprocess.run(command, cwd=package, env=environment, capture_output=True, text=True, timeout=1200)


@pytest.mark.parametrize(
    ("kind", "tests"),
    [
        ("task", 12),
        pytest.param("family", 12, marks=pytest.mark.slow),
        pytest.param("flow", 11, marks=pytest.mark.slow),
    ],
)
def test_what_is_written_is_green(kind, tests, tmp_path):
    package, environment = installed(kind, f"my-own-{kind}", tmp_path)
    done = run_tests(package, environment)
    assert done.returncode == 0, done.stdout
    assert f"{tests} passed" in done.stdout


@pytest.mark.slow
def test_the_slow_part_of_a_flows_suite_is_green(tmp_path):
    package, environment = installed("flow", "my-own-flow", tmp_path)
    done = run_tests(package, environment, "-m", "slow")
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_a_fault_in_what_was_written_is_caught(tmp_path):
    package, environment = installed("family", "my-own-family", tmp_path)
    module = tmp_path / "installed" / "my_own_family" / "__init__.py"
    right = "torch.round(self.linear.bias.double() / grid) * grid"
    assert right in module.read_text()
    module.write_text(module.read_text().replace(right, "self.linear.bias.double()"))
    assert run_tests(package, environment).returncode == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My-Task", "'My-Task' is no name for a plug-in: expected at most 40 small letters and digits, with single"),
        ("a/../b", "is no name for a plug-in"),
        ('x"\n', "is no name for a plug-in"),
        ("x" * 41, "is no name for a plug-in"),
        ("jet-tagging", "there is a task 'jet-tagging' already: give another name"),
        ("json", "'json' would hide the Python module json: give another name"),
        ("class", "would hide the Python module class"),
        ("tests", "would hide the Python module tests"),
    ],
)
def test_a_name_that_cannot_be_is_refused(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words) as caught:
        write_plugin("task", name)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "pyproject.toml").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for place in ("mine", "link"):
        with pytest.raises(InputError, match=f"{place} is there already: give another folder with -o"):
            write_plugin("task", "my-task", tmp_path / place)
    with pytest.raises(InputError, match="there is no folder"):
        write_plugin("task", "my-task", tmp_path / "absent" / "package")
    with pytest.raises(InputError, match=r"nothing is written as '.zip' here"):
        write_plugin("task", "my-task", tmp_path / "package.zip")
    assert (tmp_path / "mine" / "pyproject.toml").read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["link", "mine"]


def test_the_command_writes_where_it_says(tmp_path):
    done = CliRunner().invoke(app, ["new", "flow", "my-flow", "-o", str(tmp_path / "there")])
    assert done.exit_code == 0
    assert done.stdout.replace("\n", "") == str(tmp_path / "there")
    assert (tmp_path / "there" / "tests" / "test_my_flow.py").is_file()
    assert CliRunner().invoke(app, ["new", "recipe", "my-flow"]).exit_code == 2
