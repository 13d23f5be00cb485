"""What an import did, in lines."""

from __future__ import annotations

from collections.abc import Iterator

from codesign.importing.import_report import Agreement, Change, ImportReport, Improvement

__all__ = ("report_lines",)

_MOST = 12


def report_lines(trial: int, report: ImportReport) -> Iterator[str]:
    """Layers, types, what was changed, how much there is to compute, and the source's agreement."""
    by = f", written by {report.source.producer}" if report.source.producer else ""
    yield f"trial {trial}: {report.source.name}, {report.source.kind}{by}"
    kinds: dict[str, int] = {}
    for layer in report.layers:
        kinds[layer.kind] = kinds.get(layer.kind, 0) + 1
    yield "  layers: " + ", ".join(f"{n} {kind}" if n > 1 else kind for kind, n in kinds.items())
    yield f"  inputs ({report.input_types}): {_few(report.inputs)}"
    yield f"  outputs: {_few(report.outputs)}"
    for change in report.changes[:_MOST]:
        yield f"  {_CHANGED[change.what]} {change.where}: {change.how}"
    if len(report.changes) > _MOST:
        yield f"  and {len(report.changes) - _MOST} more changes, in imported.json"
    if report.output_scale or report.output_offset:
        yield f"  the source's output is {_scaling(report)}"
    bits = "" if report.ebops is None else f", {report.ebops:,.0f} effective bit operations"
    yield (
        f"  {report.operations:,} multiplications an event, {report.weights:,} weights, {report.nonzero_weights:,} of "
        f"them not 0{bits}"
    )
    for step in report.improvements:
        yield f"  improved, {step.step}: {_savings(step)}"
        yield from (f"    {line}" for line in step.done[:_MOST])
        if len(step.done) > _MOST:
            yield f"    and {len(step.done) - _MOST} more, in imported.json"
    for text in report.put_back:
        yield f"  not improved, {text}"
    for agreement in report.agreement:
        yield f"  {_agreement(agreement)}"
    yield f"  {report.checked_on}"
    for note in report.notes:
        yield f"  {note}"


_CHANGED: dict[str, str] = {
    "input": "input quantiser",
    "folded": "folded",
    "cut": "cut",
    "dropped": "dropped",
    "thresholds": "made thresholds of",
    "table": "made a table of",
    "narrowed": "narrowed",
}
assert set(_CHANGED) == set(Change.model_fields["what"].annotation.__args__)  # type: ignore[union-attr]


def _savings(step: Improvement) -> str:
    pairs = (("operators", step.operations), ("bit operations", step.bit_operations), ("look-up tables", step.luts))
    words = [f"{pair[0]:,.0f} to {pair[1]:,.0f} {what}" for what, pair in pairs if pair is not None]
    how = "all of its" if step.whole else "random and extreme"
    return f"{', '.join(words)}; equal on {step.checked:,} {how} input codes"


def _few(words: tuple[str, ...]) -> str:
    return ", ".join(words[:_MOST]) + (f" and {len(words) - _MOST} more" if len(words) > _MOST else "")


def _scaling(report: ImportReport) -> str:
    scales, offsets = set(report.output_scale) or {1.0}, set(report.output_offset) or {0.0}
    if len(scales) == len(offsets) == 1:
        offset = next(iter(offsets))
        return f"the design's times {next(iter(scales)):.9g}" + (f" plus {offset:.9g}" if offset else "")
    return f"the design's times {min(scales):.6g} to {max(scales):.6g}, one for each output (imported.json)"


def _agreement(agreement: Agreement) -> str:
    said = f"{agreement.runner}: {agreement.equal:,} of {agreement.tried:,} rows equal"
    if agreement.equal == agreement.tried:
        return said
    return (
        f"{said}; the others are rounded another way in float32 (largest gap {agreement.largest_gap:.3g} codes), "
        f"{agreement.explained:,} of them explained by float64"
    )
