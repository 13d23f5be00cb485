"""A bundle's model repository in a real inference server, asked over gRPC with the files of the documentation.

The packages (mlserver, tritonclient[grpc], onnxruntime) conflict with the lock: put them into an environment of their
own, and its Python into CODESIGN_SERVING.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from codesign.handoff.check import read_manifest

CLIENTS = Path(__file__).parents[2] / "docs" / "clients"
PYTHON = os.environ.get("CODESIGN_SERVING", sys.executable)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def served(packed, tmp_path_factory):
    """A bundle, and the address of a server of its repository."""
    # one at a time: both describe the same protocol, and cannot be imported into one process
    tried = [
        subprocess.run([PYTHON, "-c", f"import {m}"], capture_output=True) for m in ("mlserver", "tritonclient.grpc")
    ]
    if any(t.returncode for t in tried):
        pytest.skip("no mlserver and tritonclient[grpc] in CODESIGN_SERVING's Python: pip install them there")
    (repository,) = (packed / "triton").iterdir()
    folder = tmp_path_factory.mktemp("server") / repository.name
    shutil.copytree(repository, folder)
    shutil.copy(CLIENTS / "mlserver_model.py", folder)
    settings = (CLIENTS / "model-settings.json").read_text().replace("NAME", repository.name)
    (folder / "model-settings.json").write_text(settings)
    http, grpc, metrics = free_port(), free_port(), free_port()
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "host": "127.0.0.1", "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(ports))
    mlserver = Path(PYTHON).parent / "mlserver"
    server = subprocess.Popen([mlserver, "start", "."], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait = (
            "import sys, time\nfrom tritonclient import grpc\nc = grpc.InferenceServerClient(sys.argv[1])\n"
            "for _ in range(240):\n    try:\n        if c.is_model_ready(sys.argv[2]): sys.exit(0)\n"
            "    except Exception: pass\n    time.sleep(0.5)\nsys.exit(1)"
        )
        address = f"127.0.0.1:{grpc}"
        subprocess.run([PYTHON, "-c", wait, address, repository.name], check=True, timeout=200)
        yield packed, address, repository.name
    finally:
        server.terminate()
        server.wait(timeout=60)


def ask(address, bundle, name):
    command = [PYTHON, str(CLIENTS / "ask_server.py"), address, str(bundle), name]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_server_gives_the_firmwares_integers_over_grpc(served):
    bundle, address, name = served
    done = ask(address, bundle, name)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    events, outputs = np.load(bundle / "golden.npz")["outputs"].shape
    assert f"{events} events, {events * outputs} integers, 0 differ" in done.stdout


@pytest.mark.slow
def test_one_integer_that_differs_is_seen(served, tmp_path):
    bundle, address, name = served
    other = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    golden = dict(np.load(other / "golden.npz"))
    golden["outputs"][3, 1] += 1
    np.savez(other / "golden.npz", **golden)
    done = ask(address, other, name)
    assert done.returncode == 1
    assert " 1 differ" in done.stdout


def test_the_documents_client_makes_the_features_of_the_golden_codes(packed, monkeypatch):
    """Codes to physical numbers and back: what the client sends is quantised to the codes it began with."""
    import importlib.util
    from types import ModuleType

    for missing in ("tritonclient", "tritonclient.grpc"):
        monkeypatch.setitem(sys.modules, missing, ModuleType(missing))
    sys.modules["tritonclient"].grpc = sys.modules["tritonclient.grpc"]
    sys.modules["tritonclient.grpc"].model_config_pb2 = None
    found = importlib.util.spec_from_file_location("ask_server", CLIENTS / "ask_server.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    from codesign.core.design import Design

    golden = np.load(packed / "golden.npz")["inputs"]
    manifest = json.loads(read_manifest(packed).model_dump_json())
    features = module.features_of(golden, manifest)
    assert np.array_equal(Design.load(packed).input_quantisation.codes(features), golden)
