"""Numbers and names in words: how the report writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from codesign.core.figures import QUANTITIES, Expected
from codesign.core.records import Metric
from codesign.study.definition import Constraint

__all__ = (
    "STATES",
    "bound",
    "config",
    "count",
    "count_change",
    "counted",
    "definitions",
    "difference_text",
    "expectation",
    "figure",
    "listed",
    "measurement",
    "number",
    "number_free",
    "provenance",
    "quantity",
    "share",
    "short",
    "signed_measurement",
    "size",
    "whole",
)

#: state -> what it means
STATES = {
    "complete": "scored, and within the constraints",
    "infeasible": "scored, but outside a constraint",
    "failed": "never scored; the reason is given",
    "running": "not finished when this report was written",
    "unknown": "left a folder, but no readable status",
}

_QUANTITY_NAMES = {
    "lut": "LUT", "ff": "flip-flops", "carry": "carry", "dsp": "DSP", "bram": "BRAM", "latency_cycles": "latency",
    "latency_ns": "latency", "initiation_interval": "initiation interval", "fmax": "clock, highest",
    "ebops": "EBOPs", "power": "power",
}  # fmt: skip


#: names of metrics that say what they are -> in words; a name in them is a class or a signal, and stays as it is
_METRIC_NAMES = (
    (re.compile(r"auc_mean"), "AUC, mean"),
    (re.compile(r"auc_(.+)"), "AUC of {0}"),
    (re.compile(r"rejection_(.+)_(\d+)"), "rejection of {0} at ε_S = {1} %"),
    (re.compile(r"tpr_mean_(\de-?\d+)"), "mean efficiency at FPR {0}"),
    (re.compile(r"tpr_(.+)_(\de-?\d+)"), "efficiency of {0} at FPR {1}"),
    (re.compile(r"fpr_(\de-?\d+)"), "false-positive rate, set for {0}"),
)
#: what a reader of those names has to know
DEFINITIONS = (
    ("rejection_", "Rejection is 1/ε_B: one over the background efficiency (all other classes), at the signal "
     "efficiency ε_S that is named."),
    ("auc_", "AUC: area under the ROC curve of one class or signal against the rest."),
    ("tpr_", "Efficiency: share of a signal's events that are kept at a threshold of that false-positive rate (FPR)."),
)  # fmt: skip


def quantity(name: str) -> str:
    """A quantity with its unit: ``latency [ns]``, ``LUT``; a metric in words, or with blanks for underscores."""
    if name in QUANTITIES:
        words, unit = _QUANTITY_NAMES[name], QUANTITIES[name][0]
        return f"{words} [{unit}]" if unit in ("cycles", "ns", "MHz", "W") else words
    for pattern, text in _METRIC_NAMES:
        if found := pattern.fullmatch(name):
            return text.format(*(part.replace("_", " ") for part in found.groups()))
    return name.replace("_khz", " [kHz]").replace("_", " ")


def definitions(names: list[str]) -> list[str]:
    """What has to be known of metrics of these names."""
    return [text for begin, text in DEFINITIONS if any(name.startswith(begin) for name in names)]


def listed(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, (", ".join(texts[:-1]), *texts[-1:])))


def whole(value: float) -> str:
    """A count: whole numbers, thousands separated."""
    return f"{round(value):,}"


def number(value: float) -> str:
    """A figure: whole numbers with thousands separated, others to four significant digits."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def figure(name: str, value: float) -> str:
    """A figure: of what is counted, whole numbers."""
    return whole(value) if counted(name) else number(value)


def counted(name: str) -> bool:
    """Whether a quantity is counted: block memories are not, of which there are halves."""
    return name not in ("latency_ns", "fmax", "power", "bram")


