"""The designs that a flow is tried with: each at an edge of what may be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from codesign.core.design import Design
from codesign.core.layout import Layout
from codesign.graph.quantiser import QUANT_MODES
from codesign.testing.graphs import GraphBuilder, design_of, kind_of, port_of_one_kind, weights
from codesign.testing.nonconformity import must

__all__ = ("CASES", "FAMILIES", "Case", "family_design", "untrained_design")

if TYPE_CHECKING:
    from codesign.families.base import Candidate
    from codesign.families.torch_family import TorchFamily
    from codesign.training.network import Network

#: bits of a product that leave room to add four of them in float32, in which reference tools compute
_PRODUCT_BITS = 19
_KIND = kind_of(6, True, 3)


@dataclass(frozen=True)
class Case:
    """One design.

    Attributes
    ----------
    make: builds the design, the same at every call.
    core: whether every flow must compile it.
    exact: False where no exact hardware exists: it must be refused.
    """

    name: str
    make: Callable[[], Design]
    core: bool = False
    exact: bool = True

    def __str__(self) -> str:
        return self.name


#: family -> a small configuration and how many outputs it has
FAMILIES: dict[str, tuple[dict[str, Any], int]] = {
    "mlp": (
        {"widths": (8, 5), "weight_bits": (4, 3, 5), "activation_bits": (3, 4), "input_bits": 7, "sparsity": 0.3},
        3,
    ),
    "mlp-learned": ({"widths": (7, 5)}, 3),
    "vae": (
        {
            "widths": (6,),
            "latent": 3,
            "weight_bits": (4, 4),
            "activation_bits": (4,),
            "square_bits": 5,
            "score_bits": 9,
            "input_bits": 6,
        },
        1,
    ),
    "autoencoder": (
        {
            "widths": (5,),
            "latent": 2,
            "weight_bits": (4, 4, 4, 4),
            "activation_bits": (4, 4, 4),
            "square_bits": 5,
            "score_bits": 9,
            "input_bits": 6,
        },
        1,
    ),
}


def family_design(name: str, config: dict[str, Any], outputs: int, inputs: int = 6, seed: int = 1) -> Design:
    """An untrained network of a family, calibrated on random events and exported."""
    from codesign.core import plugins
    from codesign.families.base import Family
    from codesign.families.torch_family import TorchFamily

    family = plugins.load(Family, name)
    assert isinstance(family, TorchFamily), f"the family {name} builds no networks of torch"
    return untrained_design(family, family.read(config, name), outputs, inputs, seed)[1]


def untrained_design(
    family: TorchFamily,
    config: Candidate,
    outputs: int,
    inputs: int = 6,
    seed: int = 1,
    blocks: tuple[Layout, ...] = (),
) -> tuple[Network, Design]:
    """A network with the weights it was built with, calibrated on random events and folded, and its design.

    ``blocks``: what it is given instead of so many ``inputs``.
    """
    import torch

    from codesign.core.fixedpoint import InputQuantisation
    from codesign.training import export
    from codesign.training.lesson import Subject
    from codesign.training.network import Network

    given = blocks or (Layout.of_features(tuple(f"x{i}" for i in range(inputs)), ("1",) * inputs),)
    x = np.random.default_rng(seed).normal(size=(500, sum(block.size for block in given)))
    quantisation = InputQuantisation.of_blocks(x, given, config.input_width())
    values = torch.as_tensor(quantisation.port.values(quantisation.codes(x)), dtype=torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = family.build(config, replace(Subject.of_sizes(x.shape[1], outputs), blocks=blocks))
        must(isinstance(network, Network), f"{family.name}: builds a {type(network).__name__}, which is no Network")
        network.calibrate(values)
        network.settle(values)
    quantisation = network.input_quantisation(quantisation)
    network.fold()
    return network, export.export(network.eval(), quantisation, tuple(f"y{i}" for i in range(outputs)))


def _activations(bits: int, signed: bool) -> Design:
    """Inputs and hidden signals of ``bits`` bits: through a matrix, a quantiser that saturates, and a matrix."""
    rng = np.random.default_rng(100 * bits + signed)
    kind, other = kind_of(bits, signed), max(1, min(bits, _PRODUCT_BITS - bits))
    build = GraphBuilder(4)
    x = build.layer("x", weights(rng, (4, 5), other), rng.integers(-4, 5, 5) / 2)
    x = x if signed else build.node("Relu", x)
    x = build.quant(x, 2.0 ** (other // 2), bits, int(signed))
    x = build.layer(x, weights(rng, (5, 2), other))
    return design_of(build.finish(x, 2), kind, 4)


def _weights(bits: int) -> Design:
    """Weights of ``bits`` bits in both layers, of one bit: signs."""
    rng = np.random.default_rng(bits)
    other = max(2, min(bits, _PRODUCT_BITS - bits))
    build = GraphBuilder(4)
    x = build.layer("x", weights(rng, (4, 5), bits, 2.0**-bits), rng.integers(-4, 5, 5) / 4)
    x = build.quant(build.node("Relu", x), 2.0**-other, other, 0)
    x = build.layer(x, weights(rng, (5, 3), bits, 2.0**-bits))
    return design_of(build.finish(x, 3), kind_of(other, True, other - 1), 4)


def _quantise(mode: str = "FLOOR", scale: float = 0.5, zero: float = 0.0, bits: float = 4, signed: int = 1) -> Design:
    """One quantiser between two matrices."""
    rng = np.random.default_rng(5)
    build = GraphBuilder(3)
    x = build.layer("x", weights(rng, (3, 4), 4, 0.25), np.array([0.125, -0.0625, 0.0, 1.5]))
    x = build.quant(x, scale, bits, signed, 0, mode, zero)
    x = build.layer(x, weights(rng, (4, 2), 3, 0.5))
    content = build.finish(x, 2)
    if zero or np.log2(scale) % 1:  # nobody can say the types of its outputs
        return Design(content, port_of_one_kind(_KIND, 3), design_of(_identity(3), _KIND, 3).outputs)
    return design_of(content, _KIND, 3)


def _identity(size: int) -> bytes:
    build = GraphBuilder(size)
    return build.finish(build.layer("x", np.eye(size)), size)


def _signs() -> Design:
    """Binary network: activations and weights are signs."""
    rng = np.random.default_rng(6)
    build = GraphBuilder(6)
    x = build.layer("x", weights(rng, (6, 8), 1), np.array([-2.5, -1.5, -0.5, 0.5, 0.5, 1.5, 2.5, -0.5]))
    x = build.node("BipolarQuant", x, build.constant(1.0))
    x = build.layer(x, weights(rng, (8, 2), 1))
    return design_of(build.finish(x, 2), kind_of(4, True), 6)


def _dead() -> Design:
    """An input that nobody reads, neurons that are always 0, one that is constant, and an output that is always 0."""
    build = GraphBuilder(4)
    first = np.array([[1, 0, -0.5, 0.25], [0.5, 0, 0.25, -1], [0, 0, 0, 0], [-0.25, 0, 1, 0.5]])
    x = build.layer("x", first, np.array([0.0, -1.0, 0.5, 0.25]))
    x = build.quant(build.node("Relu", x), 0.25, 4, 0)
    second = np.array([[1, 0, 0.5], [1, 0, -1], [-0.5, 0, 0.25], [0.25, 0, 1]])
    return design_of(build.finish(build.layer(x, second), 3), _KIND, 4)


def _constant() -> Design:
    """Every output is always 0, whatever comes in."""
    build = GraphBuilder(2)
    x = build.quant(build.node("Relu", build.layer("x", np.zeros((2, 2)))), 0.5, 3, 0)
    return design_of(build.finish(build.layer(x, np.ones((2, 2))), 2), _KIND, 2)


def _single() -> Design:
    """One input, one neuron, one output."""
    build = GraphBuilder(1)
    x = build.quant(build.node("Relu", build.layer("x", np.array([[0.75]]), np.array([0.25]))), 0.5, 3, 0)
    return design_of(build.finish(build.layer(x, np.array([[-1.5]]), np.array([0.125])), 1), _KIND, 1)


def _saturating() -> Design:
    """Nearly every event saturates the hidden signal, at both of its ends."""
    build = GraphBuilder(3)
    x = build.layer("x", np.array([[7.0, -7.0, 5.0], [-6.0, 7.0, 7.0], [7.0, 5.0, -7.0]]))
    x = build.quant(x, 0.25, 4, 1)
    return design_of(build.finish(build.layer(x, np.array([[1.0], [-0.5], [0.25]])), 1), _KIND, 3)


def _widths_of_their_own() -> Design:
    """Each hidden signal has a scale and a width of its own, one of them none."""
    rng = np.random.default_rng(8)
    build = GraphBuilder(4)
    x = build.node("Relu", build.layer("x", weights(rng, (4, 4), 4, 0.25), np.array([0.5, -0.25, 0.0, 0.125])))
    x = build.quant(x, np.array([0.5, 0.25, 1.0, 0.125]), np.array([2.0, 5.0, 1.0, 3.0]), 0)
    return design_of(build.finish(build.layer(x, weights(rng, (4, 2), 4, 0.5)), 2), _KIND, 4)


def _matrix_only() -> Design:
    """No hidden layer."""
    build = GraphBuilder(3)
    x = build.layer("x", np.array([[1, -2], [0.5, 3], [-0.25, 1]]), np.array([0.5, -0.0625]))
    return design_of(build.finish(x, 2), _KIND, 3)


def _squares() -> Design:
    """A sum of squares, quantised."""
    build = GraphBuilder(3)
    x = build.quant(build.layer("x", weights(np.random.default_rng(9), (3, 3), 3, 0.5)), 0.5, 5)
    x = build.layer(build.node("Mul", x, x), np.ones((3, 1)))
    return design_of(build.finish(build.quant(x, 1.0, 6, 0), 1), _KIND, 3)


def _family(name: str) -> Case:
    config, outputs = FAMILIES[name]
    return Case(f"family-{name}", partial(family_design, name, config, outputs), core=name == "mlp")


def _everything() -> tuple[Case, ...]:
    cases = [
        Case("single", _single, core=True),
        Case("dead-neurons", _dead, core=True),
        Case("saturating", _saturating, core=True),
        Case("matrix-only", _matrix_only, core=True),
        Case("constant-outputs", _constant),
        Case("signs", _signs),
        Case("widths-of-their-own", _widths_of_their_own),
        Case("squares", _squares),
        Case("zero-point", lambda: _quantise(zero=-1.0), exact=False),
        Case("scale-no-power-of-two", lambda: _quantise(scale=0.3), exact=False),
        *(_family(name) for name in FAMILIES),
    ]
    for mode in QUANT_MODES:
        cases.append(Case(f"rounding-{mode.value.lower()}", partial(_quantise, mode.value)))
    for bits in range(1, 17):
        usual = 2 <= bits <= 8
        cases += [
            Case(f"unsigned-{bits}", partial(_activations, bits, False), core=usual),
            Case(f"weights-{bits}", partial(_weights, bits), core=usual),
        ]
        if bits > 1:  # one signed bit holds -1 and 0, which no network uses: signs are a case of their own
            cases.append(Case(f"signed-{bits}", partial(_activations, bits, True), core=usual))
    return tuple(cases)


#: every case, by what a flow meets first
CASES: tuple[Case, ...] = _everything()
