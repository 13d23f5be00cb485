"""The front of one training as files, and the network of it that a budget picks: each checkpoint is a candidate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from safetensors.torch import save

from codesign.core.errors import CodesignError
from codesign.core.reading.json import json_of
from codesign.core.reading.tensor_file import tensors_of
from codesign.families.learned.config import LearnedMLPConfig, MLPLearned
from codesign.families.learned.learned_front import Checkpoint
from codesign.training.lesson import Subject

if TYPE_CHECKING:
    from codesign.families.learned.network import LearnedMLP

__all__ = ("front_files", "pick")

_WEIGHTS, _POINTS = "front.safetensors", "front.json"


def front_files(found: Sequence[Checkpoint]) -> dict[str, bytes]:
    """A front as plain data: the weights of every folded network, and its EBOPs, score and epoch."""
    state = {
        f"{number}/{name}": tensor.contiguous()
        for number, checkpoint in enumerate(found)
        for name, tensor in checkpoint.network.state_dict().items()
    }
    points = [{"ebops": c.ebops, "score": c.score, "epoch": c.epoch} for c in found]
    return {_WEIGHTS: save(state), _POINTS: (json.dumps(points, indent=1) + "\n").encode()}


def pick(config: LearnedMLPConfig, files: Mapping[str, bytes], subject: Subject) -> LearnedMLP:
    """The network with the best score that takes at most ``config.budget``; CodesignError where none is so small."""
    assert config.budget is not None
    points = json_of(files[_POINTS], _POINTS)
    within = [n for n, point in enumerate(points) if point["ebops"] <= config.budget]
    if not within:
        least = f"the smallest that is kept takes {points[0]['ebops']:.0f}" if points else "none was kept"
        raise CodesignError(
            f"the training passed through no network of at most {config.budget:.0f} effective bit operations "
            f"({least}): give a higher beta_high, more epochs or a larger budget"
        )
    best = max(within, key=lambda n: points[n]["score"])
    network = MLPLearned().build(config, subject)
    mark = f"{best}/"
    network.load_state_dict(
        {k.removeprefix(mark): v for k, v in tensors_of(files[_WEIGHTS], _WEIGHTS).items() if k.startswith(mark)}
    )
    network.folded = True
    return network.eval()
