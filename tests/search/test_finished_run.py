"""A run that was finished and proven, and what a mistyped or broken-off start does to it: nothing."""

import os
import signal

import numpy as np
import pytest

from codesign.core.errors import CodesignError, InputError
from codesign.core.runfolder import RunFolder
from codesign.pipeline.parts import load_sample, part_path
from tests.processes import wait_for
from tests.search.small_search import changed, search
from tests.search.started import start


def content(folder):
    """Every file but the locks, with its bytes."""
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "run"
    search(changed(), folder, 3)
    return folder


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"cluster": "no-such.yaml"}, "no-such.yaml"),
        ({"cluster": "tcp://127.0.0.1:1"}, "no Dask scheduler"),
        ({"cluster": "not an address"}, "not an address"),
        ({"storage": "sqlite:///{folder}/typo.db"}, "storage does not know"),
        ({"storage": "nosuch://host/db"}, "cannot open the nosuch storage"),
        ({"storage": "not a URL"}, "cannot open"),
        ({"store": "ftp://host/store"}, "store"),
        ({"workers": 0}, "--workers must be at least 1"),
    ],
)
@pytest.mark.parametrize("trials", [3, 5])
def test_a_mistyped_option_leaves_a_finished_run_as_it_was(finished, more, message, trials):
    before = content(finished.parent)
    more = {k: v.format(folder=finished.parent) if isinstance(v, str) else v for k, v in more.items()}
    with pytest.raises(CodesignError, match=message):
        search(changed(search={"trials": trials}), finished, trials, **more)
    assert content(finished.parent) == before


def test_a_forgotten_storage_makes_no_journal(tmp_path):
    search(changed(), tmp_path / "run", 2, storage=f"sqlite:///{tmp_path}/search.db")
    before = content(tmp_path)
    with pytest.raises(InputError, match="2 finished trials that the search's storage does not know"):
        search(changed(), tmp_path / "run", 4)
    assert content(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_a_search_that_is_broken_off_keeps_the_test_split(tmp_path, number):
    run = RunFolder(tmp_path / "run")
    search(changed(), run.path, 3)
    before = {name: load_sample(run).features for name in ["whole"]}
    split = part_path(run, "test").read_bytes()
    front = (run.path / "front.json").read_bytes()
    driver = start(tmp_path, "hang")  # in trial 3, and its evaluate sees to it that no test split is at hand
    marker = run.path / "hanging"
    wait_for(lambda: marker.exists() and marker.read_text())
    assert part_path(run, "test").read_bytes() == split, "whoever verifies now finds it"
    os.kill(driver.pid, number)
    driver.communicate()
    assert part_path(run, "test").read_bytes() == split
    assert np.array_equal(load_sample(run).features, before["whole"])
    assert (run.path / "front.json").read_bytes() == front
    assert (run.path / "parts" / "test.npz").is_file() == (number == signal.SIGINT)
    search(changed(), run.path, 4)
    assert (run.path / "parts" / "test.npz").read_bytes() == split
    assert not (run.path / "parts" / "withheld").exists()
