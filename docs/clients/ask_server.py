"""Ask an inference server with a bundle's golden vectors, and compare its integers with the firmware's.

    python ask_server.py localhost:8001 BUNDLE_FOLDER NAME

NAME is the model's, the folder in ``triton/``. Needs numpy and tritonclient[grpc]. Parses ``config.pbtxt`` with
Triton's own protobuf, and ends with 1 where an integer differs.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from google.protobuf import text_format
from tritonclient import grpc
from tritonclient.grpc import model_config_pb2


def features_of(codes, manifest):
    """Physical numbers (events, n) float32 of input codes."""
    offset, step = (np.array([s[key] for s in manifest["inputs"]]) for key in ("offset", "step"))
    return (offset + step * codes).astype(np.float32)


def main(server, bundle, name):
    """How many integers differ."""
    bundle = Path(bundle)
    text = (bundle / "triton" / name / "config.pbtxt").read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert config.name == name
    manifest = json.loads((bundle / "manifest.json").read_text())
    golden = np.load(bundle / "golden.npz", allow_pickle=False)
    x = features_of(golden["inputs"], manifest)
    client = grpc.InferenceServerClient(server)
    given, start = [], 0
    for port in config.input:
        shape = tuple(port.dims)
        piece = x[:, start : start + int(np.prod(shape))].reshape(len(x), *shape)
        start += int(np.prod(shape))
        tensor = grpc.InferInput(port.name, piece.shape, "FP32")
        tensor.set_data_from_numpy(np.ascontiguousarray(piece))
        given.append(tensor)
    codes = [o.name for o in config.output if o.data_type == model_config_pb2.TYPE_INT32]
    began = time.perf_counter()
    answer = client.infer(name, given)
    seconds = time.perf_counter() - began
    found = np.concatenate([answer.as_numpy(n).reshape(len(x), -1) for n in codes], axis=1)
    wrong = int((found != golden["outputs"]).sum())
    print(f"{name}: {len(x)} events, {found.size} integers, {wrong} differ; one call {1e3 * seconds:.1f} ms")
    return wrong


if __name__ == "__main__":
    sys.exit(bool(main(*sys.argv[1:])))
