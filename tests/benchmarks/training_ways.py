"""What training costs: a step of each kind of network, and candidates per hour of each way to train them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from codesign.core.fixedpoint import InputQuantisation
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.data.generated import generated_sample
from codesign.data.sample import Splits
from codesign.families.autoencoder.config import AutoencoderConfig, VAEConfig
from codesign.families.autoencoder.family import VAE, Autoencoder
from codesign.families.learned.config import LearnedMLPConfig
from codesign.families.learned.family import MLPLearned
from codesign.families.learned.learned_front import accuracy, checkpoints
from codesign.families.mlp.config import MLPConfig
from codesign.families.mlp.family import MLP
from codesign.flows.alkaid.flow import Alkaid
from codesign.training import export
from codesign.training.lesson import Subject
from codesign.training.loop import train
from codesign.training.network import Autograd, Twin

LOSS = torch.nn.functional.cross_entropy
WIDTHS = (64, 32, 32)


class Layout(NamedTuple):
    """What each way trains, as far as it has a use for it."""

    widths: tuple[int, ...]
    #: of weights and activations
    bits: int
    input_bits: int
    sparsity: float
    #: of a bit operation, at the end of a training of mlp-learned for one candidate
    price: float


LAYOUTS = (
    Layout((16, 16), 3, 4, 0.8, 3e-3),
    Layout((32, 16), 3, 5, 0.8, 1e-3),
    Layout((64, 32), 4, 6, 0.9, 3e-4),
    Layout((64, 32, 32), 4, 6, 0.85, 1e-4),
)
CARD, EVENTS, SPLITS, EPOCHS, BATCH = "jets-13tev", 20000, Splits(0.6, 0.2, 0.2, 1), 90, 512
#: learning rates of the shipped studies
RATE, LEARNED_RATE = 0.02, 0.01
#: networks that are compiled of each of mlp-learned's fronts
CHECKPOINTS = 8


class Float(nn.Module):
    """The same layers in float32, as PyTorch has them."""

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        layers = [m for a, b in pairwise(sizes) for m in (nn.Linear(a, b), nn.ReLU())]
        self.layers = nn.Sequential(*layers[:-1])

    def fused(self, x: Tensor) -> Tensor:
        """Scores."""
        return self.layers(x)  # type: ignore[no-any-return]

    def calibrate(self, x: Tensor) -> None:
        """Nothing to calibrate."""

    def fold(self) -> None:
        """Nothing to fold."""


class FloatVAE(nn.Module):
    """A variational autoencoder in float32, as PyTorch has it: one hidden width of the decoder, as in ``vae``."""

    def __init__(self, inputs: int, widths: tuple[int, ...], latent: int, beta: float) -> None:
        super().__init__()
        self.encoder = nn.Sequential(Float((inputs, *widths)).layers, nn.ReLU())
        self.mean, self.spread = nn.Linear(widths[-1], latent), nn.Linear(widths[-1], latent)
        self.decoder = Float((latent, widths[-1], inputs)).layers
        self.beta = beta

    def objective(self, x: Tensor, target: Tensor, loss: Any) -> Tensor:
        """The objective of ``vae``."""
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.spread(hidden).clamp(-8.0, 4.0)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log_variance)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return loss(self.decoder(latent), target) + self.beta * divergence / x.shape[1]  # type: ignore[no-any-return]


def _by_hand(twin: Twin, x: Tensor, y: Tensor, loss: Any) -> Callable[[], None]:
    """A step as training makes it: of a twin."""
    optimiser = torch.optim.Adam(twin.parameters, lr=1e-4, fused=True)

    def step() -> None:
        twin.gradients(x, y, loss, 0.5)
        optimiser.step()

    return step


def _automatic(objective: Callable[[], Tensor], network: nn.Module) -> Callable[[], None]:
    """A step by PyTorch's automatic differentiation."""
    optimiser = torch.optim.Adam(list(network.parameters()), lr=1e-4, fused=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        value = objective()
        value.backward()
        value.item()
        optimiser.step()

    return step


def _classifiers() -> dict[str, Callable[[], None]]:
    """A step of each network of 64-32-32 neurons that tells 5 classes from 16 inputs."""
    config = MLPConfig(widths=WIDTHS, weight_bits=(4,) * 4, activation_bits=(4,) * 3, input_bits=8)
    x = torch.round(torch.randn(1024, 16) * 32).clamp(-128, 127) / 32
    y = torch.randint(0, 5, (1024,))
    network, brevitas, learned = (
        MLP().build(config, Subject.of_sizes(16, 5)),
        MLP().build(config, Subject.of_sizes(16, 5)),
        MLPLearned().build(LearnedMLPConfig(widths=WIDTHS), Subject.of_sizes(16, 5)),
    )
    for one in (network, brevitas, learned):
        one.calibrate(x)
    plain = Float((16, *WIDTHS, 5))
    return {
        "float": _automatic(lambda: LOSS(plain.fused(x), y), plain),
        "fused": _by_hand(network.twin(len(x)), x, y, LOSS),
        "learned": _by_hand(learned.twin(len(x)), x, y, LOSS),
        "brevitas": _automatic(lambda: LOSS(brevitas(x), y), brevitas),
    }


def _reproducers() -> dict[str, Callable[[], None]]:
    """A step of each network that reproduces 57 inputs, as the anomaly trigger has."""
    inputs, common = 57, {"widths": (32, 16), "latent": 6, "square_bits": 8, "score_bits": 16, "input_bits": 8}
    x = torch.round(torch.randn(1024, inputs) * 32).clamp(-128, 127) / 32
    loss = torch.nn.functional.mse_loss
    small = VAEConfig.model_validate(common | {"weight_bits": (4,) * 3, "activation_bits": (4,) * 2})
    both = AutoencoderConfig.model_validate(common | {"weight_bits": (4,) * 6, "activation_bits": (4,) * 5})
    plain, plain_vae = Float((inputs, *both.sizes, inputs)), FloatVAE(inputs, small.widths, small.latent, small.beta)
    steps = {
        "float autoencoder": _automatic(lambda: loss(plain.fused(x), x), plain),
        "float vae": _automatic(lambda: plain_vae.objective(x, x, loss), plain_vae),
    }
    for name, family, config in (("autoencoder", Autoencoder(), both), ("vae", VAE(), small)):
        network: Any = family.build(config, Subject.of_sizes(inputs, 1))
        network.match(x, x)
        network.calibrate(x)
        twin: Twin = network.twin(len(x))
        steps[name] = _by_hand(twin, *twin.prepared(x, x), loss)
    return steps


def training_step(rounds: int = 100, steps: int = 5) -> dict[str, Any]:
    """Milliseconds per training step at batch 1024, in turns: medians of ``rounds`` short runs each, in processor
    time, which a busy machine changes least.

    The optimiser (Adam, fused), the loss and the batch are the same. Classifiers, 64-32-32: float32, our twins of
    ``mlp`` and ``mlp-learned`` as training uses them, and Brevitas' own forward. The networks that reproduce 57 inputs,
    32-16 around 6 numbers: ``autoencoder`` and ``vae``, each beside the same in float32.
    """
    torch.manual_seed(0)
    runs = _classifiers() | _reproducers()
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, step in runs.items():
            start = time.process_time()
            for _ in range(steps):
                step()
            times[name].append((time.process_time() - start) / steps)
    found = {name: median(values[5:]) * 1e3 for name, values in times.items()}
    return {
        "milliseconds_per_step": {name: round(value, 3) for name, value in found.items()},
        "fused_over_float": round(found["fused"] / found["float"], 2),
        "learned_over_float": round(found["learned"] / found["float"], 2),
        "brevitas_over_fused": round(found["brevitas"] / found["fused"], 2),
        "autoencoder_over_float": round(found["autoencoder"] / found["float autoencoder"], 2),
        "vae_over_float": round(found["vae"] / found["float vae"], 2),
    }


class _Ways:
    """The ways to train, on one sample and split; each gives the networks that one training makes."""

    def __init__(self, work: Path) -> None:
        self.sample = generated_sample(CARD, EVENTS)
        self.train, self.validation = (self.sample.part(n, SPLITS) for n in ("train", "validation"))
        self.classes = len(self.sample.class_names)
        self.target, self.work, self.compiled = load_target("vu13p-360"), work, 0

    def _inputs(self, bits: int) -> tuple[InputQuantisation, Any, Any]:
        base = InputQuantisation.fit(self.train.x, self.sample.feature_names, self.sample.units, bits)
        train, validation = (base.port.values(base.codes(part.x)) for part in (self.train, self.validation))
        return base, train, validation

    def _fit(self, network: Any, x: Any, rate: float, sparsity: float) -> None:
        train(network, x, self.train.y, LOSS, epochs=EPOCHS, batch=BATCH, learning_rate=rate, sparsity=sparsity, seed=1)

    def float32(self, layout: Layout) -> float:
        """No candidate: its accuracy on the validation split."""
        _, x, x_validation = self._inputs(layout.input_bits)
        network = Float((x.shape[1], *layout.widths, self.classes))
        self._fit(network, x, RATE, layout.sparsity)
        with torch.no_grad():
            scores = network.fused(torch.as_tensor(x_validation, dtype=torch.float32))
        return accuracy(scores, torch.as_tensor(self.validation.y))

    def mlp(self, layout: Layout, own: bool = True) -> list[tuple[Any, InputQuantisation]]:
        """One candidate of fixed precision, through its twin or through Brevitas' own forward (not ``own``)."""
        base, x, _ = self._inputs(layout.input_bits)
        config = MLPConfig(
            widths=layout.widths,
            weight_bits=(layout.bits,) * (len(layout.widths) + 1),
            activation_bits=(layout.bits,) * len(layout.widths),
            input_bits=layout.input_bits,
            sparsity=layout.sparsity,
        )
        network: Any = MLP().build(config, Subject.of_sizes(x.shape[1], self.classes))
        if not own:
            network.twin = lambda events: Autograd(network)
            network.objective = lambda values, target, loss: loss(network(values), target)
        self._fit(network, x, RATE, layout.sparsity)
        return [(network, base)]

    def learned(self, layout: Layout) -> Any:
        """One candidate of learned precision, at a price of its own."""
        config = LearnedMLPConfig(widths=layout.widths, beta_high=layout.price)
        base, x, _ = self._inputs(config.input_bits)
        network = MLPLearned().build(config, Subject.of_sizes(x.shape[1], self.classes))
        self._fit(network, x, LEARNED_RATE, 0.0)
        return [(network, network.input_quantisation(base))]

    def front(self, layout: Layout) -> Any:
        """The candidates that one training passes through while the price rises."""
        config = LearnedMLPConfig(widths=layout.widths)
        base, x, x_validation = self._inputs(config.input_bits)
        found = checkpoints(
            config, x, self.train.y, x_validation, self.validation.y, LOSS, outputs=self.classes, epochs=EPOCHS,
            batch=BATCH, learning_rate=LEARNED_RATE, seed=1, limit=CHECKPOINTS,
        )  # fmt: skip
        return [(c.network, c.network.input_quantisation(base)) for c in found]

    def exact(self, network: Any, quantisation: InputQuantisation) -> float:
        """Compile, and gate: Brevitas, QONNX and the circuit's integers are equal. Accuracy on the validation split."""
        design = export.export(network.eval(), quantisation, self.sample.class_names)
        self.compiled += 1
        flow = Alkaid()
        firmware = flow.compile(design, self.target, self.work / f"way{self.compiled}")
        real = quantisation.codes(self.validation.x)
        codes = np.concatenate([real, probe_codes(design.inputs)])
        integers = flow.predict(firmware, codes)
        if not (
            np.array_equal(integers, export.brevitas_codes(network, design, codes))
            and np.array_equal(integers, export.qonnx_codes(design, codes))
        ):
            raise RuntimeError(f"candidate {self.compiled} is not exact")
        right = design.outputs.values(integers[: len(real)]).argmax(axis=1) == self.validation.y
        return float(right.mean())


def training_ways(work: Path) -> dict[str, Any]:
    """Candidates per hour of each way of training, all compiled and gated exact, on one core.

    The same sample, splits, epochs, batch and layouts for all; processor seconds of the training, and of all that makes
    a trained network a candidate; and the accuracy of the best on the validation split, by the firmware's integers.
    """
    ways = _Ways(work)
    runs: dict[str, Callable[..., Any]] = {
        "mlp, Brevitas' own forward": lambda layout: ways.mlp(layout, own=False),
        "mlp, fused twin": ways.mlp,
        "mlp-learned, a training per candidate": ways.learned,
        "mlp-learned, checkpoints of one training": ways.front,
    }
    ways.exact(*ways.mlp(LAYOUTS[0])[0])  # compiles loops
    seconds = {name: [0.0, 0.0] for name in runs}
    found: dict[str, list[float]] = {name: [] for name in runs}
    plain, plain_seconds = [], 0.0
    for layout in LAYOUTS:
        torch.manual_seed(1)
        start = time.process_time()
        plain.append(ways.float32(layout))
        plain_seconds += time.process_time() - start
        for name, run in runs.items():
            torch.manual_seed(1)
            start = time.process_time()
            networks = run(layout)
            trained = time.process_time()
            found[name] += [ways.exact(*network) for network in networks]
            seconds[name][0] += trained - start
            seconds[name][1] += time.process_time() - trained
    reference = {"trainings": len(plain), "training_seconds": round(plain_seconds, 1)}
    rows: dict[str, Any] = {"float32, no candidate": reference | {"best_validation_accuracy": round(max(plain), 4)}}
    for name, accuracies in found.items():
        training, rest = seconds[name]
        rows[name] = {
            "trainings": len(LAYOUTS),
            "training_seconds": round(training, 1),
            "candidates": len(accuracies),
            "compile_and_gate_seconds": round(rest, 1),
            "candidates_per_hour": round(3600 * len(accuracies) / (training + rest)),
            "candidates_trained_per_hour": round(3600 * len(accuracies) / training),
            "best_validation_accuracy": round(max(accuracies), 4),
        }
    error = float(np.sqrt(max(plain) * (1 - max(plain)) / len(ways.validation)))
    return {
        "sample": f"{CARD}, {EVENTS} jets; {len(ways.train)} to train, {len(ways.validation)} to validate",
        "epochs": EPOCHS,
        "batch": BATCH,
        "layouts": ["-".join(map(str, layout.widths)) for layout in LAYOUTS],
        "ways": rows,
        "statistical_error_of_accuracy": round(error, 4),
    }
