"""Configurations that a study wants tried first: checked against its space, and put into the sampler's terms.

A seed is written like a trial's ``config.json``, the flow's settings as ``flow.NAME``. A sampler knows drawn
parameters, not configurations, so each is found by its name: ``width_2`` is entry 2 of ``width`` or ``widths``,
``weight_bits_head`` the last entry of ``weight_bits``, ``depth`` the number of ``widths``, and any other the entry of
that name. A family whose parameters are named otherwise has ``parameter(config, name)``. That the space gives exactly
the seed's configuration when those are drawn is checked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from codesign.core.errors import CodesignError, InputError
from codesign.core.space import Choice, Fixed, parse, plain
from codesign.core.validation import said_of
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.flows.settings import draw_settings, family_config, flow_settings, whole_config

__all__ = ("seed_parameters",)


def seed_parameters(
    seed: Mapping[str, Any], family: Family, space: BaseModel, flow: Flow, flow_space: BaseModel, where: str
) -> dict[str, Any]:
    """The drawn parameters of a seed; InputError says ``where`` one is that is not in the space, and why."""
    config = family.read(family_config(seed), where)
    try:
        settings = flow_settings(flow, seed)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    wanted = whole_config(config, settings)
    drawn: dict[str, Any] = {}

    def choose(name: str, dimension: Any) -> Any:
        value = wanted.get(name) if name.startswith("flow.") else family.parameter(wanted, name)
        _must_hold(dimension, value, f"{where}: {name}")
        if not isinstance(parse(dimension), Fixed):
            drawn[name] = value
        return value

    try:
        found = whole_config(family.suggest(space, choose), draw_settings(flow, flow_space, choose))
    except (KeyError, IndexError) as error:
        raise InputError(f"{where}: has no value for the parameter {error} of the family '{family.name}'") from None
    except CodesignError:
        raise
    except ValueError as error:  # pydantic's are ValueErrors
        raise InputError(f"{where}: {said_of(error)}") from None
    if found != wanted:
        wrong = next(key for key in (*wanted, *found) if wanted.get(key) != found.get(key))
        raise InputError(
            f"{where}: {wrong} is {wanted.get(wrong)}, but the study's space gives {found.get(wrong)}: change either"
        )
    return drawn


def _must_hold(dimension: Any, value: Any, where: str) -> None:
    dimension = parse(dimension)
    if isinstance(dimension, Fixed):
        holds = value == dimension.value
    elif isinstance(dimension, Choice):
        holds = value in dimension.values
    else:
        holds = isinstance(value, int | float) and dimension.low <= value <= dimension.high
        if holds and dimension.integer:
            holds = value == int(value)
        if holds and dimension.step:
            steps = (value - dimension.low) / dimension.step
            holds = math.isclose(steps, round(steps), abs_tol=1e-6)
    if not holds:
        raise InputError(
            f"{where} is {value!r}, which is not in the study's space, {plain(dimension)!r}: change either"
        )
