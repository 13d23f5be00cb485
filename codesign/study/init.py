"""A first study for a user's own file: looked at, matched with a task, and written with comments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from codesign.core import resources
from codesign.core.errors import InputError
from codesign.core.quoting import line, yaml_string, yaml_word
from codesign.core.runfolder import write_atomically
from codesign.study.definition import parse_study

__all__ = ("write_study",)


def write_study(file: Path, output: Path | None = None, target: str | None = None) -> Path:
    """Write a study for a table of jets or a file of events, by default ``<file's name>.yaml``; never over another.

    The shipped study of the task that fits is the pattern: its space and budgets are a start, not a recommendation.
    InputError where the file cannot be read, or no shipped task fits what it holds.
    """
    from codesign.core.targets import load_target
    from codesign.data.files import describe

    name = re.sub(r"[^a-z0-9._-]+", "-", Path(file).stem.lower()).strip("-._") or "study"
    path = output or Path(f"{name}.yaml")
    if path.exists():
        raise InputError(f"{path} is there already: give another name with -o, or remove it")
    facts = describe(file)
    pattern, changes = _matched(file, facts)
    changes |= {"name": name, "description": yaml_string(f"Found by codesign init in {Path(file).name}")}
    if target is not None:
        load_target(target)  # an unknown one is named now, not when the search begins
        changes["target"] = yaml_word(target)
    text = resources.locate("search", pattern).read_text(encoding="utf-8")
    text = re.sub(r"\A(#.*\n)*", "", text)
    for key, value in changes.items():
        text = _replaced(text, key, value)
    text = "".join(f"# {line}\n" for line in [*_seen(file, facts), "", *_ADVICE]).replace("# \n", "#\n") + text
    parse_study(text, str(path))
    write_atomically(path, text.encode())
    return path


_ADVICE = (
    "Run it with: codesign run THIS_FILE --trials 8    (then more: it goes on where it was)",
    "What to change first: constraints (your budgets), target (codesign targets), search.trials.",
)


def _matched(file: Path, facts: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """The shipped study whose task fits, and what changes in it."""
    where = yaml_string(str(Path(file).resolve()))
    if "classes" in facts:
        from codesign.tasks.tagging.jet_tagging import JetTagging

        classes, expected = tuple(facts["classes"]), JetTagging.classes
        if {c.lower() for c in classes} != set(expected):
            raise InputError(
                f"{file} has the classes {', '.join(classes)}; jet-tagging tells apart {', '.join(expected)}: "
                "rename them, or write a task (codesign/tasks/base.py), e.g. JetTagging with your classes"
            )
        return "jet-tagger", {"sample": f"\n  file: {where}"}
    held = {field.split(".")[0] for field in facts["fields"]}
    if "GenJet" in held and ({"HLTJet", "Jet"} & held):
        task = "jet-energy" if "HLTJet" in held else "jet-energy-offline"
        sample = (
            f"\n  files: [{where}]\n  reference: generated   # or offline, where there is no generator"
            "\n  heads: {correction: 1.0, quantiles: 0.5, closure: 10.0}   # weights in the loss"
        )
        return "hlt-jet-energy", {"task": task, "sample": sample}
    raise InputError(
        f"{file} holds {', '.join(sorted(held)) or 'nothing that is known'}: no shipped task begins from that alone "
        "(jet-energy needs jets and GenJet; anomaly needs zero bias and signals in files of their own: see "
        "search/l1-anomaly.yaml)"
    )


def _replaced(text: str, key: str, value: str) -> str:
    """Give a key of the first level another value: its line, and the indented ones below it."""
    made, n = re.subn(rf"(?m)^{key}:.*\n(?:[ \t]+.*\n)*", lambda _: f"{key}: {value.lstrip(' ')}\n", text, count=1)
    assert n == 1, key
    return made.replace(f"{key}: \n", f"{key}:\n")


def _seen(file: Path, facts: dict[str, Any]) -> list[str]:
    """What was found in the file, in a few lines."""
    lines = [f"A study for {Path(file).name}, which holds:"]
    if "classes" in facts:
        lines.append(f"{facts['rows']:,} rows; " + ", ".join(f"{n:,} {c}" for c, n in facts["classes"].items()))
        for name, column in facts["features"].items():
            lines.append(f"  {name} [{column['unit'] or '1'}]: {column['min']:.4g} to {column['max']:.4g}")
    else:
        lines.append(f"{facts['events']} events ({facts['kind']}, names of {facts['names']})")
        for name, count in facts["collections"].items():
            lines.append(f"  {name}: {count['mean']:.3g} per event, at most {count['most']:g}")
    return [line(text) for text in lines]  # what stands in a comment must not leave it
