"""A first study for a user's own file: looked at, matched with a task, and written with comments."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from codesign.core import resources
from codesign.core.errors import InputError
from codesign.core.quoting import line, yaml_string, yaml_word
from codesign.core.runfolder import write_atomically
from codesign.data.table_files import TableFile
from codesign.study.definition import parse_study
from codesign.study.init_table import plan_of_table

__all__ = ("write_study",)


def write_study(
    file: Path | str, output: Path | None = None, target: str | None = None, label: str | None = None
) -> Path:
    """Write a study for a table or a file of events, by default ``<file's name>.yaml``; never over another.

    Our own jets and events of jets get the shipped study of their task; any other table one of ``classification`` or
    ``regression``, of the column ``label`` or of the one that looks like one. The pattern's space and budgets are a
    start, not a recommendation. InputError where the file cannot be read, or nothing in it looks like a label.
    """
    from codesign.core.targets import load_target
    from codesign.data.table_files import table_files

    table = TableFile(file) if isinstance(file, Path) else table_files([file])[0]
    file = table.path
    name = re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._") or "study"
    path = output or Path(f"{name}.yaml")
    if path.exists():
        raise InputError(f"{path} is there already: give another name with -o, or remove it")
    pattern, changes, seen = _match(table, label)
    changes |= {"name": name, "description": yaml_string(f"Found by codesign init in {Path(file).name}")}
    if target is not None:
        load_target(target)  # an unknown one is named now, not when the search begins
        changes["target"] = yaml_word(target)
    text = resources.locate("search", pattern).read_text(encoding="utf-8")
    text = re.sub(r"\A(#.*\n)*", "", text)
    for key, value in changes.items():
        text = _replace(text, key, value)
    text = "".join(f"# {line}\n" for line in [*seen, "", *_ADVICE]).replace("# \n", "#\n") + text
    parse_study(text, str(path))
    write_atomically(path, text.encode())
    return path


_ADVICE = (
    "Run it with: codesign run THIS_FILE --trials 8    (then more: it goes on where it was)",
    "What to change first: constraints (your budgets), target (codesign targets), search.trials.",
    "Is it right? codesign studies --check THIS_FILE. What there is: codesign schema study, and docs/training.md.",
)


def _match(table: TableFile, label: str | None) -> tuple[str, dict[str, str], list[str]]:
    """The shipped study whose task fits, what changes in it, and what was seen in the file."""
    from codesign.data.files import describe

    names: tuple[str, ...] = ()
    if label is None:
        try:
            facts = describe(table.path)
        except InputError:
            facts = {}  # no file of ours: a table, if anything
        if (found := _of_a_task(table.path, facts)) is not None:
            return (*found, _see(table.path, facts))
        names = tuple(facts.get("classes", ()))
    plan = plan_of_table(table, label, names)
    changes = {"task": plan.task, "sample": f"\n{plan.sample()}", "objectives": f"\n{plan.objectives()}"}
    return "jet-tagger", changes, [line(text) for text in plan.seen()]


def _of_a_task(file: Path, facts: dict[str, Any]) -> tuple[str, dict[str, str]] | None:
    """The shipped study of what is our own, and what changes in it; None for what is not."""
    where = yaml_string(str(Path(file).resolve()))
    if "classes" in facts:
        from codesign.tasks.tagging.jet_tagging import JetTagging

        classes, expected = tuple(facts["classes"]), JetTagging.classes
        if {c.lower() for c in classes} != set(expected):
            return None
        return "jet-tagger", {"sample": f"\n  file: {where}"}
    held = {field.split(".")[0] for field in facts.get("fields", ())}
    if "GenJet" in held and ({"HLTJet", "Jet"} & held):
        task = "jet-energy" if "HLTJet" in held else "jet-energy-offline"
        sample = (
            f"\n  files: [{where}]\n  reference: generated   # or offline, where there is no generator"
            "\n  heads: {correction: 1.0, quantiles: 0.5, closure: 10.0}   # weights in the loss"
        )
        return "hlt-jet-energy" if task == "jet-energy" else task, {"task": task, "sample": sample}
    return None


def _replace(text: str, key: str, value: str) -> str:
    """Give a key of the first level another value: its line, and the indented ones below it."""
    made, n = re.subn(rf"(?m)^{key}:.*\n(?:[ \t]+.*\n)*", lambda _: f"{key}: {value.lstrip(' ')}\n", text, count=1)
    assert n == 1, key
    return made.replace(f"{key}: \n", f"{key}:\n")


def _see(file: Path, facts: dict[str, Any]) -> list[str]:
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
