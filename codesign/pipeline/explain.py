"""Why single events were kept, or decided so: Shapley's values of an event's inputs, in the firmware's own integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from codesign.core.design import Design
from codesign.core.fixedpoint import Port
from codesign.core.records import Explained, Explanations, Metric
from codesign.data.sample import Part

__all__ = ("explain", "shapley")

_BACKGROUND = 200

Codes = NDArray[np.int64]
Score = Callable[[Codes], NDArray[np.float64]]


def shapley(
    score: Score,
    event: Codes,
    background: Codes,
    rng: np.random.Generator,
    groups: NDArray[np.intp] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Shapley's value of each input of ``event`` (n,), its error, and the mean score of ``background`` (2 p, n), p > 1.

    With ``groups`` (n,), which of g groups each input is of, of each group: its inputs come and go together.

    In a random order, the event's inputs replace one after another those of a background event, and each is given the
    change of the score; of two background events, one takes the reverse order, which cancels much of the scatter
    (Mitchell et al. 2022, JMLR 23, 43). Each background event is used once, so that the mean score and all values add
    up to the score of the event.
    """
    groups = np.arange(len(event)) if groups is None else groups
    n, b = int(groups.max()) + 1, len(background)
    if b < 4 or b % 2:
        raise ValueError(f"an even number of background events from 4 on is needed, not {b}")
    orders = np.array([rng.permutation(n) for _ in range(b // 2)])
    orders = np.stack([orders, orders[:, ::-1]], axis=1).reshape(b, n)
    rank = np.argsort(orders, axis=1)
    # row s of a background event: the inputs that come before s in its order are the event's
    replaced = rank[:, None, :] < np.arange(n + 1)[None, :, None]
    mixed = np.where(replaced[:, :, groups], event, background[:, None, :])
    steps = np.diff(score(mixed.reshape(-1, len(event))).reshape(b, n + 1), axis=1)
    changes = np.take_along_axis(steps, rank, axis=1)
    pairs = changes.reshape(b // 2, 2, n).mean(axis=1)
    return pairs.mean(axis=0), pairs.std(axis=0, ddof=1) / np.sqrt(b // 2), float(score(background).mean())


def explain(design: Design, part: Part, threshold: float | None, seed: int) -> Explanations | None:
    """Explain a few events of the test split, feature by feature and item by item, of an image row by row; None of a
    split too small for a background.

    Of a design that triggers, events that reach ``threshold`` (the output's value) are explained, and the first that
    does not; of one that classifies, one event for each class that it chooses, with the margin to the class that comes
    second; of any other, those whose first output is lowest, in the middle and highest. The design's exact graph is
    evaluated, so that nothing depends on the flow.
    """
    from codesign.graph.exact import Exact
    from codesign.graph.reader import read_graph

    graph, rng = read_graph(design.onnx), np.random.default_rng(seed)
    codes = design.input_quantisation.codes(part.x)
    if len(codes) < 10:
        return None

    def outputs(some: Codes) -> NDArray[np.float64]:
        return np.asarray(graph.run(design.inputs.values(some), Exact()), dtype=np.float64)

    scores = outputs(codes)
    background = codes[np.sort(rng.permutation(len(codes))[: min(_BACKGROUND, len(codes) // 2 * 2)])]
    labels = design.outputs.labels
    names, groups = _groups(design.inputs)
    events = []
    for place, why, first, second in _choose(design, part, scores, threshold):

        def score(some: Codes, first: int = first, second: int | None = second) -> NDArray[np.float64]:
            found = outputs(some)
            return found[:, first] - found[:, second] if second is not None else found[:, first]

        values, errors, base = shapley(score, codes[place], background, rng, groups)
        events.append(
            Explained(
                place=place,
                why=why,
                label=part.class_names[part.y[place]] if part.class_names else "",
                output=labels[first],
                against=labels[second] if second is not None else None,
                score=float(score(codes[place : place + 1])[0]),
                base=base,
                threshold=threshold if design.trigger is not None else None,
                values=dict(zip(design.inputs.labels, map(float, part.x[place]), strict=True)),
                codes=dict(zip(design.inputs.labels, map(int, codes[place]), strict=True)),
                shares={
                    name: Metric(value=float(v), error=float(e))
                    for name, v, e in zip(names, values, errors, strict=True)
                },
            )
        )
    return Explanations(split="test", background=len(background), events=events) if events else None


def _groups(port: Port) -> tuple[list[str], NDArray[np.intp]]:
    """What is explained as one: features by themselves, items with all their fields, of an image a row; and which of
    these each element of the port belongs to."""
    names: list[str] = []
    places = []
    for block in port.blocks:
        start, first = len(names), block.shape[0]
        more = "".join(",:" for _ in block.shape[2:])
        names += block.fields if len(block.shape) == 1 else [f"{block.name}[{i}{more}]" for i in range(first)]
        places.append(np.repeat(np.arange(start, start + first), block.size // first))
    return names, np.concatenate(places)


def _choose(
    design: Design, part: Part, scores: NDArray[np.float64], threshold: float | None
) -> list[tuple[int, str, int, int | None]]:
    """(place, why it is shown, the output that decided, the one that came second) of a few events."""
    trigger, labels = design.trigger_index, design.outputs.labels
    classes = [i for i, label in enumerate(labels) if label in part.class_names]
    found: list[tuple[int, str, int, int | None]] = []
    if trigger is not None and threshold is not None:
        order = np.argsort(scores[:, trigger], kind="stable")
        kept = order[scores[order, trigger] >= threshold]
        missed = order[scores[order, trigger] < threshold]
        if len(kept):
            found = [
                (int(kept[-1]), "kept, with the highest score", trigger, None),
                (int(kept[len(kept) // 2]), "kept, with the median score of those kept", trigger, None),
                (int(kept[0]), "kept, with the lowest score", trigger, None),
            ]
        if len(missed):
            found.append((int(missed[-1]), "not kept, with the highest score of those", trigger, None))
    elif len(classes) > 1:
        picked = np.array(classes)[np.argsort(scores[:, classes], axis=1, kind="stable")]
        margin = (
            np.take_along_axis(scores, picked[:, -1:], 1)[:, 0] - np.take_along_axis(scores, picked[:, -2:-1], 1)[:, 0]
        )
        for output in classes:
            mine = np.flatnonzero(picked[:, -1] == output)
            if len(mine):  # a typical one, not the clearest: half of those chosen so have a larger margin
                place = int(mine[np.argsort(margin[mine], kind="stable")[len(mine) // 2]])
                found.append(
                    (place, f"taken for {labels[output]}, with a typical margin", output, int(picked[place, -2]))
                )
    else:
        order = np.argsort(scores[:, 0], kind="stable")
        for place, which in ((order[0], "lowest"), (order[len(order) // 2], "median"), (order[-1], "highest")):
            found.append((int(place), f"the {which} {labels[0]}", 0, None))
    unique: dict[int, tuple[int, str, int, int | None]] = {}
    for chosen in found:
        unique.setdefault(chosen[0], chosen)
    return list(unique.values())
