"""The author's own ``forward``, trained faster: Brevitas' layers in it compute by fused operations meanwhile.

Brevitas' layers are recognised by what they are built of: quantisers with a power-of-two scale, of weights (per output
or per tensor, nearest, symmetric) and of activations (per tensor or channel; signed, unsigned, rectified; a learned or
a constant range). What is not recognised stays Brevitas' own, and the log says so, once for each network.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

from brevitas.core.bit_width import BitWidthConst
from brevitas.core.function_wrapper import CeilSte, FloorSte, Identity, RoundSte, TensorClamp, TensorClampSte
from brevitas.core.quant import IntQuant, RescalingIntQuant
from brevitas.core.restrict_val import PowerOfTwoRestrictValue
from brevitas.core.scaling import ConstScaling, ParameterScaling, PowerOfTwoIntScaling, StatsFromParameterScaling
from brevitas.core.stats import AbsMax
from brevitas.core.zero_point import ZeroZeroPoint
from brevitas.nn import QuantConv1d, QuantConv2d, QuantIdentity, QuantLinear, QuantReLU
from brevitas.nn.quant_layer import QuantNonLinearActLayer, QuantWeightBiasInputOutputLayer
from torch import Tensor, nn

from codesign.training.fused import CodeRange, WeightRows, lsb, quantised_activation, quantised_weights
from codesign.training.learned_quantisers import LearnedActivationQuant, LearnedWeightQuant

__all__ = ("FusedModules", "half_up")

_log = logging.getLogger(__name__)
#: attributes of a module that stand in for its methods meanwhile
Stand: TypeAlias = "tuple[nn.Module, str, Callable[..., Tensor]]"


class _FusedActivation:
    """What computes an activation meanwhile."""

    def __init__(self, scaling: Any, how: CodeRange) -> None:
        self._scaling, self._how = scaling, how
        self._learned = isinstance(scaling, ParameterScaling)

    def _range(self) -> Tensor:
        """The learned range, or a constant that moves to a device with the module."""
        value: Any = self._scaling.value
        return value if self._learned else value()  # type: ignore[no-any-return]

    def scale(self) -> Tensor:
        """Value of the LSB, with its gradient."""
        return lsb(self._range(), self._how.codes)

    def __call__(self, x: Tensor, half: float = 0.0) -> Tensor:
        return quantised_activation(x, self._range(), half, self._how)


class _LearnedActivation:
    """What computes an activation of learned bits meanwhile."""

    def __init__(self, quantiser: LearnedActivationQuant, rectified: bool) -> None:
        self._quantiser, self._rectified = quantiser, rectified

    def __call__(self, x: Tensor) -> Tensor:
        return self._quantiser.values(x.relu() if self._rectified else x)


def half_up(activation: nn.Module, x: Tensor, folded: bool) -> Tensor:
    """An activation that floors, rounding half up: half an LSB is added in front of it, unless a bias has it already
    (``folded``). The same numbers as ``activation(x + 0.5 * activation_scale(activation))``, in one operation while
    training is fused."""
    if folded:
        return activation(x)  # type: ignore[no-any-return]
    fused = activation.__dict__.get("forward")
    if isinstance(fused, _FusedActivation):
        return fused(x, 0.5)
    scaled: Any = activation
    return activation(x + 0.5 * scaled.act_quant.scale())  # type: ignore[no-any-return]


class _FusedLayer:
    """What computes a layer with weights meanwhile, with the weights that are quantised together with all others."""

    def __init__(self, layer: Any, weight: Callable[[], Tensor]) -> None:
        self._layer, self._weight = layer, weight

    def __call__(self, x: Tensor) -> Tensor:
        return self._layer.inner_forward_impl(x, self._weight(), self._layer.bias)  # type: ignore[no-any-return]


class FusedModules:
    """What a network's quantised layers are, and the operations that stand in for them."""

    def __init__(self, network: nn.Module) -> None:
        self._stands: list[Stand] = []
        self._layers: list[Any] = []
        self._quantised: tuple[Tensor, ...] | None = None
        scales, unknown = [], []
        for name, module in network.named_modules():
            if isinstance(module, QuantNonLinearActLayer):
                if (stands := _activation(module)) is not None:
                    self._stands += stands
                    continue
            elif isinstance(module, QuantWeightBiasInputOutputLayer):
                if (learned := _learn(module)) is not None:
                    self._stands.append((module, "forward", learned))
                    continue
                if (found := _rows(module)) is not None:
                    place = len(self._layers)
                    self._stands.append((module, "forward", _FusedLayer(module, partial(self._weight, place))))
                    self._layers.append(module)
                    scales.append(found)
                    continue
            else:
                continue
            unknown.append(f"{name} ({type(module).__name__})")
        if unknown:
            _log.info("%s trains slower: Brevitas computes %s", type(network).__name__, ", ".join(unknown))
        #: names of the layers that Brevitas computes itself
        self.unknown = tuple(unknown)
        self._rows = WeightRows([m.weight.shape for m in self._layers], [b for b, _ in scales], [r for _, r in scales])

    def _weight(self, place: int) -> Tensor:
        """A layer's quantised weights: the first that is asked for makes all."""
        if self._quantised is None:
            self._quantised = quantised_weights([m.weight for m in self._layers], self._rows)
        return self._quantised[place]

    @contextmanager
    def active(self) -> Iterator[None]:
        """While this lasts the layers compute by fused operations. The parameters may not change meanwhile."""
        for module, name, stand in self._stands:
            module.__dict__[name] = stand
        try:
            yield
        finally:
            self._quantised = None
            for module, name, _ in self._stands:
                module.__dict__.pop(name, None)