def short(value: float) -> str:
    """A number on an axis: ``500``, ``2k``, ``1.5M``."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def measurement(metric: Metric) -> str:
    """A metric with its error, both to two significant digits of the error; its systematic error stands behind it."""
    digits = 4
    if metric.error > 0:
        digits = min(8, max(0, 1 - math.floor(math.log10(metric.error))))
    systematic = "" if metric.systematic is None else f" ± {metric.systematic:.{digits}f} (syst.)"
    return f"{metric.value:.{digits}f} ± {metric.error:.{digits}f}{systematic}"


def signed_measurement(metric: Metric) -> str:
    """A difference with its error, both to two significant digits of the error."""
    text = measurement(metric)
    size = text.removeprefix("-")
    if not size.partition(" ")[0].strip("0."):
        return size  # nothing is left of it, and so no sign
    return f"{'−' if size != text else '+'}{size}"


def difference_text(value: float) -> str:
    """A difference: with its sign, whole from 100 on."""
    rounded = round(value) if abs(value) >= 100 else float(f"{value:.3g}")
    return "0" if not rounded else f"{'+' if rounded > 0 else '−'}{number(abs(rounded))}"


def count_change(value: float) -> str:
    """What something adds to a count: whole, with its sign."""
    rounded = round(value)
    return "0" if not rounded else f"{'+' if rounded > 0 else '−'}{abs(rounded):,}"


def expectation(found: Expected) -> str:
    """What a closer tool should find: ``synthesised by yosys: about 1,540 (1,420 to 1,660)``, to three digits."""
    low, value, high = (number(float(f"{v:.3g}")) for v in (found.low, found.value, found.high))
    return f"{found.fidelity.value} by {found.tool}: about {value} ({low} to {high})"


def count(n: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def share(fraction: float) -> str:
    """A share of the part in percent; one too small for two digits is not written as zero."""
    return "< 0.01 %" if fraction < 1e-4 else f"{100 * fraction:.2f} %"


def size(octets: int) -> str:
    """A file's size."""
    if octets < 1000:
        return f"{octets} B"
    return f"{octets / 1e3:.1f} kB" if octets < 1e6 else f"{octets / 1e6:.1f} MB"


def bound(constraint: Constraint) -> str:
    """A constraint: ``LUT at most 6,000``, ``latency at most 50 ns``."""
    parts = []
    if constraint.min is not None:
        parts.append(f"at least {number(constraint.min)}")
    if constraint.max is not None:
        parts.append(f"at most {number(constraint.max)}")
    if constraint.slrs is not None:
        parts.append(f"at most {constraint.slrs:g} SLR")
    name = quantity(constraint.name)
    unit = f" {name[name.index('[') + 1 : -1]}" if name.endswith("]") else ""
    return f"{name.partition(' [')[0]} {' and '.join(parts)}{unit}"


def config(values: dict[str, Any]) -> str:
    """A configuration on one line: ``widths 16-8, weight bits 4-3-4, input bits 8``."""
    return ", ".join(f"{key.removeprefix('study.').replace('_', ' ')} {_value(value)}" for key, value in values.items())


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, list | tuple):
        return "-".join(_value(v) for v in value) or "none"
    if isinstance(value, dict):
        return "{" + config(value) + "}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def sample(data: dict[str, Any]) -> list[tuple[str, str]]:
    """``sample.json`` in words, as (name, value) lines: what the events are, then where they come from."""
    known = {"hash", "events", "splits", "feature_names", "units", "class_names", "provenance"}
    known |= {"target_names", "target_units", "held_out", "outputs", "blocks", "view"}
    lines: list[tuple[str, str]] = []
    if isinstance(data.get("events"), int):
        splits = data.get("splits")
        parts = ", ".join(f"{_plain(n)} {name}" for name, n in splits.items()) if isinstance(splits, dict) else ""
        lines.append(("events", f"{_plain(data['events'])}" + (f" ({parts})" if parts else "")))
    for key, name in (
        ("class_names", "classes"),
        ("feature_names", "features"),
        ("target_names", "targets"),
        ("held_out", "never trained on"),
    ):
        if isinstance(data.get(key), list) and data[key]:
            lines.append((name, f"{len(data[key])}: {', '.join(str(v) for v in data[key][:20])}"))
    if isinstance(data.get("view"), list):
        lines.append(("seen by the network", ", ".join(str(v) for v in data["view"][:20])))
    origin = data.get("provenance")
    lines += provenance(origin if isinstance(origin, dict) else {})
    lines += provenance({key: value for key, value in data.items() if key not in known})
    if data.get("hash"):
        lines.append(("fingerprint", str(data["hash"])[:16]))
    return lines


def provenance(data: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested record as (name, value) lines, in its own order; long lists are cut, and say so."""
    lines: list[tuple[str, str]] = []
    for key, value in data.items():
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            if all(not isinstance(v, dict | list) for v in value.values()) and len(value) <= 12:
                lines.append((name, ", ".join(f"{k} {_plain(v)}" for k, v in value.items())))
            else:
                lines += provenance(value, f"{name}: ")
        elif isinstance(value, list):
            shown = ", ".join(_plain(v) for v in value[:20])
            lines.append((name, f"{shown}, … ({len(value)} in all)" if len(value) > 20 else shown))
        else:
            lines.append((name, _plain(value)))
    return lines


def _plain(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return _value(value)
    # a seed or a year is not a quantity: thousands are separated only from 10,000 on
    return number(value) if isinstance(value, int | float) and abs(value) >= 10_000 else str(value)


def number_free(reason: str) -> str:
    """A reason with its numbers left out, so that two failures of one kind are one kind."""
    return re.sub(r"\d+(?:[.,]\d+)*(?:e[-+]?\d+)?", "…", reason)
