"""Families of torch networks: their author writes the network, and everything from training to the design is here.

Nothing of torch is imported before it is needed: a search's driver knows its family, and trains nothing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from codesign.core.design import Design
from codesign.families.base import Candidate, Family
from codesign.families.trained import WEIGHTS, Trained
from codesign.tasks.heads import OBJECTIVES
from codesign.training.lesson import Budget, Lesson, Progress, Subject, quiet

if TYPE_CHECKING:
    from codesign.training.network import Network

__all__ = ("TorchFamily",)


class TorchFamily(Family):
    """A family whose networks are torch modules, trained by :func:`codesign.training.loop.train`, exported by Brevitas.

    Write :meth:`suggest` and :meth:`build`; the rest may stay as it is.
    """

    tools: ClassVar[Mapping[str, str]] = MappingProxyType(
        {name: name for name in ("torch", "brevitas", "qonnx", "onnx", "onnxoptimizer", "onnxruntime", "numba")}
    )

    #: whether its networks' own ``objective`` reproduces the inputs, whatever their outputs are
    reproduces: ClassVar[bool] = False

    @abstractmethod
    def build(self, config: Candidate, subject: Subject) -> Network:
        """Build the untrained network, of the subject's inputs and outputs: values, (events, n) to (events, m).

        A network of ``subject.blocks`` names their shapes; it gives one tensor, or one for each of ``subject.heads``.
        Of a model that is opened again (:meth:`load`) no objectives are known.
        """

    def can(self, subject: Subject) -> str | None:
        """Objectives that have a name, and the task's own function; inputs are reproduced by as many outputs."""
        for head in subject.heads:
            objective, outputs, inputs = head.objective, len(head.outputs), len(subject.inputs)
            if objective.name not in OBJECTIVES:
                return f"the objective '{objective.name}' has no function of torch"
            if objective.name == "reconstruction" and not self.reproduces and outputs != inputs:
                return f"its {outputs} outputs do not reproduce {inputs} inputs, as the head '{head.name}' wants"
        return None

    def heeds(self, candidate: Candidate) -> frozenset[str]:
        """All of them; what reproduces its inputs has no outputs that could know a quantity."""
        own = {"optimiser", "schedule", "weight_decay", "patience"}
        return frozenset(own if self.reproduces else own | {"decorrelate"})

    def prepare(self, threads: int) -> None:
        """Load torch, and let it use so many threads."""
        import torch

        # beyond the environment's OMP_NUM_THREADS, which torch obeys only where it was built with OpenMP
        torch.set_num_threads(threads)

    def fit(
        self,
        candidate: Candidate,
        lesson: Lesson,
        budget: Budget,
        seed: int,
        device: str = "cpu",
        progress: Progress = quiet,
    ) -> Mapping[str, bytes]:
        """Train one network in its one course, with what :meth:`Candidate.pruned` says pruned; its parameters."""
        from codesign.families.torch_trained import fit_network

        return fit_network(self.build, candidate, lesson, budget, seed, device, progress)

    def pick(self, files: Mapping[str, bytes], candidate: Candidate, lesson: Lesson) -> Trained:
        """The network of these parameters, its inputs as it learned them."""
        from codesign.families.torch_trained import ExportedNetwork, FittedFiles, fill

        if isinstance(files, FittedFiles):  # trained a moment ago: the network need not be built again
            network = files.network
        else:
            network = fill(self.build(candidate, lesson.subject), files[WEIGHTS])
        return ExportedNetwork.of(network, lesson)

    def load(self, files: Mapping[str, bytes], candidate: Candidate, design: Design) -> Trained:
        """The network of a design, from its parameters."""
        from codesign.families.torch_trained import ExportedNetwork, fill

        network = self.build(candidate, Subject.of_design(design))
        return ExportedNetwork(fill(network, files[WEIGHTS]), lambda: design)
