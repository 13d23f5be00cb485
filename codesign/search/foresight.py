"""What can be known of a search before any work is done: values that no candidate can have, tools and events that lack.

What makes the whole search pointless is refused. What only keeps its front from being proven is said, and the search
goes on: a tool that is installed later proves it.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from codesign.core.errors import CodesignError, KeyedError, ToolError
from codesign.core.space import Choice, Fixed, Range, parse
from codesign.core.validation import said_of
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.flows.settings import draw_settings
from codesign.pipeline.doctor import diagnose
from codesign.pipeline.lacking import is_here
from codesign.study.definition import Study
from codesign.tasks.problem import Problem

__all__ = ("expected_splits", "must_have_tools", "must_hold_candidates", "too_few_events")

#: without one of these, or of what its family trains with, no candidate is trained and exported
_TRAINING = ("qonnx", "onnx", "onnxruntime")
#: modules by whose name a tool is found, where it has another
_MODULES = {"yosys": "pyosys"}

_DRAWS, _TRIES, _MOST_DRAWS = 200, 60, 10_000


# --------------------------------------------------------------------------------------------------------------- events
def expected_splits(study: Study, problem: Problem) -> dict[str, int] | None:
    """Events of each split, at most, where the task knows them before it makes the sample."""
    events = problem.most_events()
    if events is None:
        return None
    return {name: int(share * events + 0.5) for name, share in study.splits.model_dump().items()}


def too_few_events(study: Study, splits: Mapping[str, int]) -> Iterator[str]:
    """Which proofs the events of the splits (those that are known, or at most so many) are too few for."""
    wanted = study.verification
    if (test := splits.get("test")) is not None and test < wanted.rtl_events:
        yield (
            f"the test split has {test} events, and verification.rtl_events wants {wanted.rtl_events} simulated: no "
            "candidate can be proven, and the search will end without a proven front; with these splits the sample "
            f"needs at least {math.ceil(wanted.rtl_events / study.splits.test - 1e-9)} events"
        )
    if (gate := splits.get("validation", math.inf) + splits.get("train", math.inf)) < wanted.gate_events:
        yield (
            f"validation and training split have {gate} events together, fewer than the {wanted.gate_events} of "
            "verification.gate_events: every candidate is compared on those only"
        )


# ---------------------------------------------------------------------------------------------------------------- tools
def must_have_tools(study: Study, family: Family, flow: Flow) -> Iterator[str]:
    """Say what a missing tool costs; ToolError where no candidate could be made, or a rung could not be measured."""
    if lacks := [name for name in dict.fromkeys((*family.tools, *_TRAINING)) if not is_here(name)]:
        raise ToolError(f"no candidate can be trained and exported here: missing {_and_how(lacks)}")
    if lacks := [name for name in flow.synthesis_tools if not is_here(_MODULES.get(name, name))]:
        if study.search.ladder is not None and study.search.ladder.measured:
            raise ToolError(f"search.ladder.measured cannot be measured here: missing {_and_how(lacks)}")
        yield f"the front gets no synthesised figures here: missing {_and_how(lacks)}"
    if lacks := [name for name in flow.simulation_tools if not is_here(name)]:
        yield (
            f"the front cannot be proven here: missing {_and_how(lacks)}; the search will end without a proven front, "
            "and the same command proves it once they are here"
        )


def _and_how(names: Iterable[str]) -> str:
    ways = {check.name: check.how_to_get for check in diagnose()}
    return "; ".join(f"{name} ({ways.get(name, f'pip install {name}')})" for name in names)


# ---------------------------------------------------------------------------------------------------------------- space
def must_hold_candidates(
    family: Family, space: BaseModel, flow: Flow, flow_space: BaseModel, source: str, training: Iterable[str] = ()
) -> None:
    """See that a space holds valid candidates, and that each value of a choice and each end of a range is
    one that some candidate can have; InputError names a value that none can, and why. ``training``: settings that the
    study makes of training, which a candidate's shall go by."""
    dice = random.Random(0)  # noqa: S311, always the same
    where, asked = f"{source}, section 'space'", set(training)
    known: dict[str, list[Any]] = {}
    reasons: Counter[str] = Counter()
    seen: set[tuple[str, str]] = set()
    drawn = 0

    def draw(fixed: Mapping[str, Any]) -> str | None:
        """Draw once; why what was drawn is no candidate, None where it is one."""
        nonlocal drawn
        drawn += 1
        taken: dict[str, Any] = {}

        def choose(name: str, dimension: Any) -> Any:
            values = parse(dimension)
            if not isinstance(values, Fixed):
                known.setdefault(name, _list(values))
            taken[name] = fixed[name] if name in fixed else _random(values, dice)
            return taken[name]

        try:
            candidate = family.suggest(space, choose)
            if asked and (deaf := sorted(asked - family.heeds(candidate))):
                return f"training.{deaf[0]} is set, and the training of '{family.name}' does not go by it: leave it out"
            draw_settings(flow, flow_space, choose)
        except (CodesignError, ValueError) as error:
            return said_of(error)
        seen.update((name, repr(value)) for name, value in taken.items())
        return None

    for _ in range(_DRAWS):
        if (reason := draw({})) is not None:
            reasons[reason] += 1
    if sum(reasons.values()) == _DRAWS:
        reason = reasons.most_common(1)[0][0]
        field = next((f for f in type(space).model_fields if reason.startswith(f"'{f}")), None)
        raise KeyedError(where, f"it holds no valid candidate: {reason}", () if field is None else (field,))
    # what the reasons name comes first: another is only not possible with it
    for name, values in sorted(known.items(), key=lambda one: not any(r.startswith(f"'{one[0]}") for r in reasons)):
        for value in values:
            if (name, repr(value)) in seen:
                continue
            reason = None
            for _ in range(_TRIES):
                if drawn >= _MOST_DRAWS or (reason := draw({name: value})) is None:
                    break
            if reason is not None and (name, repr(value)) not in seen and drawn < _MOST_DRAWS:
                field = max((f for f in type(space).model_fields if name.startswith(f)), key=len, default=None)
                said = f"no candidate can have {name} {value!r}: {reason}"
                raise KeyedError(where, said, () if field is None else (field,))


def _list(values: Choice | Range) -> list[Any]:
    """The values that a study names, and that can be drawn."""
    if isinstance(values, Choice):
        return list(values.values)
    return [int(values.low), int(values.high)] if values.integer else [values.low, values.high]


def _random(values: Fixed | Choice | Range, dice: random.Random) -> Any:
    if isinstance(values, Fixed):
        return values.value
    if isinstance(values, Choice):
        return dice.choice(values.values)
    if values.integer:
        return dice.randrange(int(values.low), int(values.high) + 1, int(values.step or 1))
    if values.step is not None:
        return values.low + values.step * dice.randrange(round((values.high - values.low) / values.step) + 1)
    if values.log:
        return math.exp(dice.uniform(math.log(values.low), math.log(values.high)))
    return dice.uniform(values.low, values.high)
