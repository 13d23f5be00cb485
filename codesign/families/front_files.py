"""The front of one training as files, and the network of it that a budget picks: each checkpoint is a candidate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from safetensors.torch import save
from torch import Tensor

from codesign.core.errors import RefusedError
from codesign.core.reading.json import json_of
from codesign.core.reading.tensor_file import tensors_of
from codesign.training.budget_front import Checkpoint

__all__ = ("front_files", "pick_within")

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


def pick_within(files: Mapping[str, bytes], budget: float) -> dict[str, Tensor]:
    """The parameters of the network with the best score that takes at most ``budget`` effective bit operations.

    RefusedError, with how far, where none is so small.
    """
    points = json_of(files[_POINTS], _POINTS)
    within = [n for n, point in enumerate(points) if point["ebops"] <= budget]
    if not within:
        least = f"the smallest that is kept takes {points[0]['ebops']:.0f}" if points else "none was kept"
        raise RefusedError(
            f"the training passed through no network of at most {budget:.0f} effective bit operations "
            f"({least}): give a higher beta_high, more epochs or a larger budget",
            excess=(points[0]["ebops"] - budget) / budget if points else 1.0,
        )
    best = max(within, key=lambda n: points[n]["score"])
    mark = f"{best}/"
    return {k.removeprefix(mark): v for k, v in tensors_of(files[_WEIGHTS], _WEIGHTS).items() if k.startswith(mark)}
