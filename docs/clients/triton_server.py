"""Serve a bundle's ``triton/`` with NVIDIA's own tritonserver on a CPU, out of the wheel ``nvidia-pytriton``.

    python triton_server.py BUNDLE_FOLDER/triton NEW_FOLDER [GRPC_PORT]

in an environment with nvidia-pytriton and onnxruntime. The wheel has Triton's Python backend alone: the models are
copied into NEW_FOLDER with ``triton_model.py`` beside each ``model.onnx`` and ``backend: "python"`` in each
``config.pbtxt``; all else stays. Ends when it is interrupted.
"""

import importlib.util
import os
import shutil
import sys
from pathlib import Path


def prepare(repository, folder):
    """Copy the models, for the Python backend."""
    shutil.copytree(repository, folder)
    for config in folder.glob("*/config.pbtxt"):
        text = config.read_text()
        onnx = 'platform: "onnxruntime_onnx"'
        if text.count(onnx) != 1:
            sys.exit(f"{config} is no ONNX model's")
        config.write_text(text.replace(onnx, 'backend: "python"'))
        for model in config.parent.glob("*/model.onnx"):
            shutil.copy(Path(__file__).with_name("triton_model.py"), model.with_name("model.py"))


def backends(wheel, folder):
    """The Python backend with the stub of this Python's version."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stub = wheel / "tritonserver" / "python_backend_stubs" / version / "triton_python_backend_stub"
    if not stub.is_file():
        sys.exit(f"nvidia-pytriton has no stub for Python {version}")
    shutil.copytree(wheel / "tritonserver" / "backends" / "python", folder / "python")
    shutil.copy(stub, folder / "python")


def main(repository, folder, port="8001"):
    """Prepare, and become the server."""
    wheel = Path(importlib.util.find_spec("pytriton").origin).parent
    folder = Path(folder).resolve()
    folder.mkdir()
    prepare(Path(repository), folder / "models")
    backends(wheel, folder / "backends")
    packages = str(wheel.parent)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": packages,
        "LD_LIBRARY_PATH": f"{packages}/nvidia_pytriton.libs",
    }
    server = str(wheel / "tritonserver" / "bin" / "tritonserver")
    command = [
        server, "--model-repository", str(folder / "models"), "--backend-directory", str(folder / "backends"),
        "--grpc-address", "127.0.0.1", "--grpc-port", port, "--allow-http", "false", "--allow-metrics", "false",
    ]  # fmt: skip
    os.execve(server, command, environment)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
