"""Where the inputs matter: how much worse a design is on the test split when one input is shuffled among events.

Of a block of items a field is shuffled in all items at once, and an item, or a row or column of an image, in all
fields: 32 constituents of three fields are 3 and 32 numbers, not 96.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.fixedpoint import Port
from codesign.core.records import InputImportance, Metric
from codesign.data.sample import Part
from codesign.study.definition import Study
from codesign.tasks.problem import Problem

__all__ = ("input_importance",)

_PIECES = 5
_MOST_EVENTS = 5000


def input_importance(
    study: Study, problem: Problem, design: Design, part: Part, points: dict[str, float], seed: int
) -> InputImportance | None:
    """Permutation importance of every feature, field and item for the study's first metric; None where it cannot be
    judged on a fifth.

    5,000 events of the split, or all where there are fewer, are dealt into five pieces, each class evenly. In each, an
    input is shuffled among the events, and the metric's loss against the piece as it is counts once: its mean over the
    pieces, and the error of that mean. The design's exact graph is evaluated, so that nothing depends on the flow.
    """
    from codesign.graph.exact import Exact
    from codesign.graph.reader import read_graph

    goal = next((o for o in study.objectives if o.fidelity is None), None)
    graph, rng = read_graph(design.onnx), np.random.default_rng(seed)
    pieces = _dealt(part, rng)
    if goal is None or min(map(len, pieces)) < 2:
        return None

    def value(codes: NDArray[np.int64], some: Part) -> float | None:
        scores = np.asarray(graph.run(design.inputs.values(codes), Exact()), dtype=np.float64)
        try:
            return problem.values(scores, some, points).get(goal.name)
        except (ArithmeticError, ValueError, IndexError):  # a task that cannot judge so few events
            return None

    sign = 1.0 if goal.direction == "maximise" else -1.0
    fields, items = _groups(design.inputs)
    groups = [*fields.values(), *items.values()]
    losses = np.empty((_PIECES, len(groups)))
    for row, piece in enumerate(pieces):
        some = part.taken(piece)
        codes = design.input_quantisation.codes(some.x)
        before = value(codes, some)
        for number, columns in enumerate(groups):
            shuffled = codes.copy()
            shuffled[:, columns] = codes[np.ix_(rng.permutation(len(codes)), columns)]
            after = value(shuffled, some)
            if before is None or after is None:
                return None
            losses[row, number] = sign * (before - after)
    errors = losses.std(axis=0, ddof=1) / np.sqrt(_PIECES)
    found = [
        Metric(value=float(loss), error=float(error)) for loss, error in zip(losses.mean(axis=0), errors, strict=True)
    ]
    return InputImportance(
        metric=goal.name,
        split="test",
        events=sum(map(len, pieces)),
        inputs=dict(zip(fields, found, strict=False)),
        items=dict(zip(items, found[len(fields) :], strict=True)),
    )


def _groups(port: Port) -> tuple[dict[str, NDArray[np.intp]], dict[str, NDArray[np.intp]]]:
    """Columns that are shuffled together: by field, and by item; of an image by row and by column."""
    fields: dict[str, NDArray[np.intp]] = {}
    items: dict[str, NDArray[np.intp]] = {}
    for block, place in port.places:
        columns = np.arange(place.start, place.stop).reshape(block.shape)
        axes = len(block.shape) - 1
        for number, field in enumerate(block.fields):
            fields[f"{block.name}.{field}" if axes else field] = columns[..., number].ravel()
        for axis in range(axes):
            for index in range(block.shape[axis]):
                name = ",".join(str(index) if other == axis else ":" for other in range(axes))
                items[f"{block.name}[{name}]"] = columns.take(index, axis=axis).ravel()
    return fields, items


def _dealt(part: Part, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Places of the events of each piece: a sample may be sorted by class, and a rare class must reach every piece."""
    order = rng.permutation(len(part))
    share = min(1.0, _MOST_EVENTS / max(1, len(part)))
    hands: list[list[int]] = [[] for _ in range(_PIECES)]
    for label in np.unique(part.y):
        mine = order[part.y[order] == label]
        for i, hand in enumerate(hands):
            hand.extend(mine[: round(share * len(mine))][i::_PIECES].tolist())
    return [np.sort(np.array(hand, dtype=np.intp)) for hand in hands]
