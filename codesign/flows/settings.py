"""A flow's settings: drawn with a candidate, recorded beside its configuration, and read back from there.

In ``config.json`` each setting stands as ``flow.NAME``, which is also its name in the search's storage: no family's own
parameter can have a dot. A setting that is None (the flow's own choice) is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from codesign.core.errors import InputError
from codesign.core.space import Choose
from codesign.core.targets import Target
from codesign.core.validation import validate
from codesign.families.base import Candidate
from codesign.flows.base import Flow

__all__ = (
    "draw_settings",
    "family_config",
    "flow_settings",
    "record_settings",
    "resolve_space",
    "settings_config",
    "stage_delay_for",
    "whole_config",
)

_PREFIX = "flow."


def resolve_space(flow: Flow, given: Mapping[str, Any], source: str) -> BaseModel:
    """What a study wrote beside the flow's name, as the flow's space; InputError names an unknown or wrong key."""
    space: BaseModel = validate(flow.space, dict(given), source)
    return space


def draw_settings(flow: Flow, space: BaseModel, choose: Choose) -> BaseModel:
    """Draw a candidate's settings; the parameters' names get the prefix ``flow.``."""
    settings: BaseModel = flow.suggest(space, lambda name, dimension: choose(_PREFIX + name, dimension))
    return settings


def stage_delay_for(target: Target, wanted: float | None) -> float:
    """Logic between two registers, in adders: the target's, or less where a setting wants it; InputError for more."""
    if wanted and wanted > target.stage_delay:
        raise InputError(
            f"stage_delay {wanted:g} puts more logic between two registers than {target.name} allows at its clock, "
            f"{target.stage_delay:g}: give at most that"
        )
    return wanted or target.stage_delay


def record_settings(settings: BaseModel) -> dict[str, Any]:
    """Settings as they are recorded: plain values, without those that are None."""
    return settings.model_dump(mode="json", exclude_none=True)


def family_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The family's part of a trial's ``config.json``: what has no dot."""
    return {key: value for key, value in config.items() if "." not in key}


def flow_settings(flow: Flow, config: Mapping[str, Any]) -> BaseModel:
    """The flow's part of a trial's ``config.json``, validated; without any, the flow's defaults."""
    found = {key.removeprefix(_PREFIX): value for key, value in config.items() if key.startswith(_PREFIX)}
    settings: BaseModel = validate(flow.settings, found, "config.json, settings of the flow")
    return settings


def whole_config(config: Candidate, settings: BaseModel) -> dict[str, Any]:
    """What ``config.json`` holds of a candidate: the family's configuration, and the flow's settings."""
    return config.record() | settings_config(settings)


def settings_config(settings: BaseModel) -> dict[str, Any]:
    """The flow's part of ``config.json`` alone, as of a design that no family made."""
    return {_PREFIX + k: v for k, v in record_settings(settings).items()}
