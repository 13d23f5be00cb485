"""A bundle's model repository in a real inference server, asked over gRPC with the files of the documentation.

The packages conflict with the lock: put mlserver, tritonclient[grpc] and onnxruntime into an environment of their own,
and its Python into CODESIGN_SERVING; nvidia-pytriton and onnxruntime into another, and its Python into CODESIGN_TRITON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from codesign.handoff.check import read_manifest
from tests.processes import free_port

CLIENTS = Path(__file__).parents[2] / "docs" / "clients"
PYTHON = os.environ.get("CODESIGN_SERVING", sys.executable)
TRITON = os.environ.get("CODESIGN_TRITON", sys.executable)
#: waits until a model answers
WAIT = (
    "import sys, time\nfrom tritonclient import grpc\nc = grpc.InferenceServerClient(sys.argv[1])\n"
    "for _ in range(240):\n    try:\n        if c.is_model_ready(sys.argv[2]): sys.exit(0)\n"
    "    except Exception: pass\n    time.sleep(0.5)\nsys.exit(1)"
)


def has(python, *modules):
    """Whether that Python has the modules, each asked alone: two describe one protocol, and cannot be imported both."""
    return not any(subprocess.run([python, "-c", f"import {m}"], capture_output=True).returncode for m in modules)


@contextmanager
def running(command, folder, python, address, name):
    """A server that has the model."""
    with (folder.parent / "server.log").open("w+") as log:
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait = subprocess.run([python, "-c", WAIT, address, name], timeout=200)
            log.seek(0)
            assert wait.returncode == 0, log.read()[-3000:]
            yield
        finally:
            server.terminate()
            server.wait(timeout=60)


@contextmanager
def mlserver(packed, repository, parent):
    """MLServer with the documentation's model; its address."""
    if not has(PYTHON, "mlserver", "tritonclient.grpc"):
        pytest.skip("no mlserver and tritonclient[grpc] in CODESIGN_SERVING's Python: pip install them there")
    folder = parent / repository.name
    shutil.copytree(repository, folder)
    shutil.copy(CLIENTS / "mlserver_model.py", folder)
    settings = (CLIENTS / "model-settings.json").read_text().replace("NAME", repository.name)
    (folder / "model-settings.json").write_text(settings)
    http, grpc, metrics = free_port(), free_port(), free_port()
    ports = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "host": "127.0.0.1", "parallel_workers": 0}
    (folder / "settings.json").write_text(json.dumps(ports))
    address = f"127.0.0.1:{grpc}"
    with running([Path(PYTHON).parent / "mlserver", "start", "."], folder, PYTHON, address, repository.name):
        yield PYTHON, address


@contextmanager
def triton(packed, repository, parent):
    """NVIDIA's own server, as the documentation starts it; its address."""
    if not has(TRITON, "pytriton", "onnxruntime", "tritonclient.grpc"):
        pytest.skip("no nvidia-pytriton and onnxruntime in CODESIGN_TRITON's Python: pip install them there")
    port = free_port()
    address = f"127.0.0.1:{port}"
    command = [TRITON, str(CLIENTS / "triton_server.py"), str(packed / "triton"), str(parent / "served"), str(port)]
    with running(command, parent, TRITON, address, repository.name):
        yield TRITON, address


@pytest.fixture(scope="module", params=[mlserver, triton])
def served(request, packed, tmp_path_factory):
    """A Python with a client, the address of a server of the bundle's repository, and its model."""
    (repository,) = (packed / "triton").iterdir()
    with request.param(packed, repository, tmp_path_factory.mktemp("server")) as (python, address):
        yield python, address, repository.name


def ask(served, bundle):
    python, address, name = served
    command = [python, str(CLIENTS / "ask_server.py"), address, str(bundle), name]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_a_server_gives_the_firmwares_integers_over_grpc(served, packed):
    done = ask(served, packed)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    events, outputs = np.load(packed / "golden.npz")["outputs"].shape
    assert f"{events} events, {events * outputs} integers, 0 differ" in done.stdout


@pytest.mark.slow
def test_one_integer_that_differs_is_seen(served, packed, tmp_path):
    other = Path(shutil.copytree(packed, tmp_path / "bundle"))
    golden = dict(np.load(other / "golden.npz"))
    golden["outputs"][3, 1] += 1
    np.savez(other / "golden.npz", **golden)
    done = ask(served, other)
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
