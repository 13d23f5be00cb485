"""A bundle's ``model.onnx`` in Triton's Python backend: beside it in ``1/model.py``, for a Triton without onnxruntime.

Where Triton has its onnxruntime backend (NVIDIA's containers), the bundle's folder is served as it is.
"""

from pathlib import Path

import onnxruntime
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    """Standard ONNX in onnxruntime: every input of the model by its name, every output by its."""

    def initialize(self, args):
        """Open the model."""
        place = Path(args["model_repository"], args["model_version"], "model.onnx")
        self._session = onnxruntime.InferenceSession(str(place), providers=["CPUExecutionProvider"])
        self._inputs = [i.name for i in self._session.get_inputs()]
        self._outputs = [o.name for o in self._session.get_outputs()]

    def execute(self, requests):
        """Score the events of each request."""
        answers = []
        for request in requests:
            given = {name: pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in self._inputs}
            made = self._session.run(self._outputs, given)
            tensors = [pb_utils.Tensor(name, values) for name, values in zip(self._outputs, made, strict=True)]
            answers.append(pb_utils.InferenceResponse(tensors))
        return answers
