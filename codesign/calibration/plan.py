"""The networks of a calibration: two families, sizes, bits and sparsities spread evenly over the logic they take.

What matters is the logic, so the networks are trained only briefly, on a problem made for it: five overlapping Gaussian
classes in 16 dimensions. Everything follows from the number of the network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.fixedpoint import InputQuantisation
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.family import MLPLearned
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.families.torch_family import TorchFamily
from codesign.graph.cost import graph_cost
from codesign.training import export

__all__ = ("CLASSES", "FEATURES", "Member", "events", "member", "plan")

FEATURES, CLASSES = 16, 5
_EVENTS = 6000
#: size of the smallest and the largest network, by :func:`_size`: about 60 to 3000 look-up tables
_SIZES = (250.0, 16000.0)


@dataclass(frozen=True)
class Member:
    """One network of the plan: its number, family, configuration and logic between two registers (adder delays)."""

    number: int
    family: str
    config: MLPConfig | LearnedMLPConfig
    stage_delay: float

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"{self.family}-{self.number:03d}"

    def design(self) -> tuple[Design, float]:
        """Train it briefly and export it; the design and the effective bit operations of its graph."""
        import torch

        from codesign.training.lesson import Subject
        from codesign.training.loop import train

        x, y = events()
        family: TorchFamily = MLP() if self.family == "mlp" else MLPLearned()
        names = tuple(f"x{i}" for i in range(FEATURES))
        inputs = InputQuantisation.fit(x, names, ("1",) * FEATURES, self.config.input_width())
        torch.manual_seed(self.number)
        network = family.build(self.config, Subject.of_sizes(FEATURES, CLASSES))
        learned = self.family != "mlp"
        train(
            network,
            inputs.port.values(inputs.codes(x)),
            y,
            torch.nn.functional.cross_entropy,
            epochs=60 if learned else 12,
            batch=512,
            learning_rate=0.02,
            sparsity=self.config.pruned(),
            seed=self.number,
        )
        inputs = network.input_quantisation(inputs)
        design = export.export(network, inputs, tuple(f"c{i}" for i in range(CLASSES)))
        return design, graph_cost(design).bit_operations


def plan(fixed: int = 52, learned: int = 20) -> list[Member]:
    """``fixed`` networks of the family ``mlp`` and ``learned`` of ``mlp-learned``, always the same."""
    members = [_fixed_precision(i, i / max(1, fixed - 1)) for i in range(fixed)]
    members += [_learned_precision(fixed + i, i / max(1, learned - 1)) for i in range(learned)]
    # any first part of the plan covers all sizes: a run that was stopped is a smaller calibration, not a biased one
    order = np.random.default_rng(0).permutation(len(members))
    return [members[i] for i in order]


def member(number: int) -> Member:
    """The network of this number."""
    return next(m for m in plan() if m.number == number)


def events() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features (events, 16) and classes (events,) of the training problem."""
    rng = np.random.default_rng(7)
    y = rng.integers(0, CLASSES, _EVENTS)
    mixing = rng.normal(size=(FEATURES, FEATURES)) / np.sqrt(FEATURES)
    centres = rng.normal(size=(CLASSES, FEATURES))
    return ((rng.normal(size=(_EVENTS, FEATURES)) + centres[y]) @ mixing).astype(np.float32), y


def _fixed_precision(number: int, place: float) -> Member:
    """A random configuration whose size lies near ``place`` (0 to 1) of the range, on a logarithmic scale."""
    rng = np.random.default_rng(1000 + number)
    aim = np.log(_SIZES[0]) + place * (np.log(_SIZES[1]) - np.log(_SIZES[0]))
    while True:
        depth = int(rng.integers(1, 4))
        config = MLPConfig(
            widths=tuple(int(rng.choice([4, 6, 8, 12, 16, 24, 32, 48])) for _ in range(depth)),
            weight_bits=tuple(int(rng.integers(2, 9)) for _ in range(depth + 1)),
            activation_bits=tuple(int(rng.integers(2, 9)) for _ in range(depth)),
            input_bits=int(rng.integers(4, 11)),
            sparsity=float(round(rng.uniform(0, 0.95), 3)),
        )
        if abs(np.log(_size(config)) - aim) < 0.1:
            return Member(number, "mlp", config, _stage_delay(number))


def _size(config: MLPConfig) -> float:
    """Bits of all weights that pruning leaves times the bits of their operands: only what the plan is spread over.

    It stays as it is, whatever bit operations are: the networks that were measured follow from it.
    """
    sizes = (FEATURES, *config.widths, CLASSES)
    layers = zip(sizes[:-1], sizes[1:], config.weight_bits, (config.input_bits, *config.activation_bits), strict=True)
    return (1 - config.sparsity) * sum(n * m * weight * operand for n, m, weight, operand in layers)


def _learned_precision(number: int, place: float) -> Member:
    """A price per bit operation between a high one (a small network) and a low one."""
    rng = np.random.default_rng(1000 + number)
    depth = int(rng.integers(1, 4))
    price = float(10 ** (-2.3 - 2.4 * place))
    config = LearnedMLPConfig(
        widths=tuple(int(rng.choice([8, 16, 24, 32])) for _ in range(depth)),
        beta_low=min(1e-5, price),
        beta_high=price,
        fraction_bits=5,
        input_bits=12,
    )
    return Member(number, "mlp-learned", config, _stage_delay(number))


def _stage_delay(number: int) -> float:
    return float((1, 2, 3, 4, 6)[number % 5])
