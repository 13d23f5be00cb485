"""How the command line prints: tables for people, JSON for scripts."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from unicodedata import category

__all__ = (
    "print_error", "print_facts", "print_front", "print_json", "print_made", "print_rows", "print_verdict", "say",
    "stage_line", "visible",
)  # fmt: skip

#: characters of an error's line: a value that is quoted in it may have a million
_LONGEST_ERROR = 2000


def visible(text: str) -> str:
    """A text on one line that a terminal only shows: control characters, line breaks, marks that turn the direction of
    writing, and whatever else has no look of its own are written as escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or category(c) == "Zs" else repr(c)[1:-1] for c in text)


def say(text: object, error: bool = False, flush: bool = False) -> None:
    """Print lines; names, labels and notes in them may be a stranger's, and nothing in them steers the terminal."""
    lines = "\n".join(visible(line) for line in str(text).split("\n"))
    print(lines, file=sys.stderr if error else sys.stdout, flush=flush)


def print_error(error: Exception) -> None:
    """Print an error as one line on standard error."""
    line = visible(" ".join(str(error).split()))
    say(f"error: {line if len(line) <= _LONGEST_ERROR else line[:_LONGEST_ERROR] + ' ...'}", error=True)


def _plain(thing: Any) -> Any:
    if hasattr(thing, "model_dump"):
        return thing.model_dump(mode="json")
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return dataclasses.asdict(thing)
    if isinstance(thing, Mapping):
        return {str(key): _plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [_plain(item) for item in thing]
    return thing


def print_json(thing: Any, flush: bool = False) -> None:
    """Print a record, or anything made of records, as JSON."""
    print(json.dumps(_plain(thing), indent=1, default=str).replace("\x7f", "\\u007f"), flush=flush)


def print_made(made: Path | str, as_json: bool) -> None:
    """Print where something was written; as JSON, ``{"written": path}``."""
    print_json({"written": str(made)}) if as_json else say(made)


def stage_line(stage: str) -> None:
    """Name the running stage on a terminal; nothing in a pipe."""
    if sys.stderr.isatty():
        say(stage, error=True)


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, columns: Iterable[str]) -> None:
    """Print mappings as a table of these columns, or as JSON with all they hold."""
    if as_json:
        print_json(list(rows))
        return
    names = list(columns)
    _table([visible(str(name)) for name in names], [[_cell(row.get(name)) for name in names] for row in rows])


def print_facts(thing: Any, as_json: bool) -> None:
    """Print a mapping line by line, or a list of mappings as a table; either with its JSON."""
    facts = _plain(thing)
    if as_json or not isinstance(facts, list | dict):
        print_json(facts)
    elif isinstance(facts, dict):
        for key, value in facts.items():
            if isinstance(value, dict) and value and all(isinstance(row, dict) for row in value.values()):
                say(f"{visible(str(key))}:")
                columns = list(next(iter(value.values())))
                _table(
                    ["", *map(visible, columns)],
                    [[visible(name), *map(_cell, row.values())] for name, row in value.items()],
                )
            else:
                say(f"{visible(str(key))}: {_cell(value)}")
    else:
        print_rows(facts, False, facts[0] if facts else ())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{visible(str(key))} {_cell(item)}" for key, item in value.items())
    return visible(str(value))


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(name), *(len(row[i]) for row in rows)) if rows else len(name) for i, name in enumerate(names)]
    for row in (names, *rows):
        say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_verdict(trial: int, verdict: Any, waves: Sequence[Path] = ()) -> None:
    """Print what was proven of an exact trial, and what was not."""
    at = " at gate level" if verdict.proven == "gates" else ""
    start = f"trial {trial} is exact{at} on {verdict.events} events"
    tool = f"({verdict.tool} {verdict.version})"
    if verdict.proven not in ("RTL", "gates"):
        say(f"{start} in {verdict.proven} {tool}")
        say("not proven: its RTL, which needs the vendor's tools; so there is no latency and there are no waveforms")
        return
    measured = [
        ("latency", verdict.latency_cycles, " cycles"),
        ("initiation interval", verdict.initiation_interval, ""),
    ]
    facts = ", ".join(f"{name} {value}{unit}" for name, value, unit in measured if value is not None)
    say(f"{start}: {facts or 'timing not measured'} {tool}")
    if verdict.compared:
        say(f"equal integers: {', '.join(visible(name) for name in verdict.compared)}")
    for path in waves:
        say(f"waveforms: {visible(str(path))}")


def print_front(front: Any, folder: Path) -> None:
    """The front: metrics on the test split with their errors, figures with their fidelity in the heading."""
    if not front.points:
        say("the front is empty")
        return
    names = [visible(o.name) for o in front.objectives]
    heads = [
        f"{n} ({o.fidelity})" if o.fidelity else f"{n} (test)" for n, o in zip(names, front.objectives, strict=True)
    ]
    rows = []
    for point in front.points:
        cells = [str(point.trial)]
        for objective in front.objectives:
            if objective.fidelity is None:
                metric = point.metrics.get(objective.name)
                both = metric is not None and metric.systematic is not None
                more = f" ± {metric.systematic:.4f} (syst.)" if both else ""
                cells.append("" if metric is None else f"{metric.value:.4f} ± {metric.error:.4f}{more}")
            else:
                values = [
                    f.value for f in point.figures if (f.quantity, f.fidelity) == (objective.name, objective.fidelity)
                ]
                cells.append(f"{values[0]:g}" if values else "")
        verdict = point.verified
        cells.append(
            "not run" if verdict is None else verdict.proven if verdict.exact else f"{verdict.proven} NOT EXACT"
        )
        rows.append(cells)
    _table(["trial", *heads, "exact in"], rows)
    for line in _beside_baselines(front, folder):
        say(line)
    say(f"run: {visible(str(folder))}")


def _beside_baselines(front: Any, folder: Path) -> list[str]:
    """Of each baseline, by how much the designs that were compared with it have more of the first metric, paired."""
    from codesign.core.records import Comparisons
    from codesign.core.runfolder import RunFolder

    metric = next((o.name for o in front.objectives if o.fidelity is None), None)
    lines: dict[str, list[str]] = {}
    for point in front.points:
        found = RunFolder(folder).trial(point.trial).read("comparisons.json", Comparisons)
        for one in found.compared if found else ():
            if difference := one.metrics.get(metric or ""):
                text = f"{difference.value:+.4f} ± {difference.error:.4f}"
                lines.setdefault(one.other, []).append(f"trial {point.trial} {text}")
    said = f"{visible(str(metric))} on the same events, less that of"
    return [f"{said} {visible(name)}: {', '.join(texts)}" for name, texts in lines.items()]
