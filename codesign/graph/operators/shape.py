"""Structure: where elements stand. Nothing here may move an event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from codesign.graph.nodes import Call, Known, operator, places
from codesign.graph.tensors import tensor_of

__all__ = ("EVENTS", "channels_last", "reshape")

#: the number of events where a file computes with it: known to no graph, and to no other number equal
EVENTS = (1 << 40) + 15


def reshape(call: Call[Any], x: Any, shape: tuple[int, ...]) -> Any:
    """``x`` with the lengths ``shape``, the first axis included where there are no events."""
    if call.folding:
        return np.asarray(x).reshape(shape)
    return call.domain.reshape(x, shape[1:])


def channels_last(call: Call[Any], function: Callable[[Any], Any]) -> Any:
    """A function of a signal (events, channels, ...) of one (events, ..., channels), and its result turned back."""
    x = call.signal(0)
    rank = len(x.shape)
    if rank < 3:
        raise call.refuse(f"{call.node.op} of a signal with {rank} axes; (events, ..., channels) is needed")
    found = function(call.domain.transpose(x, (0, rank - 1, *range(1, rank - 1))))
    return call.domain.transpose(found, (0, *range(2, rank), 1))


#: elements that a node may make
_MOST = 1 << 24


def _require_small(call: Call[Any], lengths: Iterable[int]) -> None:
    """Refuse what would be huge: it depends on the number of events, or is damaged."""
    if abs(prod(lengths)) > _MOST:
        raise call.refuse(f"{call.node.op} to {list(lengths)}, which is huge, or depends on the number of events")


@operator("Shape")
def _shape(call: Call[Any]) -> Any:
    lengths = [float(n) for n in call.value(0).shape]
    if not call.folding:
        lengths[0] = float(EVENTS)
    start, end = int(call.attribute("start", 0)), call.attribute("end")
    return Known(np.array(lengths[start : None if end is None else int(end)]))


@operator("Size")
def _size(call: Call[Any]) -> Any:
    return Known(np.array(float(prod(call.value(0).shape[1:]) * (call.value(0).shape[0] if call.folding else EVENTS))))


@operator("ConstantOfShape")
def _constant_of_shape(call: Call[Any]) -> Any:
    shape = call.whole(0, "the shape")
    _require_small(call, shape)
    value = call.attribute("value")
    return Known(np.full(shape, 0.0 if value is None else float(tensor_of(value, call.node.name).values.ravel()[0])))


@operator("Reshape")
def _reshape(call: Call[Any]) -> Any:
    x = call.value(0)
    old = tuple(x.shape)
    target = call.whole(1, "the shape")
    if not call.attribute("allowzero", 0):
        if any(v == 0 and i >= len(old) for i, v in enumerate(target)):
            raise call.refuse(f"Reshape of {len(old)} axes to {target}: no axis to copy a 0 from")
        target = [old[i] if v == 0 and (i or call.folding) else v for i, v in enumerate(target)]
    if call.folding:
        return _fold(call, x, target)
    wrong = call.refuse(f"Reshape of {old[1:]} to {target} would mix events")
    if not target:
        raise wrong
    size, rest = prod(old[1:]), target[1:]
    first = 0 if target[0] in (0, EVENTS) else target[0]
    if rest.count(-1) == 1 and first in (0, 1, call.batch):
        known = prod(v for v in rest if v != -1)
        if not known or size % known:
            raise wrong
        rest[rest.index(-1)] = size // known
    # the first axis holds the events: as many as come (0, -1), or as the graph was exported with
    if min(rest, default=1) < 0 or prod(rest) != size or (first > 0 and call.batch not in (None, first)):
        raise wrong
    return call.domain.reshape(x, tuple(rest))


def _fold(call: Call[Any], x: Any, target: list[int]) -> Any:
    try:
        return np.asarray(x).reshape(target)
    except ValueError:
        raise call.refuse(f"Reshape of {tuple(x.shape)} to {target} does not fit") from None


@operator("Flatten")
def _flatten(call: Call[Any]) -> Any:
    x = call.value(0)
    rank, axis = len(x.shape), int(call.attribute("axis", 1))
    if not -rank <= axis <= rank:
        raise call.refuse(f"Flatten along axis {axis} of a signal with {rank} axes")
    axis += rank if axis < 0 else 0
    if axis != 1 and not call.folding:
        raise call.refuse(f"Flatten along axis {axis} would mix events")
    return reshape(call, x, (prod(x.shape[:axis]), prod(x.shape[axis:])))


@operator("Transpose")
def _transpose(call: Call[Any]) -> Any:
    x = call.value(0)
    rank = len(x.shape)
    order = tuple(int(v) for v in call.attribute("perm", range(rank)[::-1]))
    if sorted(order) != list(range(rank)):
        raise call.refuse(f"Transpose of {rank} axes with order {order}")
    if order and order[0] != 0 and not call.folding:
        raise call.refuse(f"Transpose with order {order} would mix events")
    return call.domain.transpose(x, order)


@operator("Concat")
def _concat(call: Call[Any]) -> Any:
    values = [call.value(i) for i in range(len(call.operands))]
    rank = len(values[0].shape)
    axis = call.axis(int(call.attribute("axis", 0)), rank)
    for index, value in enumerate(values):
        rest = [n for i, n in enumerate(value.shape) if i != axis and (i or call.folding)]
        expected = [n for i, n in enumerate(values[0].shape) if i != axis and (i or call.folding)]
        if len(value.shape) != rank or rest != expected:
            raise call.refuse(f"Concat of shapes {[tuple(v.shape) for v in values]} along axis {axis} does not fit")
        if not call.folding and call.is_constant(index) and value.shape[0] != 1:
            raise call.refuse(f"constant '{call.operand(index).name}' has {value.shape[0]} rows where events are")
    if len(values) == 1:
        return values[0]
    return call.domain.concat(values, axis)


@operator("Gather")
def _gather(call: Call[Any]) -> Any:
    x = call.value(0)
    axis = call.axis(int(call.attribute("axis", 0)), len(x.shape))
    wanted = call.constant(1, "the indices")
    length = x.shape[axis]
    if not np.array_equal(wanted, np.rint(wanted)) or ((wanted < -length) | (wanted >= length)).any():
        raise call.refuse(f"Gather of {wanted.ravel()[:8].tolist()} from an axis of length {length}")
    indices = wanted.astype(np.int64) % max(1, length)
    if indices.ndim:
        return call.domain.take(x, indices, axis)
    one = call.domain.take(x, indices[None], axis)
    return reshape(call, one, tuple(n for i, n in enumerate(one.shape) if i != axis))


@operator("Slice")
def _slice(call: Call[Any]) -> Any:
    x = call.value(0)
    rank = len(x.shape)
    if call.given(1):
        starts, ends = call.whole(1, "the starts"), call.whole(2, "the ends")
        axes = call.whole(3, "the axes") if call.given(3) else list(range(len(starts)))
        steps = call.whole(4, "the steps") if call.given(4) else [1] * len(starts)
    else:  # up to opset 9
        starts, ends = list(call.attribute("starts", [])), list(call.attribute("ends", []))
        axes, steps = list(call.attribute("axes", range(len(starts)))), [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise call.refuse("Slice whose starts, ends, axes and steps do not fit together")
    for start, end, given, step in zip(starts, ends, axes, steps, strict=True):
        if given in (0, -rank) and not call.folding and (start, step) == (0, 1) and end >= 1 << 30:
            continue  # all events
        axis = call.axis(given, rank)
        kept = range(x.shape[axis])[slice(start, end if end > -(1 << 60) else None, step)]
        if not len(kept):
            raise call.refuse(f"Slice leaves nothing of axis {axis}")
        if list(kept) != list(range(x.shape[axis])):
            x = call.domain.take(x, places(kept), axis)
    return x


@operator("Split")
def _split(call: Call[Any]) -> Any:
    x = call.value(0)
    axis = call.axis(int(call.attribute("axis", 0)), len(x.shape))
    length, parts = x.shape[axis], len(call.node.outputs)
    if call.given(1):
        sizes = call.whole(1, "the lengths")
    elif call.attribute("split") is not None:
        sizes = [int(v) for v in call.attribute("split")]
    else:
        size = -(-length // parts)
        sizes = [max(0, min(size, length - i * size)) for i in range(parts)]
    if len(sizes) != parts or sum(sizes) != length or min(sizes) < 1:
        raise call.refuse(f"Split of an axis of length {length} into {sizes}")
    ends = np.cumsum([0, *sizes])
    return tuple(call.domain.take(x, np.arange(a, b), axis) for a, b in pairwise(ends))


def _axes(call: Call[Any]) -> list[int] | None:
    """The axes of Squeeze and Unsqueeze: an attribute up to opset 12, an input since."""
    if call.given(1):
        return call.whole(1, "the axes")
    given = call.attribute("axes")
    return None if given is None else [int(v) for v in given]


@operator("Squeeze")
def _squeeze(call: Call[Any]) -> Any:
    x = call.value(0)
    axes = _axes(call)
    if axes is None:
        axes = [i for i, n in enumerate(x.shape) if n == 1 and (i or call.folding)]
    gone = call.axes(axes, len(x.shape))
    if any(x.shape[i] != 1 for i in gone):
        raise call.refuse(f"Squeeze of axes {axes} of shape {tuple(x.shape)}, which are longer than 1")
    return reshape(call, x, tuple(n for i, n in enumerate(x.shape) if i not in gone))


@operator("Unsqueeze")
def _unsqueeze(call: Call[Any]) -> Any:
    x = call.value(0)
    axes = _axes(call)
    if axes is None:
        raise call.refuse("Unsqueeze without axes")
    rank = len(x.shape) + len(axes)
    new = call.axes(axes, rank)
    lengths = iter(x.shape)
    return reshape(call, x, tuple(1 if i in new else next(lengths) for i in range(rank)))


@operator("Expand")
def _expand(call: Call[Any]) -> Any:
    x = call.value(0)
    wanted = call.whole(1, "the shape")
    if call.folding:
        _require_small(call, wanted)
        try:
            return np.asarray(x) * np.ones(wanted)
        except ValueError:
            raise call.refuse(f"Expand of {tuple(x.shape)} to {wanted} does not fit") from None
    rank = len(x.shape)
    _require_small(call, wanted[1:] if len(wanted) == rank else wanted)
    if len(wanted) > rank:
        raise call.refuse(f"Expand of {rank} axes to {wanted} would mix events")
    if len(wanted) == rank and wanted[0] not in (1, EVENTS, call.batch):
        raise call.refuse(f"Expand to {wanted} would repeat events")
    for axis, length in zip(range(rank - len(wanted), rank), wanted, strict=True):
        if axis and length != 1 and x.shape[axis] == 1:
            x = call.domain.take(x, np.zeros(length, dtype=np.int64), axis)
        elif axis and length not in (1, x.shape[axis]):
            raise call.refuse(f"Expand of shape {tuple(x.shape)} to {wanted} does not fit")
    return x


@operator("Tile")
def _tile(call: Call[Any]) -> Any:
    x = call.value(0)
    repeats = call.whole(1, "the repeats")
    if len(repeats) != len(x.shape) or min(repeats, default=1) < 1:
        raise call.refuse(f"Tile of {len(x.shape)} axes by {repeats}")
    _require_small(call, repeats)
    if repeats and repeats[0] != 1 and not call.folding:
        raise call.refuse(f"Tile by {repeats} would repeat events")
    for axis, number in enumerate(repeats):
        if number != 1:
            x = call.domain.take(x, np.tile(np.arange(x.shape[axis]), number), axis)
    return x


@operator("Pad")
def _pad(call: Call[Any]) -> Any:
    x = call.value(0)
    rank = len(x.shape)
    pads = call.whole(1, "the pads") if call.given(1) else [int(v) for v in call.attribute("pads", [])]
    axes = call.axes(call.whole(3, "the axes"), rank) if call.given(3) else list(range(rank))
    mode = str(call.attribute("mode", "constant"))
    _require_small(call, [1 + sum(map(abs, pads))])
    if len(pads) != 2 * len(axes):
        raise call.refuse(f"Pad of {len(axes)} axes by {pads}")
    value = float(call.constant(2, "the value").ravel()[0]) if call.given(2) else float(call.attribute("value", 0.0))
    for place, axis in enumerate(axes):
        before, after = pads[place], pads[place + len(axes)]
        if not before and not after:
            continue
        if axis == 0 and not call.folding:
            raise call.refuse("Pad along axis 0 would add events")
        length = x.shape[axis]
        if before < 0 or after < 0:
            raise call.refuse("Pad by less than nothing; use Slice")
        if mode == "constant":
            parts = [
                np.full([n if i != axis else more for i, n in _static(call, x)], value) for more in (before, after)
            ]
            x = call.domain.concat([p for p in (parts[0], x, parts[1]) if p.shape[axis]], axis)
        else:
            kinds = {"edge": "edge", "reflect": "reflect", "wrap": "wrap"}
            if mode not in kinds or (mode == "reflect" and max(before, after) >= length):
                raise call.refuse(f"Pad in mode '{mode}' by {before} and {after} of length {length}")
            where = np.pad(np.arange(length), (before, after), mode=kinds[mode])  # type: ignore[call-overload]
            x = call.domain.take(x, where, axis)
    return x


def _static(call: Call[Any], x: Any) -> list[tuple[int, int]]:
    """Axes and their lengths, one event where there are events."""
    return [(i, 1 if i == 0 and not call.folding else n) for i, n in enumerate(x.shape)]