def _activation(module: QuantNonLinearActLayer) -> list[Stand] | None:
    """The stand-ins of an activation; None where it is of no known kind."""
    layer: Any = module
    if type(module) not in (QuantIdentity, QuantReLU) or not layer.act_quant.is_quant_enabled or _more(layer):
        return None
    proxy = layer.act_quant.fused_activation_quant_proxy
    kind, quantiser = type(proxy.activation_impl), proxy.tensor_quant
    if isinstance(quantiser, LearnedActivationQuant):
        stand = _LearnedActivation(quantiser, rectified=kind is nn.ReLU)
        return [(module, "forward", stand), (layer.act_quant, "scale", quantiser.scale)]
    if kind not in (nn.ReLU, Identity, nn.Identity) or (bits := _integer(quantiser, TensorClamp)) is None:
        return None
    scaling, whole = quantiser.scaling_impl, quantiser.int_quant
    if type(scaling) not in (ParameterScaling, ConstScaling) or not _power_of_two(scaling):
        return None
    signed = bool(whole.signed)
    codes = 2 ** (bits - int(signed))
    how = CodeRange(
        codes=codes,
        low=int(whole.narrow_range) - codes if signed else 0,
        top=codes - 1 - int(whole.narrow_range and not signed),
        nearest=isinstance(whole.float_to_int_impl, RoundSte),
        rectified=kind is nn.ReLU,
    )
    fused = _FusedActivation(scaling, how)
    return [(module, "forward", fused), (layer.act_quant, "scale", fused.scale)]


def _learn(module: QuantWeightBiasInputOutputLayer) -> _FusedLayer | None:
    """The stand-in of a layer whose weights' bits are learned."""
    layer: Any = module
    if type(module) not in (QuantLinear, QuantConv1d, QuantConv2d) or _more(layer):
        return None
    quantiser = layer.weight_quant.tensor_quant if layer.weight_quant.is_quant_enabled else None
    if not isinstance(quantiser, LearnedWeightQuant):
        return None
    return _FusedLayer(layer, partial(_weights_of, layer, quantiser))


def _weights_of(layer: Any, quantiser: LearnedWeightQuant) -> Tensor:
    return quantiser.values(layer.weight)


def _rows(module: QuantWeightBiasInputOutputLayer) -> tuple[int, int] | None:
    """Bits of a layer's weights, and how many scales they have; None where it is of no known kind."""
    layer: Any = module
    if type(module) not in (QuantLinear, QuantConv1d, QuantConv2d) or _more(layer):
        return None
    if not layer.weight_quant.is_quant_enabled or layer.bias_quant.is_quant_enabled:
        return None
    quantiser = layer.weight_quant.tensor_quant
    if (bits := _integer(quantiser, TensorClampSte)) is None:
        return None
    scaling, whole = quantiser.scaling_impl, quantiser.int_quant
    if not isinstance(whole.float_to_int_impl, RoundSte) or not (whole.signed and whole.narrow_range):
        return None
    if type(scaling) is not StatsFromParameterScaling or not _power_of_two(scaling.stats_scaling_impl):
        return None
    tracked = scaling.parameter_list_stats
    largest = tracked.stats.stats_impl
    if type(largest) is not AbsMax or tracked.extra_tracked_params_list is not None:
        return None
    return bits, 1 if largest.stats_reduce_dim is None else len(layer.weight)


def _more(layer: Any) -> bool:
    """Whether a layer does more than these operations: quantises what comes in or goes out, or gives quant tensors."""
    quantised = [getattr(layer, name, None) for name in ("input_quant", "output_quant")]
    return layer.return_quant_tensor or any(q is not None and q.is_quant_enabled for q in quantised)


def _integer(quantiser: Any, clamp: type[nn.Module]) -> int | None:
    """Bits of an integer quantiser whose scale is a power of two; None of any other."""
    if type(quantiser) is not RescalingIntQuant or type(quantiser.int_quant) is not IntQuant:
        return None
    whole, width = quantiser.int_quant, quantiser.msb_clamp_bit_width_impl
    known = (
        type(quantiser.int_scaling_impl) is PowerOfTwoIntScaling
        and type(quantiser.zero_point_impl) is ZeroZeroPoint
        and type(width) is BitWidthConst
        and type(whole.float_to_int_impl) in (FloorSte, RoundSte)
        and type(whole.tensor_clamp_impl) is clamp
        and type(whole.input_view_impl) is Identity
        and not quantiser.observer_only
    )
    return int(width()) if known else None


def _power_of_two(scaling: Any) -> bool:
    """Whether a scaling rounds its range up to a power of two."""
    restriction = scaling.restrict_clamp_scaling.restrict_value_impl
    return type(restriction) is PowerOfTwoRestrictValue and type(restriction.float_to_int_impl) is CeilSte
