"""A bundle's ``triton/NAME/1/model.onnx`` in MLServer: copy this file and model-settings.json beside it."""

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
from mlserver.utils import get_model_uri


class OnnxModel(MLModel):
    """Standard ONNX in onnxruntime: every input of the model by its name, every output by its."""

    async def load(self) -> bool:
        """Open the model."""
        uri = await get_model_uri(self._settings)
        self._session = onnxruntime.InferenceSession(uri, providers=["CPUExecutionProvider"])
        return True

    async def predict(self, payload):
        """Score events."""
        given = {i.name: NumpyCodec.decode_input(i) for i in payload.inputs}
        names = [o.name for o in self._session.get_outputs()]
        made = self._session.run(names, given)
        outputs = [NumpyCodec.encode_output(name, values) for name, values in zip(names, made, strict=True)]
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)
