"""The pages of reference: every key of a study and of a record, and every public name, as the code has them."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import codesign
from codesign.cli.schemas import NAMES, STUDY, schema
from codesign.core.targets import Target

__all__ = ("PAGES",)

_Schema = Mapping[str, Any]
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "nothing",
    "object": "mapping",
    "array": "list",
}
_BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
_SIZES = {"minItems": "at least {} of them", "maxItems": "at most {} of them", "pattern": "of the form `{}`"}
_WRITTEN = "<!-- written by `make numbers` from the code: change it there -->"


def study_page() -> str:
    """Every key that a study may have."""
    words = (
        "A study is a YAML file ([how to write one](study.md)). These are all of its keys. `codesign schema study` "
        "prints the same as JSON Schema, with which an editor completes and checks what you write."
    )
    return _page("Reference: a study", words, "study", schema(STUDY))


def target_page() -> str:
    """Every key of a target's file."""
    words = "A target is an FPGA with a clock ([FPGAs and flows](fpga.md)), a YAML file with these keys."
    return _page("Reference: a target", words, "target", Target.model_json_schema())


def records_page() -> str:
    """Every key of every record."""
    parts = [
        "# Reference: records",
        _WRITTEN,
        "Run folders and bundles hold these JSON records. `codesign schema NAME` prints the JSON Schema of one.",
    ]
    for name in NAMES:
        parts += list(_sections(name, schema(name), 2))
    return "\n\n".join(parts) + "\n"


def python_page() -> str:
    """Every public name with its signature and what it says of itself."""
    parts = [
        "# Reference: Python",
        _WRITTEN,
        "What `codesign` exports. Everything else may change from one version to the next.",
    ]
    for name in codesign.__all__:
        made = getattr(codesign, name)
        parts += [f"## {name}", *_signed(name, made)]
        if inspect.isclass(made):
            parts += list(_members(made))
    return "\n\n".join(parts) + "\n"


def _page(title: str, words: str, name: str, found: _Schema) -> str:
    return "\n\n".join([f"# {title}", _WRITTEN, words, *_sections(name, found, 2)]) + "\n"


def _sections(name: str, found: _Schema, level: int) -> Iterator[str]:
    """A table of the keys of a schema, and one of each definition that it refers to."""
    yield f"{'#' * level} {name}"
    yield from _table(found)
    for title, inner in sorted(found.get("$defs", {}).items()):
        if "properties" in inner or "enum" in inner:
            yield f"{'#' * (level + 1)} {title}"
            yield from _table(inner, found)


def _table(found: _Schema, whole: _Schema | None = None) -> Iterator[str]:
    """The keys of ``found``, whose definitions are those of ``whole``."""
    definitions: Mapping[str, _Schema] = (whole or found).get("$defs", {})
    if said := found.get("description"):
        yield _flat(str(said))
    if "enum" in found:
        yield f"One of {_listed(found['enum'])}."
    properties: Mapping[str, _Schema] = found.get("properties", {})
    if not properties:
        return
    required = set(found.get("required", ()))
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, value in properties.items():
        default = "required" if key in required else _default(value)
        meaning = str(value.get("description", "")) or _sentence(value, definitions)
        rows.append(f"| `{key}` | {_cell(_type(value))} | {_cell(default)} | {_cell(meaning)} |")
    yield "\n".join(rows)


def _sentence(value: _Schema, definitions: Mapping[str, _Schema]) -> str:
    """What a key of another definition's kind means: the first sentence of what that one says of itself."""
    referred = [value, *value.get("anyOf", ()), *value.get("allOf", ())]
    names = [str(v["$ref"]).rsplit("/", 1)[-1].replace("%20", " ") for v in referred if "$ref" in v]
    said = str(definitions.get(names[0], {}).get("description", "")) if names else ""
    return _flat(said).split(". ")[0].rstrip(".")


def _default(value: _Schema) -> str:
    if "default" not in value or value["default"] is None:
        return ""
    shown = json.dumps(value["default"])
    return f"`{shown}`" if len(shown) <= 80 else "as shipped"


def _type(value: _Schema) -> str:
    """What a value may be, in words."""
    if "$ref" in value:
        return f"*{str(value['$ref']).rsplit('/', 1)[-1].replace('%20', ' ')}*"
    if "const" in value:
        return f"`{json.dumps(value['const'])}`"
    if "enum" in value:
        return f"one of {_listed(value['enum'])}"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in value:
            found = list(dict.fromkeys(_type(v) for v in value[several]))
            return " or ".join(v for v in found if v != "nothing") or "nothing"
    kind = value.get("type")
    words = " or ".join(_WORDS[k] for k in ([kind] if isinstance(kind, str) else kind or ())) or "anything"
    if kind == "array" and isinstance(value.get("items"), Mapping):
        words = f"list of {_type(value['items'])}"
    limits = [form.format(value[key]) for key, form in {**_BOUNDS, **_SIZES}.items() if key in value]
    return ", ".join([words, *limits])


def _listed(values: list[Any]) -> str:
    return ", ".join("`{}`".format(v if v != "" else '""') for v in values)


def _signed(name: str, made: Any) -> Iterator[str]:
    try:
        signature = str(inspect.signature(made))
    except (TypeError, ValueError):
        signature = ""
    if signature and not inspect.isabstract(made):
        yield f"```python\n{name}{_plain(signature)}\n```"
    yield _said(made)


def _members(made: type) -> Iterator[str]:
    """The public methods and properties that a class has of its own."""
    rows = []
    for name, member in vars(made).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or not (callable(function) and inspect.isroutine(function)):
            continue
        said = _said(function).split("\n\n")[0]
        must = " (to be given)" if getattr(member, "__isabstractmethod__", False) else ""
        shown = f"`{name}`" if isinstance(member, property) else f"`{name}{_plain(_parameters(function))}`"
        rows.append(f"| {_cell(shown)}{must} | {_cell(said)} |")
    if rows:
        yield "\n".join(["| member | what it is |", "|---|---|", *rows])


def _parameters(function: Any) -> str:
    return f"({', '.join(p for p in inspect.signature(function).parameters if p not in ('self', 'cls'))})"


def _said(made: Any) -> str:
    """The docstring, with names of Sphinx as code."""
    return re.sub(r":\w+:`~?\.*([^`]*)`", r"`\1`", inspect.cleandoc(made.__doc__ or ""))


def _plain(signature: str) -> str:
    """Without the quotes of types and the addresses of functions."""
    return re.sub(r"<function .*? at 0x[0-9a-f]+>", "...", signature.replace("'", ""))


def _flat(text: str) -> str:
    return re.sub(r":\w+:`~?\.*([^`]*)`", r"`\1`", " ".join(text.split()))


def _cell(text: str) -> str:
    return _flat(text).replace("|", "\\|")


#: each page by its name, and what makes it
PAGES: dict[str, Callable[[], str]] = {
    "reference_study.md": study_page,
    "reference_target.md": target_page,
    "reference_records.md": records_page,
    "reference_python.md": python_page,
}
