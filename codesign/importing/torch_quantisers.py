"""Fixed-point quantisers of torch libraries, by the names of their classes, as our operator in what torch exports.

No library is imported for it: a class is known by its module and name, and read by its attributes. PQuantML's layers
(pquant, tried at 0.1.0) hold theirs as such modules, and what is around them exports as torch's own operators.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from codesign.core.errors import UnsupportedError
from codesign.graph.quantiser import Overflow, RoundingMode
from codesign.importing.keras.graph_writer import FixedPoints
from codesign.importing.torch_fake_quantisers import ExportedFunction, exported_fake_quantiser, is_fake_quantiser

__all__ = ("module_kind", "refused_quantisers", "replace_quantisers")

#: as ap_fixed calls them; what is not here has no counterpart
_ROUNDING = {
    "TRN": RoundingMode.FLOOR,
    "RND": RoundingMode.RND,
    "RND_CONV": RoundingMode.ROUND,
    "TRN_ZERO": RoundingMode.DOWN,
    "RND_ZERO": RoundingMode.HALF_DOWN,
    "RND_INF": RoundingMode.HALF_UP,
}
_PQUANT = "pquant."


def _whole(module: nn.Module, name: str, value: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    found = torch.as_tensor(value).detach().double().cpu().numpy()
    if not np.isfinite(found).all() or not np.array_equal(found, np.rint(found)):
        raise UnsupportedError(f"its {name} are no whole numbers: apply_final_compression(model) first")
    return found.astype(np.int64)


def _of_pquant(module: Any) -> FixedPoints:
    """Of pquant.core.torch.quantizer.Quantizer."""
    k, i, f = (_whole(module, n, v) for n, v in zip("kif", module.get_quantization_bits(), strict=True))
    mode, overflow = str(module.round_mode).upper().removeprefix("S_"), str(module.overflow).upper()
    if mode not in _ROUNDING:
        raise UnsupportedError(f"its rounding {mode} has no exact hardware here; known: {', '.join(_ROUNDING)}")
    if overflow not in list(Overflow):
        raise UnsupportedError(f"its overflow {overflow} has no exact hardware here; known: {', '.join(Overflow)}")
    k, i, f = np.broadcast_arrays(k, np.maximum(i, -f), f)
    return FixedPoints(k, i, f, Overflow(overflow), _ROUNDING[mode])


#: by module and name of a class, how its types are read
_READERS: dict[str, Callable[[Any], FixedPoints]] = {"pquant.core.torch.quantizer.Quantizer": _of_pquant}


def _reader(module: nn.Module) -> Callable[[Any], FixedPoints] | None:
    names = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(module).__mro__]
    return next((_READERS[name] for name in names if name in _READERS), None)


def _is_pquant(module: nn.Module) -> bool:
    return any(kind.__module__.startswith(_PQUANT) for kind in type(module).__mro__)


def module_kind(module: nn.Module) -> str:
    """What a module is of, in words."""
    whose = {kind.__module__.split(".")[0] for part in module.modules() for kind in type(part).__mro__}
    if "brevitas" in whose:
        return "Brevitas module"
    return "PQuantML module" if "pquant" in whose else "torch module"


def refused_quantisers(module: nn.Module) -> Iterator[str]:
    """What of such a library is no exact function yet, each with its place."""
    for where, part in module.named_modules():
        label = f"{where or 'the module'} ({type(part).__name__})"
        if _is_pquant(part) and getattr(part, "built", True) is False:
            yield f"{label}: was never run, so that it has no types: run it once"
        elif _is_pquant(part) and not bool(getattr(part, "final_compression_done", True)) and _reader(part) is None:
            yield f"{label}: still prunes and quantises its weights itself: apply_final_compression(model) first"
        elif (reader := _reader(part)) is not None:
            try:
                reader(part)
            except UnsupportedError as error:
                yield f"{label}: {error}"
        elif is_fake_quantiser(part):
            try:
                exported_fake_quantiser(part)
            except UnsupportedError as error:
                yield f"{label}: {error}"


def replace_quantisers(module: nn.Module) -> nn.Module:
    """Put our operator in the place of each such quantiser; ``module`` is changed, and given back."""
    reader = _reader(module)
    if reader is not None:
        return _Exported(reader(module))
    if is_fake_quantiser(module):
        return exported_fake_quantiser(module)
    for name, child in list(module.named_children()):
        setattr(module, name, replace_quantisers(child))
    return module


class _Exported(nn.Module):
    """A quantiser that exports as codesign.FixedPoint."""

    def __init__(self, types: FixedPoints) -> None:
        super().__init__()
        alive = types.clean()
        for name, value in (("k", alive.k), ("i", alive.i), ("f", alive.f)):
            self.register_buffer(name, torch.as_tensor(np.array(value, dtype=np.float32)))
        self.overflow, self.rounding = types.overflow.value, types.rounding.value

    def forward(self, x: torch.Tensor) -> Any:
        """Itself: it is exported, never run for its values."""
        return _Operator.apply(x, self.k, self.i, self.f, self.overflow, self.rounding)


class _Operator(ExportedFunction):
    """codesign.FixedPoint in a graph that torch exports."""

    @staticmethod
    def symbolic(g: Any, x: Any, k: Any, i: Any, f: Any, overflow: str, rounding: str) -> Any:
        """The node."""
        found = g.op("codesign::FixedPoint", x, k, i, f, overflow_s=overflow, rounding_mode_s=rounding)
        found.setType(x.type())
        return found
