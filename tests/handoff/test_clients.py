"""What the documentation has for coffea and XRootD, done on CMS's own NanoAOD: the scores that ``apply`` writes.

dask-awkward wants an older Dask than the lock: ``pip install --target FOLDER --no-deps dask==2025.3.0
distributed==2025.3.0 dask-awkward dask-histogram`` and the FOLDER into CODESIGN_DASK_AWKWARD. XRootD needs Debian's
xrootd-server, and ``pip install --target FOLDER fsspec-xrootd`` with the FOLDER in CODESIGN_XROOTD.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from codesign.handoff.apply import apply_bundle
from codesign.physics.events import read_events
from codesign.tasks.jets.jet_inputs import FEATURES
from tests.handoff.conftest import bundle_called
from tests.processes import free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def nano(published_data):
    return published_data("cms_nanoaod/nano_tt_v15.root")


@pytest.fixture(scope="module")
def offline(tmp_path_factory, nano):
    """A bundle of random weights for offline jets, and the scores of the file."""
    folder = tmp_path_factory.mktemp("offline")
    bundle = bundle_called(folder, FEATURES, ("correction", "q16", "q84"), "jet-energy-offline")
    (done,) = apply_bundle(bundle, [nano], folder / "scores.root")
    assert done.rows > 1000
    return bundle, done.output


def environment(*folders):
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(f) for f in folders if f] + [str(ROOT)])}


def job(offline, nano, own, *executors):
    bundle, scores = offline
    command = [sys.executable, str(ROOT / "docs/clients/coffea_job.py"), str(bundle), str(nano), str(scores)]
    return subprocess.run([*command, *executors], env=own, capture_output=True, text=True, timeout=600)


@pytest.mark.slow
def test_coffeas_executors_give_what_apply_writes(offline, nano, tmp_path):
    done = job(offline, nano, environment(), "iterative", "futures", "dask")
    assert done.returncode == 0, done.stdout + done.stderr
    said = [line for line in done.stdout.splitlines() if "codesign apply" in line]
    rows = sum(len(e.codesign) for e in read_events(offline[1], ["codesign"]))
    assert rows
    assert [line.split(":")[0] for line in said] == ["iterative", "futures", "dask"]
    assert all(line.endswith("rows, equal to codesign apply") for line in said)


@pytest.mark.slow
def test_dask_awkward_gives_it_lazily(offline, nano):
    folder = os.environ.get("CODESIGN_DASK_AWKWARD", "")
    own = environment(folder)
    if subprocess.run([sys.executable, "-c", "import dask_awkward"], env=own, capture_output=True).returncode:
        pytest.skip("no dask-awkward here, nor in CODESIGN_DASK_AWKWARD")
    done = job(offline, nano, own, "dask-awkward", "dask")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dask-awkward: " in done.stdout
    assert done.stdout.count("equal to codesign apply") == 2
    assert "NOT EQUAL" not in done.stdout


@pytest.fixture
def xrootd(tmp_path, nano):
    """The URL of an XRootD server that has the file as ``/data/nano.root``, and what a client's Python needs."""
    own = environment(os.environ.get("CODESIGN_XROOTD", ""))
    if shutil.which("xrootd") is None:
        pytest.skip("no XRootD server: apt install xrootd-server")
    if subprocess.run([sys.executable, "-c", "import fsspec_xrootd"], env=own, capture_output=True).returncode:
        pytest.skip("no fsspec-xrootd here, nor in CODESIGN_XROOTD")
    # not in tmp_path, which is its owner's alone: as root the server becomes another user
    place = Path(tempfile.mkdtemp(prefix="codesign-xrootd-"))
    port, served, admin = free_port(), place / "served", place / "admin"
    (served / "data").mkdir(parents=True)
    admin.mkdir()
    shutil.copy(nano, served / "data" / "nano.root")
    config = place / "xrootd.cfg"
    config.write_text(
        f"all.export /data\noss.localroot {served}\nxrd.port {port}\nxrd.network nodnr\n"
        f"all.adminpath {admin}\nall.pidpath {admin}\n"
    )
    user = []
    if os.geteuid() == 0:  # it does not run as root
        user = ["-R", "xrootd"]
        for path in (place, *place.rglob("*")):
            shutil.chown(path, "xrootd")
    with (tmp_path / "xrootd.log").open("w") as log:
        server = subprocess.Popen(["xrootd", *user, "-c", str(config)], stdout=log, stderr=log, cwd=place)
    try:
        for _ in range(100):
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, (tmp_path / "xrootd.log").read_text()[-2000:]
            time.sleep(0.1)
        yield f"root://localhost:{port}/", own
    finally:
        server.terminate()
        server.wait(timeout=60)
        shutil.rmtree(place, ignore_errors=True)


@pytest.mark.slow
def test_a_file_of_an_xrootd_server_is_scored_as_the_same_file_here(offline, xrootd, tmp_path):
    url, own = xrootd
    command = [sys.executable, "-m", "codesign.cli", "apply", str(offline[0])]
    given = [*command, f"{url}/data/nano.root", "-o", str(tmp_path / "s.root")]
    done = subprocess.run(given, env=own, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (here,), (there,) = (read_events(path, ["event", "codesign"]) for path in (offline[1], tmp_path / "s.root"))
    assert np.array_equal(here.event, there.event)
    assert here.codesign.to_list() == there.codesign.to_list()
    given = [*command, f"{url}/data/none.root", "-o", str(tmp_path / "t.root")]
    done = subprocess.run(given, env=own, capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert done.returncode == 1
    assert "none.root" in done.stderr
    assert "Traceback" not in done.stderr
