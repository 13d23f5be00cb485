"""From a lesson to a trained torch network, and from that to what every way to a design ends in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Self, TypeAlias

import torch
from safetensors.torch import save

from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.reading.tensor_file import tensors_of
from codesign.families.base import Candidate
from codesign.families.trained import WEIGHTS, Reference, Trained
from codesign.tasks.heads import Head
from codesign.training import export
from codesign.training.batches import Truths
from codesign.training.devices import device_named
from codesign.training.distance_correlation import DecorrelatedLoss
from codesign.training.lesson import Budget, Fold, Lesson, Progress, Subject
from codesign.training.loop import train
from codesign.training.network import Network
from codesign.training.objectives import HeadsLoss

__all__ = ("ExportedNetwork", "FittedFiles", "fill", "fit_network", "pack_parameters", "truths_of")

#: of a candidate, and what it shall learn
Build: TypeAlias = Callable[[Candidate, Subject], Network]


def truths_of(fold: Fold, heads: Sequence[Head]) -> Truths:
    """The targets of the heads: of one its own, of several one for each; behind them what a decorrelated one needs."""
    found = tuple(fold.target[head.name] for head in heads)
    if fold.beside is not None:
        return (*found, fold.beside)
    return found[0] if len(found) == 1 else found


class FittedFiles(dict[str, bytes]):
    """The files of a training, and in the process that trained the folded network itself."""

    def __init__(self, network: Network) -> None:
        super().__init__({WEIGHTS: pack_parameters(network)})
        self.network = network


def fit_network(
    build: Build, candidate: Candidate, lesson: Lesson, budget: Budget, seed: int, device: str, progress: Progress
) -> FittedFiles:
    """Build and train a network."""
    torch.manual_seed(seed)
    heads = lesson.subject.heads
    network = build(candidate, lesson.subject)
    train(
        network, lesson.train.inputs, truths_of(lesson.train, heads), loss_for(lesson), epochs=budget.epochs,
        batch=budget.batch, learning_rate=budget.learning_rate, sparsity=candidate.pruned(), seed=seed,
        weights=lesson.train.weights, device=device_named(device), progress=progress, how=budget.steps,
        patience=budget.patience,
        validation=(lesson.validation.inputs, truths_of(lesson.validation, heads), lesson.validation.weights),
    )  # fmt: skip
    return FittedFiles(network.eval())


def loss_for(lesson: Lesson) -> HeadsLoss:
    """What a training makes smaller."""
    heads, wanted = lesson.subject.heads, lesson.decorrelate
    return HeadsLoss(heads) if wanted is None else DecorrelatedLoss(heads, wanted)


def pack_parameters(network: Network) -> bytes:
    """A network's parameters and buffers, as safetensors."""
    content: bytes = save({name: tensor.contiguous() for name, tensor in network.state_dict().items()})
    return content


def fill(network: Network, content: bytes, source: str = WEIGHTS) -> Network:
    """The folded network with these parameters; InputError where they are not those of such a network."""
    try:
        network.load_state_dict(tensors_of(content, source))
    except (RuntimeError, KeyError, TypeError, ValueError) as error:  # torch's: other names, other shapes
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{source}: not the weights of the network of config.json ({said}): restore both") from None
    network.folded = True
    return network.eval()


class ExportedNetwork(Trained):
    """A folded network, and the design that Brevitas exports of it."""

    def __init__(self, network: Network, made: Callable[[], Design]) -> None:
        self._network, self._made = network, made

    @classmethod
    def of(cls, network: Network, lesson: Lesson) -> Self:
        """A folded network, which will be exported with the lesson's names."""
        subject = lesson.subject

        def made() -> Design:
            quantisation = network.input_quantisation(lesson.quantisation)  # where it was learned
            return export.export(network, quantisation, subject.outputs, subject.trigger, subject.heads)

        return cls(network, made)

    def design(self) -> Design:
        """The exported graph, with the types of its ports."""
        return self._design

    @cached_property
    def _design(self) -> Design:
        return self._made()

    def references(self) -> Mapping[str, Reference]:
        """Brevitas' own execution."""
        return {"Brevitas": lambda codes: export.brevitas_codes(self._network, self._design, codes)}

    def cost(self) -> float | None:
        """What the network counts, where it learned it."""
        return self._network.ebops()

    def files(self) -> Mapping[str, bytes]:
        """The parameters."""
        return {WEIGHTS: pack_parameters(self._network)}

    def tools(self) -> Mapping[str, str]:
        """PyTorch and Brevitas."""
        return {name: version(name) for name in ("torch", "brevitas")}
