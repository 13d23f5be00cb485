"""A first study for a table with columns of any names: looked at, and written with comments."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codesign.core.errors import InputError
from codesign.core.quoting import yaml_string
from codesign.data.table_facts import ColumnFacts, TableFacts, look_at_table
from codesign.data.table_files import TableFile
from codesign.study.definition import SplitFractions, Verification

__all__ = ("TablePlan", "plan_of_table")

#: area under the ROC curve from which one feature alone is suspect
_LEAK = 0.995
#: rows of a class without which nothing is fitted
_FEWEST = 50
#: places of a list that a first study takes
_MOST_PLACES = 4
#: features of a first study
_MOST_FEATURES = 64


class TablePlan:
    """What a study of a table says: its task, the section ``sample``, and what the user should know."""

    def __init__(self, facts: TableFacts, names: tuple[str, ...] = ()) -> None:
        self.facts, self._names = facts, names
        features = facts.features
        if not features and not any(places_of_lists(facts)):
            raise InputError(
                f"{facts.file}: has no column of numbers beside '{facts.label}' that is not the same everywhere"
            )
        self.warnings: list[str] = []
        if facts.label is None:
            shown = ", ".join(c.name for c in facts.columns[:12])
            raise InputError(
                f"{facts.file}: no column looks like a label (few different values; columns: {shown}): "
                "say which it is with --label COLUMN"
            )
        label = facts.column(facts.label)
        self.regression = not label.values
        if not self.regression:
            areas = facts.separation(features)
            leaking = [name for name, area in areas.items() if area > _LEAK]
            features = tuple(name for name in features if name not in leaking)
            self.warnings += [
                f"'{name}' alone tells the classes apart (area under its ROC curve {areas[name]:.4f}): is it made from "
                "the label? It is left out"
                for name in leaking
            ]
            if not features and not any(places_of_lists(facts)):
                raise InputError(f"{facts.file}: every column alone tells the classes apart: {', '.join(leaking[:5])}")
        # by name: the same events in a file of other columns' order are the same study
        features = tuple(sorted(features, key=str.lower)) + tuple(places_of_lists(facts))
        self.features = features[:_MOST_FEATURES]
        if len(features) > _MOST_FEATURES:
            self.warnings.append(f"{len(features)} columns of numbers, of which the first {_MOST_FEATURES} are taken")
        missing = [c for c in facts.columns if c.name in self.features and c.missing]
        self.missing = bool(missing)
        self.warnings += [
            f"'{c.name}' is missing or not finite in {c.missing:,} of {facts.looked:,} rows" for c in missing
        ]
        self.warnings += [
            f"'{name}' is the same in every row: left out" for name in facts.constant if name != facts.label
        ]
        self.warnings += [f"'{name}' numbers rows or events: left out" for name in facts.numbers]
        self.warnings += [f"'{name}' holds the same as '{other}': left out" for name, other in facts.twins.items()]
        if facts.weight is not None and facts.column(facts.weight).low < 0:
            self.warnings.append(
                f"the weight '{facts.weight}' is below 0 in some rows: nothing can be learned from those, and they are "
                "selected away (the weights that are left no longer add up to the cross section)"
            )
        self.warnings += few_rows(facts.rows)
        if not self.regression:
            self.warnings += rare_values(label)

    @property
    def task(self) -> str:
        """Its name."""
        return "regression" if self.regression else "classification"

    def sample(self) -> str:
        """The section ``sample``, as YAML."""
        facts = self.facts
        where = f"{facts.file.path.resolve()}" + (f":{facts.file.tree}" if facts.file.tree else "")
        lines = [f"  files: [{yaml_string(where)}]", "  features:"]
        for name in self.features:
            column = facts.column(name) if name in facts.names else None
            lines.append(f"  - {yaml_string(name)}{'' if column is None else _comment(column)}")
        for name, fields, longest in collections_of(facts):
            lines += [
                f"  # a block of items, which a study sees with view: [{name}] and a family such as deepsets:",
                f"  # constituents: {{collection: {name}, fields: [{', '.join(fields)}], max: {min(longest, 32)}, "
                f"sort: -{fields[0]}}}",
            ]
        assert facts.label is not None
        label = facts.column(facts.label)
        if self.regression:
            lines.append(
                f"  target: {{column: {yaml_string(label.name)}, middle: {label.mean:.4g}, "
                f"spread: {max((label.high - label.low) / 6, 1e-6):.4g}}}"
            )
        else:
            lines += ["  label:", f"    column: {yaml_string(label.name)}", "    classes:"]
            names = _class_names(label, self._names)
            for value, count in label.values.items():
                key = yaml_string(value) if label.kind == "text" else value
                lines.append(f"      {key}: {names[value]}    # {count:,} rows")
        if facts.weight is not None:
            lines.append(f"  weights: {yaml_string(facts.weight)}")
            if facts.column(facts.weight).low < 0:
                lines.append(f"  select: {yaml_string(facts.weight + ' > 0')}")
        if self.missing:
            lines.append("  missing: {policy: drop}    # or median, or {policy: value, value: -1}")
        if facts.event is not None:
            lines.append(f"  split: {{by: {yaml_string(facts.event)}}}    # its rows stay together")
        return "\n".join(lines)

    def objectives(self) -> str:
        """The section ``objectives``, as YAML."""
        first = (
            "{name: resolution, direction: minimise}" if self.regression else "{name: auc_mean, direction: maximise}"
        )
        rest = ("{name: lut, direction: minimise}", "{name: latency_ns, direction: minimise}")
        return "\n".join(f"  - {one}" for one in (first, *rest))

    def seen(self) -> list[str]:
        """What was found in the file, in a few lines."""
        facts = self.facts
        lines = [f"A study for {facts.file.path.name} ({facts.kind}), which holds:"]
        lines.append(f"{facts.rows:,} rows, {facts.looked:,} looked at; {len(facts.columns)} columns")
        lines += [f"  {c.name}: {_comment(c).removeprefix('    # ') or c.kind}" for c in facts.columns[:60]]
        return lines + [f"NOTE: {warning}" for warning in self.warnings]


def places_of_lists(facts: TableFacts) -> Iterator[str]:
    """The first places of each list a row, as expressions."""
    for column in sorted(facts.columns, key=lambda c: c.name.lower()):
        if column.kind == "list" and column.longest and re.fullmatch(r"[A-Za-z_][\w.]*", column.name):
            for place in range(min(column.longest, _MOST_PLACES)):
                yield f"{column.name}[{place}]"


def collections_of(facts: TableFacts) -> Iterator[tuple[str, list[str], int]]:
    """Collections of lists of one name, ``PFCands_pt`` and ``PFCands_eta``: name, fields (pT first), longest list."""
    held: dict[str, dict[str, int]] = {}
    for column in facts.columns:
        match = re.fullmatch(r"([A-Za-z][A-Za-z0-9]*)[._]([A-Za-z]\w*)", column.name)
        if column.kind == "list" and match is not None:
            held.setdefault(match[1], {})[match[2]] = column.longest
    for name, fields in held.items():
        if len(fields) > 1 and max(fields.values()) > 1:
            yield (
                name,
                sorted(fields, key=lambda f: not re.search(r"(^|_)(pt|e|energy)$", f, re.I)),
                max(fields.values()),
            )


def few_rows(rows: int) -> Iterator[str]:
    """What so many rows are too few for, with the splits of a study that says nothing else."""
    wanted, share = Verification().rtl_events, SplitFractions().test
    if rows * share < wanted:
        yield (
            f"{rows:,} rows are too few: {share:.0%} of them are the test split, and {wanted:,} are needed there for a "
            f"proof; the search will end without a proven front. Give {wanted / share:,.0f} rows"
            + (", or splits: {train: 0.4, validation: 0.1, test: 0.5}" if rows * 0.5 >= wanted else "")
        )


def rare_values(label: ColumnFacts) -> Iterator[str]:
    """Values of the label that are too rare to be learned."""
    total = sum(label.values.values())
    for value, count in label.values.items():
        if count < _FEWEST:
            yield f"'{label.name}' is {value} in {count} rows only: nothing can be fitted to so few; select them away"
        elif count < 0.05 * total:
            yield (
                f"'{label.name}' is {value} in {count / total:.2%} of the rows: with training: {{class_weights: "
                "balanced}} every class counts alike"
            )


def _comment(column: ColumnFacts) -> str:
    if column.kind == "list":
        return f"    # a list, at most {column.longest} long"
    if column.kind == "text":
        return f"    # text: {', '.join(list(column.values)[:6])}"
    missing = f", {column.missing:,} missing" if column.missing else ""
    return f"    # {column.low:.4g} to {column.high:.4g}, mean {column.mean:.4g}{missing}"


def _class_names(label: ColumnFacts, known: tuple[str, ...]) -> dict[str, str]:
    """A name for each value: what the file says; of text its own; of 0 and 1 of a label, background and signal."""
    values = list(label.values)
    if known and all(value.isdigit() and int(value) < len(known) for value in values):
        return {value: known[int(value)] for value in values}
    if values in (["0", "1"], ["false", "true"]) and re.search("sig|^y$|truth|target|label", label.name, re.I):
        return dict(zip(values, ("background", "signal"), strict=True))
    plain = {v: re.sub(r"[^A-Za-z0-9_]+", "_", v).strip("_") for v in values}
    good = len(set(plain.values())) == len(values) and all(p and not p[0].isdigit() for p in plain.values())
    return plain if good else {v: f"class_{place}" for place, v in enumerate(values)}


def plan_of_table(file: TableFile, label: str | None = None, names: tuple[str, ...] = ()) -> TablePlan:
    """Look at a table; InputError where it is none, or what its label is cannot be seen. ``names``: of classes 0,
    1, ..., where the file says them."""
    return TablePlan(look_at_table(file, label), names)
