"""Write the sources of a library as cms-hls4ml's repositories lay them out, with its tests and what they need."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.core import quoting
from codesign.core.design import Design
from codesign.core.errors import InputError
from codesign.core.fixedpoint import Port
from codesign.handoff.cmssw.arbitrary_precision import HEADER_FILES, headers
from codesign.handoff.cmssw.profile import Profile
from codesign.handoff.cmssw.value_conversion import CodeRule, ValueConversion, conversion_of
from codesign.handoff.emulator.circuit import Circuit
from codesign.handoff.emulator.source import kernel

__all__ = ("MOST_GOLDEN", "write_cmssw")

_TEMPLATES = Path(__file__).resolve().parent / "templates"
#: golden events that travel with the sources
MOST_GOLDEN = 1000


def write_cmssw(
    design: Design, profile: Profile, inputs: NDArray[np.int64], outputs: NDArray[np.int64], folder: Path
) -> int:
    """Write ``folder``; how many golden events its test has.

    ``inputs`` (events, n) and ``outputs`` (events, m) are golden vectors, of which the test has those that the
    producer's type can hold. InputError where the profile does not fit the design, or no golden vector can be given.
    """
    conversion = conversion_of(profile, design)
    raws, usable = conversion.raws_of(inputs)
    chosen = np.flatnonzero(usable)[:MOST_GOLDEN]
    if not len(chosen):
        raise InputError(
            f"profile {profile.name}: none of {len(inputs):,} golden events can be given in {profile.input.cxx}"
        )
    values = _values(conversion, len(chosen), len(inputs))
    library, inner = profile.library, f"{profile.folder}/NN"
    for template, written in (
        ("network.h", f"{inner}/{library}.h"),
        ("network.cpp", f"{inner}/{library}.cpp"),
        ("types.h", f"{inner}/types.h"),
        ("emulator.cpp", f"{profile.folder}/{profile.class_name}.cpp"),
        ("inner.Makefile.in", f"{profile.folder}/Makefile"),
        ("Makefile.in", "Makefile"),
        ("test.cpp", f"test/test_{library}.cpp"),
        ("interface.h", "include/hls4ml/emulator.h"),
        ("README.md.in", "README.md"),
    ):
        text = (_TEMPLATES / template).read_text(encoding="utf-8")
        whole = re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], text)
        _put(folder / written, whole)
    rows = np.concatenate([raws[chosen], conversion.results_of(outputs[chosen])], axis=1)
    _put(folder / "test/golden.txt", "\n".join([str(len(rows)), *(" ".join(map(str, row)) for row in rows)]) + "\n")
    _, _, found = headers()
    for name in HEADER_FILES:
        _put(folder / "include/ap_types" / name, (found / name).read_text(encoding="utf-8"))
    _put(folder / "include/ap_types/LICENSE", (_TEMPLATES / "LICENSE-2.0.txt").read_text(encoding="utf-8"))
    return len(chosen)


def _put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _values(conversion: ValueConversion, golden: int, events: int) -> dict[str, str]:
    """What stands for each ``@NAME@`` of a template."""
    profile, design = conversion.profile, conversion.design
    items = profile.input.groups[0].count if profile.input.struct else profile.input.size
    return {
        "LIBRARY": profile.library,
        "GUARD": profile.library.upper(),
        "FOLDER": profile.folder,
        "CLASS": profile.class_name,
        "NAMESPACE": profile.space,
        "HASH": quoting.comment(design.hash),
        "INPUTS": str(design.inputs.size),
        "OUTPUTS": str(design.outputs.size),
        "ITEMS": str(items),
        "NUMBERS": str(len(conversion.numbers)),
        "INPUT_TYPE": profile.input.cxx,
        "RESULT_TYPE": profile.result_cxx,
        "INPUT_TABLE": _table(design.inputs),
        "OUTPUT_TABLE": _table(design.outputs),
        "KERNEL": kernel(Circuit.of(design)),
        "STRUCT": _struct(profile),
        **_rules(conversion.codes),
        "READS": _reads(profile),
        "ABSENT": _absent(design),
        "WRITES": "\n".join(_writes(conversion)),
        "FILLS": _fills(profile),
        "NUMBERS_OF": _numbers_of(profile),
        "RAWS": str(profile.input.size),
        "PROFILE": profile.name,
        "GOLDEN": f"{golden:,} of {events:,}",
        "FOLLOWS": "\n".join(
            f"- {f.repository}@{f.commit[:12]}, `{f.file}`" + (f", lines {f.lines}" if f.lines else "")
            for f in profile.follows
        ),
        "RESULTS": "\n".join(_result_rows(conversion)),
    }


def _table(port: Port) -> str:
    return "\n".join(
        f"//   [{i}] {quoting.comment(label)}: {kind}, fraction_bits {kind.fraction_bits}"
        for i, (kind, label) in enumerate(zip(port.types, port.labels, strict=True))
    )


def _struct(profile: Profile) -> str:
    if profile.input.struct is None:
        return ""
    *spaces, name = profile.input.struct.split("::")
    members = "".join(f"  {f.type} {f.name};\n" for f in profile.input.groups[0].fields)
    text = f"struct {name} {{\n{members}}};\n"
    whole = f"namespace {'::'.join(spaces)} {{\n{text}}}\n" if spaces else text
    return f"// as its own header declares it: where that is included too, leave this out\n{whole}\n"


def _rules(codes: tuple[CodeRule, ...]) -> dict[str, str]:
    known: dict[CodeRule, int] = {}
    which = [known.setdefault(rule, len(known)) for rule in codes]
    thresholds: list[int] = []
    places: dict[tuple[int, ...], int] = {}
    lines = []
    for rule in known:
        first, count = -1, 0
        if rule.table is not None:
            if rule.table not in places:
                places[rule.table] = len(thresholds)
                thresholds += rule.table
            first, count = places[rule.table], len(rule.table)
        lines.append(f"    {{{rule.wrap}, {rule.added}, {rule.shift}, {rule.low}, {rule.high}, {first}, {count}}},")
    return {
        "RULES": "\n".join(lines),
        "THRESHOLDS": _wrapped(thresholds or [0]),
        "RULE_OF": _wrapped(which),
    }


def _wrapped(values: Iterable[int]) -> str:
    return "\n" + textwrap.fill(", ".join(map(str, values)), 110, initial_indent="    ", subsequent_indent="    ")


def _reads(profile: Profile) -> str:
    if profile.input.struct is None:
        return "      raw[i] = raw_of(items[i]);"
    fields = profile.input.groups[0].fields
    return "\n".join(
        f"      raw[i * {len(fields)} + {m}] = raw_of(items[i].{field.name});" for m, field in enumerate(fields)
    )


def _fills(profile: Profile) -> str:
    if profile.input.struct is None:
        return "    set_raw(items[i], raw[i]);"
    fields = profile.input.groups[0].fields
    return "\n".join(
        f"    set_raw(items[i].{field.name}, raw[i * {len(fields)} + {m}]);" for m, field in enumerate(fields)
    )


def _absent(design: Design) -> str:
    """Items that are not there, as the study's quantisation tells them: 0 in every field."""
    lines = []
    for block, place in design.inputs.places:
        if block.absent is None:
            continue
        fields = block.shape[-1]
        away = (
            f"codes_[first + {block.fields.index(block.validity)}] == 0"
            if block.validity is not None
            else f"std::all_of(&raw[first], &raw[first] + {fields}, [](std::int64_t v) {{ return v == 0; }})"
        )
        lines.append(
            f"    for (std::size_t first = {place.start}; first < {place.stop}; first += {fields}) {{\n"
            f"      if ({away}) std::fill_n(&codes_[first], {fields}, 0);\n    }}\n"
        )
    return "".join(lines)


