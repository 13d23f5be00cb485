"""Operators that ONNX' reference implementation lacks or has otherwise, as QONNX and ONNX define them, in numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.graph.nodes import QONNX

__all__ = ("qonnx_operators",)


def qonnx_operators() -> list[Any]:
    """QONNX' operators for ONNX' reference implementation, in the precision of what they are given."""
    from onnx.reference.op_run import OpRun
    from qonnx.custom_op.general.multithreshold import multithreshold
    from qonnx.custom_op.general.quant import quant
    from qonnx.custom_op.general.trunc import trunc_v2

    def like(x: NDArray[Any], *parameters: Any) -> list[NDArray[Any]]:
        return [np.asarray(p, dtype=x.dtype) for p in parameters]

    class Quant(OpRun):  # type: ignore[misc, unused-ignore]
        """As qonnx computes it."""

        op_domain = QONNX

        def _run(self, x: Any, scale: Any, zero: Any, bits: Any, narrow: Any = 0, rounding_mode: Any = "ROUND",
                 signed: Any = 1, **_: Any) -> Any:  # fmt: skip
            scale, zero, bits = like(x, scale, zero, bits)
            if signed and (bits == 1).all():
                return (np.where(x >= 0, scale, -scale).astype(x.dtype),)
            found = quant(x, scale, zero, bits, bool(signed), bool(narrow), rounding_mode)
            return (np.asarray(found, dtype=x.dtype),)

    class IntQuant(Quant):
        """The same by its later name."""

    class BipolarQuant(OpRun):  # type: ignore[misc, unused-ignore]
        """As qonnx computes it."""

        op_domain = QONNX

        def _run(self, x: Any, scale: Any, **_: Any) -> Any:
            (scale,) = like(x, scale)
            return (np.where(x >= 0, scale, -scale).astype(x.dtype),)

    class Trunc(OpRun):  # type: ignore[misc, unused-ignore]
        """As qonnx computes it: version 2 with the scale that comes out, or version 1."""

        op_domain = QONNX

        def _run(self, x: Any, scale: Any, zero: Any, bits: Any, *more: Any, narrow: Any = 0,
                 rounding_mode: Any = "FLOOR", signed: Any = 1, **_: Any) -> Any:  # fmt: skip
            if len(more) == 2:
                scale, zero, bits, out_scale, out_bits = like(x, scale, zero, bits, *more)
            else:
                scale, zero, bits, out_bits = like(x, scale, zero, bits, *more)
                out_scale = scale * np.exp2(bits - out_bits)
            found = trunc_v2(x, scale, zero, bits, bool(narrow), bool(signed), out_scale, out_bits, rounding_mode)
            return (np.asarray(found, dtype=x.dtype),)

    class MultiThreshold(OpRun):  # type: ignore[misc, unused-ignore]
        """As qonnx computes it."""

        op_domain = QONNX

        def _run(self, x: Any, steps: Any, data_layout: Any = "NCHW", out_bias: Any = 0.0, out_dtype: Any = "",
                 out_scale: Any = 1.0, **_: Any) -> Any:  # fmt: skip
            last = str(data_layout) in ("NHWC", "NWC", "NC") or x.ndim == 2
            found = multithreshold(x, steps.astype(x.dtype), out_scale, out_bias, channels_last=last)
            return (np.asarray(found, dtype=x.dtype),)

    class BatchNormalization(OpRun):  # type: ignore[misc, unused-ignore]
        """As it is at inference: ONNX' own for opset 9 takes the batch's statistics where there is a momentum."""

        op_domain = ""

        def _run(self, x: Any, scale: Any, bias: Any, mean: Any, var: Any, epsilon: Any = 1e-5, momentum: Any = 0.9,
                 **_: Any) -> Any:  # fmt: skip
            shape = [1, -1] + [1] * (x.ndim - 2)
            scale, bias, mean, var = (v.reshape(shape) for v in like(x, scale, bias, mean, var))
            return (np.asarray((x - mean) / np.sqrt(var + x.dtype.type(epsilon)) * scale + bias, dtype=x.dtype),)

    def along(x: NDArray[Any], parameter: NDArray[Any], axis: int) -> NDArray[Any]:
        return (
            parameter.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)]) if parameter.ndim else parameter
        )

    class QuantizeLinear(OpRun):  # type: ignore[misc, unused-ignore]
        """As ONNX defines it; its own is not there for every opset."""

        op_domain = ""

        def _run(self, x: Any, scale: Any, zero: Any = None, axis: Any = 1, **_: Any) -> Any:
            zero = np.zeros((), dtype=np.uint8) if zero is None else zero
            ends = np.iinfo(zero.dtype)
            scale, moved = along(x, np.asarray(scale, dtype=x.dtype), axis), along(x, zero.astype(x.dtype), axis)
            return (np.clip(np.rint(x / scale) + moved, ends.min, ends.max).astype(zero.dtype),)

    class DequantizeLinear(OpRun):  # type: ignore[misc, unused-ignore]
        """As ONNX defines it."""

        op_domain = ""

        def _run(self, x: Any, scale: Any, zero: Any = None, axis: Any = 1, **_: Any) -> Any:
            moved = x.astype(scale.dtype) - (0 if zero is None else along(x, zero.astype(scale.dtype), axis))
            return (moved * along(x, scale, axis),)

    standard = [BatchNormalization, QuantizeLinear, DequantizeLinear]
    return [Quant, IntQuant, BipolarQuant, Trunc, MultiThreshold, *standard]
