"""torch modules with Brevitas' quantisers: exported to QONNX, read as such a file, their own forward run beside it."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn
from torch.overrides import TorchFunctionMode

from codesign.core.errors import CodesignError, InputError, UnsupportedError
from codesign.importing.base import Imported, Importer, Question, Source
from codesign.importing.onnx_file import imported_onnx
from codesign.importing.onnx_runners import Run
from codesign.importing.torch_quantisers import module_kind, refused_quantisers, replace_quantisers

__all__ = ("BrevitasModule",)

#: layers that no exact form is known of, by class, and what would do
_REFUSED = {
    "QuantLSTM": "unroll it by hand with quantised gates, or use a set network",
    "QuantRNN": "unroll it by hand with quantised gates, or use a set network",
    "LSTM": "unroll it by hand with quantised gates, or use a set network",
    "GRU": "unroll it by hand with quantised gates, or use a set network",
    "RNN": "unroll it by hand with quantised gates, or use a set network",
    "QuantMultiheadAttention": "write it with QuantLinear, and a table for the exponential",
    "MultiheadAttention": "write it with QuantLinear, and a table for the exponential",
    "LayerNorm": "use BatchNorm, which is a factor and an offset at inference",
    "GroupNorm": "use BatchNorm, which is a factor and an offset at inference",
    "InstanceNorm1d": "use BatchNorm, which is a factor and an offset at inference",
    "InstanceNorm2d": "use BatchNorm, which is a factor and an offset at inference",
}
_LAST = ("softmax", "log_softmax", "sigmoid")


class BrevitasModule(Importer):
    """Modules of Brevitas, or any torch module that exports to operators which have exact hardware."""

    name = "brevitas"

    def takes(self, source: Source) -> bool:
        """Whether it is a torch module."""
        return isinstance(source, nn.Module)

    def read(self, source: Source, question: Question) -> Imported:
        """The module as a design; the module itself is left as it is."""
        assert isinstance(source, nn.Module)
        name = type(source).__name__
        if question.example_input is None:
            raise InputError(
                f"{name}: a module does not say the shape of what it takes: give example_input=torch.zeros(1, ...), "
                "one event"
            )
        inputs = _examples(question.example_input, name)
        if found := [*_refusal(source), *refused_quantisers(source)]:
            raise UnsupportedError("; ".join(found))
        module = copy.deepcopy(source).eval()
        try:
            with torch.no_grad():
                _first(module(*inputs), name)
        except CodesignError:
            raise
        except Exception as error:  # whatever a module says to an input that it was not written for
            said = " ".join(str(error).split())[:200]
            raise InputError(
                f"{name}: does not take the example_input of shape {list(inputs[0].shape)} ({said})"
            ) from None
        content = _export(module, inputs, name)
        imported = imported_onnx(content, name, question.declared, kind=module_kind(source), own=_forward(module, name))
        notes = tuple(
            f"{layer}: its bias is not quantised; it is taken as the float32 numbers that it has (bias_quant=Int16Bias "
            "would make it cheaper)"
            for layer in _float_biases(module)
        )
        report = imported.report.model_copy(update={"notes": (*imported.report.notes, *notes)})
        return replace(imported, report=report, source_files={"source.onnx": content})


def _examples(given: Any, name: str) -> tuple[torch.Tensor, ...]:
    several = given if isinstance(given, tuple | list) else (given,)
    found = tuple(torch.as_tensor(np.asarray(g) if not isinstance(g, torch.Tensor) else g) for g in several)
    if not found or any(g.ndim < 1 or g.dtype.is_complex for g in found):
        raise InputError(f"{name}: example_input is no tensor of one event, (1, ...)")
    return tuple(g[:1].float() for g in found)


def _refusal(module: nn.Module) -> Iterator[str]:
    for where, part in module.named_modules():
        for kind in type(part).__mro__:
            if kind.__name__ in _REFUSED:
                whose = f"{where or 'the module'} ({type(part).__name__})"
                yield f"{whose}: has no exact hardware here; {_REFUSED[kind.__name__]}"
                break


def _float_biases(module: nn.Module) -> Iterator[str]:
    for where, part in module.named_modules():
        bias = getattr(part, "bias", None)
        quantiser = getattr(part, "bias_quant", None)
        if isinstance(bias, nn.Parameter) and quantiser is not None and not quantiser.is_quant_enabled:
            yield where or type(part).__name__


def _export(module: nn.Module, inputs: tuple[torch.Tensor, ...], name: str) -> bytes:
    """The module in QONNX, as Brevitas exports it; what it cannot export is refused in its words."""
    from brevitas.export.onnx.qonnx.manager import QONNXManager

    exported_as = replace_quantisers(copy.deepcopy(module))
    manager: Any = type("Manager", (QONNXManager,), {"run_onnx_passes": False})
    names = ["x"] if len(inputs) == 1 else [f"x{i}" for i in range(len(inputs))]
    buffer = io.BytesIO()
    try:
        with _quiet():
            exported = manager.export(exported_as, args=inputs, dynamo=False, input_names=names, export_path=None)
    except CodesignError:
        raise
    except Exception as error:  # torch's and Brevitas' exporters raise what they like
        said = " ".join(str(error).split())[:300]
        raise UnsupportedError(f"{name}: torch does not export it to QONNX ({type(error).__name__}: {said})") from None
    onnx.save(exported, buffer)
    return buffer.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Deprecations inside torch.onnx and Brevitas, which the user cannot act on, are not shown."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _first(found: Any, name: str) -> list[torch.Tensor]:
    """The outputs as plain tensors."""
    several = list(found) if isinstance(found, list) or type(found) is tuple else [found]
    values = [getattr(y, "value", y) for y in several]
    if not all(isinstance(v, torch.Tensor) for v in values):
        raise UnsupportedError(f"{name}: gives {type(values[0]).__name__}, not tensors: let forward return tensors")
    return values


def _forward(module: nn.Module, name: str) -> Callable[[bool], dict[str, Run]]:
    """Brevitas' own forward, without the last Softmax or Sigmoid where that is cut."""

    def run(inputs: list[NDArray[np.float64]], cut: bool) -> list[NDArray[np.float64]]:
        tensors = [torch.as_tensor(x, dtype=torch.float32) for x in inputs]
        with torch.no_grad(), _quiet():
            counter = _Without(None)
            if cut:
                with counter:
                    module(*[t[:1] for t in tensors])
            with _Without(counter.calls if cut else None):
                found = _first(module(*tensors), name)
        return [y.double().numpy() for y in found]

    whose = "brevitas" if module_kind(module).startswith("Brevitas") else "torch"
    return lambda cut: {f"{whose} {version(whose)}": lambda inputs: run(inputs, cut)}


class _Without(TorchFunctionMode):
    """Counts calls of what is cut at the end, and lets the one numbered ``last`` pass its input on."""

    def __init__(self, last: int | None) -> None:
        super().__init__()
        self.calls, self._last, self._inside = 0, last, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called for every function of torch."""
        if not self._inside and getattr(func, "__name__", "") in _LAST:
            self.calls += 1
            if self.calls == self._last:
                return args[0]
            self._inside = True
            try:
                return func(*args, **(kwargs or {}))
            finally:
                self._inside = False
        return func(*args, **(kwargs or {}))
