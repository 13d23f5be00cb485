"""The JSON schema of a whole study for editors: what every task, family and flow that is installed knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from codesign.core import plugins
from codesign.core.resources import available
from codesign.families.base import Family
from codesign.flows.base import Flow
from codesign.study.definition import Study
from codesign.tasks.base import Task
from codesign.tasks.losses import Loss
from codesign.tasks.teacher_contract import Teacher

__all__ = ("study_schema",)

_Schema = dict[str, Any]


def study_schema() -> _Schema:
    """JSON Schema (draft 2020-12) of a study's YAML.

    ``sample`` is that of the task, ``space`` that of the family, and settings of a flow are that flow's, each by what
    the study names. Nothing is in it that only data can tell: columns, classes, metrics.
    """
    made = Study.model_json_schema()
    definitions, properties = made["$defs"], made["properties"]
    spaces = {name: plugins.load(Family, name).space for name in plugins.names(Family)}
    samples = {name: plugins.load(Task, name).settings for name in plugins.names(Task)}
    flows = {name: plugins.load(Flow, name).space for name in plugins.names(Flow)}
    models = {f"space of {n}": m for n, m in spaces.items()}
    models |= {f"flow {n}": m for n, m in flows.items()}
    models |= {f"sample of {n}": m for n, m in samples.items() if m is not None}
    for title, model in models.items():
        definitions |= _definition(title, model)
    properties["task"] |= _names(samples)
    properties["family"] |= _names(spaces)
    properties["target"] = {
        "anyOf": [{"enum": available("targets")}, {"type": "string", "pattern": r"\.ya?ml$"}],
        "description": "a shipped target, or the file of one",
    }
    definitions["Training"]["properties"]["loss"] |= {"enum": ["", *plugins.names(Loss)]}
    definitions["TeacherChoice"]["properties"]["name"] |= _names(plugins.names(Teacher))
    flow = {"anyOf": [_names(flows), *({"allOf": [_ref(f"flow {name}")]} for name in flows)]}
    for name in flows:
        own = definitions[f"flow {name}"]
        own["properties"] = {"name": {"const": name, "description": "of the flow"}} | own.get("properties", {})
        own["required"] = ["name", *own.get("required", ())]
    properties["flow"] = flow | {"description": properties["flow"]["description"]}
    family = definitions["FamilyChoice"]
    family["required"] = ["name"]
    family["properties"]["name"] |= _names(spaces)
    family["properties"]["flow"] = flow | {"description": family["properties"]["flow"]["description"]}
    properties["families"]["items"] = {"anyOf": [_names(spaces), {"$ref": "#/$defs/FamilyChoice"}]}
    family["allOf"] = _by_name("name", "space", {n: f"space of {n}" for n in spaces})
    made["allOf"] = [
        *_by_name("task", "sample", {n: f"sample of {n}" for n, m in samples.items() if m is not None}),
        *_by_name("family", "space", {n: f"space of {n}" for n in spaces}),
        {
            "if": {"required": ["families"]},
            "then": {"properties": {"space": {"properties": {n: _ref(f"space of {n}") for n in spaces}}}},
        },
    ]
    made["oneOf"] = [{"required": ["family"]}, {"required": ["families"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "study"}


def _names(known: Iterable[str]) -> _Schema:
    return {"type": "string", "enum": sorted(known)}


def _ref(title: str) -> _Schema:
    return {"$ref": f"#/$defs/{title.replace(' ', '%20')}"}


def _by_name(key: str, section: str, titles: Mapping[str, str]) -> list[_Schema]:
    """Where ``key`` has a name, ``section`` is what that name knows."""
    return [
        {
            "if": {"properties": {key: {"const": name}}, "required": [key]},
            "then": {"properties": {section: _ref(title)}},
        }
        for name, title in titles.items()
    ]


def _definition(title: str, model: type[BaseModel]) -> dict[str, _Schema]:
    """A model's schema under its title, and whatever it refers to under names of its own."""
    made = model.model_json_schema(ref_template=f"#/$defs/{title.replace(' ', '%20')}.{{model}}")
    inner = {f"{title}.{name}": one for name, one in made.pop("$defs", {}).items()}
    return {title: made} | inner