def _parts(profile: Profile) -> Iterable[str]:
    """Each number of a result, in C++."""
    whole = len(profile.result) == 1
    for name, part in zip(("first", "second"), profile.result, strict=False):
        where = "" if whole else f".{name}"
        yield from (where + (f"[{i}]" if part.count else "") for i in range(len(part.outputs)))


def _writes(conversion: ValueConversion) -> Iterable[str]:
    for place, rule in zip(_parts(conversion.profile), conversion.numbers, strict=True):
        to = f"(**to){place}"
        if rule.output is None:
            yield f"    set_raw({to}, 0);"
        else:
            yield f"    set_raw({to}, std::int64_t{{found_[{rule.output}]}} * {1 << rule.shift});"


def _numbers_of(profile: Profile) -> str:
    return "\n".join(f"  raw.push_back(raw_of(result{place}));" for place in _parts(profile))


def _result_rows(conversion: ValueConversion) -> Iterable[str]:
    """A table's row for each number of the result."""
    labels = conversion.design.outputs.labels
    parts = [part for part in conversion.profile.result for _ in part.outputs]
    for place, part, rule in zip(_parts(conversion.profile), parts, conversion.numbers, strict=True):
        if rule.output is None:
            said = "0: the trial has no such output"
        else:
            said = f"output {rule.output}, {quoting.markdown(labels[rule.output])}: its {part.holds}"
        yield f"| `result{place}` | `{part.type}` | {said} |"
