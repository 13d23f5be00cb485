"""A bundle to be forged, and one that is signed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from codesign.handoff import write_bundle
from tests.handoff.conftest import build
from tests.make_run import make_run
from tests.security.bundles.forging import hand_off


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A run, its trial, and the bundle of it, untouched."""
    folder = tmp_path_factory.mktemp("made")
    run = make_run(folder / "made-up", trials=12, front=3)
    trial = build(run)
    return run, trial, write_bundle(run.path, trial, folder / "bundle")


@pytest.fixture
def bundle(made, tmp_path):
    """A copy of the bundle, to be touched."""
    return Path(shutil.copytree(made[2], tmp_path / "bundle"))


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """Two key pairs."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@example.org", "-f", str(folder / name)]
        subprocess.run(command, check=True)
    return folder


@pytest.fixture(scope="session")
def signed_once(made, keys, tmp_path_factory):
    run, trial, _ = made
    return hand_off(run, trial, tmp_path_factory.mktemp("signed") / "bundle", keys / "ours")


@pytest.fixture
def signed(signed_once, tmp_path):
    return Path(shutil.copytree(signed_once, tmp_path / "signed"))
