"""The README of a bundle, for who gets it and knows nothing of codesign."""

from __future__ import annotations

from codesign.core.figures import QUANTITIES
from codesign.core.quoting import markdown, markdown_code, relative_path, shell
from codesign.core.records import Metric
from codesign.handoff.emulator import emulator_name
from codesign.handoff.manifest import InputSignal, Manifest, OutputSignal
from codesign.study.imported_run import IMPORTED

__all__ = ("readme",)


def readme(manifest: Manifest, tables: bool = False) -> str:
    """Markdown: what the design is, its ports bit by bit, and how to simulate and use it.

    ``tables``: whether the bundle has any for generator-level work.
    """
    m = manifest
    lines = [
        f"# {markdown(m.study)}, trial {m.trial}",
        "",
        f"{_what(m)}, compiled by {markdown_code(m.flow)} for {markdown(m.target.part)} at "
        f"{m.target.clock_mhz:g} MHz. "
        f"Proven bit-exact {_how(m)} on {m.verified.events:,} events.",
        "",
        "## Physics",
        "",
        "| metric | test | baseline, test | validation |",
        "|---|---|---|---|",
        *(
            f"| {markdown(name)} | {_metric(m.metrics.get(name))} | {_metric(m.baseline.get(name))} | "
            f"{_metric(m.validation.get(name))} |"
            for name in m.metrics
        ),
        "",
        "Errors are one standard deviation. The search never saw the test split.",
        "",
        "## Hardware",
        "",
        "| figure | value | unit | fidelity | tool |",
        "|---|---|---|---|---|",
        *(
            f"| {f.quantity} | {f.value:,.10g} | {markdown(f.unit)} | {f.fidelity.value} | "
            f"{markdown(f.tool)} {markdown(f.version)} |"
            for f in m.figures
        ),
        "",
        "What is not listed was not measured.",
        "",
        "## Ports",
        "",
        *_ports(m),
        "",
        "### Inputs, packed in `model_inp`",
        "",
        "`code = clip(floor((x - offset) / step + 1/2), low, high)`, two's complement where the type is signed.",
        "",
        "| input | bits | type | unit | offset | step | low | high |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {markdown(s.name)} | {_bits(s)} | `{s.type}` | {markdown(s.unit)} | {s.offset:.9g} | {s.step:.9g} | "
            f"{s.minimum} | {s.maximum} |"
            for s in m.inputs
        ),
        "",
        "The table is rounded; `manifest.json` holds offsets and steps to the last digit.",
        "",
        "### Outputs, packed in `model_out`",
        "",
        "| output | bits | type | value of one code |",
        "|---|---|---|---|",
        *(f"| {markdown(s.name)} | {_bits(s)} | `{s.type}` | 2^{-s.fraction_bits} |" for s in m.outputs),
        "",
        *(f"- {markdown(name)}: {markdown(meaning)}" for name, meaning in m.meanings.items()),
        *([""] if m.meanings else []),
        *_simulation(m),
        "## Emulate in software",
        "",
        f"`make -C emulator` builds `{emulator_name(m.study)}_v1.so` from C++17 without any dependency. It computes "
        "the firmware's integers, in the interface of CMSSW's hls4mlEmulatorExtras (`create_model`, `destroy_model`), "
        f"or for many events at once through the C function `codesign_predict`. `{emulator_name(m.study)}_v1.h` says "
        "what goes in and what comes out.",
        "",
        "## Files",
        "",
        "- `onnx/codes.onnx`: integers to integers, and `onnx/features.onnx`: features to scores and integers, "
        "in standard operators that plain onnxruntime runs",
        "- `triton/`: the latter as a model repository of the Triton inference server",
        *(
            ["- `fastsim/`: efficiency, response and correction as tables for correctionlib, and their closure"]
            if tables
            else []
        ),
        "- `axi/`: an AXI4-Stream wrapper (`codesign_axi`) around the top module",
        "- `vivado/`, for a part of AMD: constraints and scripts that build it with one command",
        "- `model.onnx`: the network in QONNX; `design.json`: the types at its boundary",
        *(
            [
                "- `source/`: the model as it was imported; `imported.json`: what was done to it, and how far its own "
                "execution agrees"
            ]
            if m.task == IMPORTED
            else []
        ),
        *(f"- {markdown_code(name)}: the trained parameters" for name in m.parameters),
        "- `firmware/`: the Verilog",
        "- `emulator/`: the design in C++",
        *([f"- `cmssw/`: `{m.cmssw.library}.so` behind the types of CMSSW, see its `README.md`"] if m.cmssw else []),
        *([f"- `{m.destination}/`: entities and pattern files for it, see its `README.md`"] if m.destination else []),
        "- `manifest.json`: all of this for programs, with the SHA-256 of every file; `manifest.json.sig`, where its "
        "maker signed it: `ssh-keygen -Y verify -n codesign-bundle`",
        "",
        f"Licence: {markdown(m.licence)}"
        + "".join(
            f"; {markdown_code(c.files)} is from {markdown(c.origin)}, {markdown(c.licence)}" for c in m.components
        )
        + ".",
        "",
    ]
    return "\n".join(lines)


def _what(manifest: Manifest) -> str:
    if manifest.task == IMPORTED:
        return "A trained model of others, imported as an exact integer function"
    return f"A quantised network for the task {markdown_code(manifest.task)}"


def _how(manifest: Manifest) -> str:
    return (
        "in RTL simulation"
        if manifest.top
        else f"by the model of the flow {markdown_code(manifest.flow)} (it made no RTL)"
    )


def _ports(m: Manifest) -> list[str]:
    """The top module's ports, and when what is at them."""
    if m.top is None:
        return ["This flow made no RTL: the HLS project in `firmware/` needs the vendor's compiler."]
    started = m.protocol == "started"
    if m.protocol != "pipelined" and not started:
        protocol = markdown_code(m.protocol or "")
        return [f"Top module {markdown_code(m.top)}, protocol {protocol}: see its source in `firmware/`."]
    width_in, width_out = (sum(s.width for s in signals) for signals in (m.inputs, m.outputs))
    table = [
        f"Top module {markdown_code(m.top)}:",
        "",
        "| port | direction | width |",
        "|---|---|---|",
        "| `clk` | input | 1 |",
        *(["| `rst` | input | 1 |", "| `first` | input | 1 |"] if started else []),
        f"| `model_inp` | input | {width_in} |" if not _in_beats(m) else "| `model_inp` | input | a beat |",
        f"| `model_out` | output | {width_out} |",
        *(["| `valid` | output | 1 |", "| `error` | output | 1 |"] if started else []),
    ]
    if m.trigger is not None:
        width = next(s.width for s in m.outputs if s.name == m.trigger.output)
        table += [f"| `threshold` | input | {width} |", "| `trigger` | output | 1 |"]
    latency = "" if m.latency_cycles is None else f"{m.latency_cycles * 1e3 / m.target.clock_mhz:.4g} ns"
    control = "There is no reset and no valid signal."
    if started:
        held = (
            "its first beat is, the others in the clocks behind it" if _in_beats(m) else "it stays there until the next"
        )
        control = (
            "`first` is high in the clock in which an event is at `model_inp` "
            f"({held}); `valid` is high while its result is at `model_out`. An event that comes earlier than so many "
            "clocks after the last one is not taken, and `error` stays high until `rst`, which forgets all under way."
        )
    table += [
        "",
        f"A new event is taken at every {_every(m.verified.initiation_interval)}rising edge of `clk`. Latency: "
        f"{m.latency_cycles} cycles ({latency}), measured in simulation, counted in "
        f"{QUANTITIES['latency_cycles'][1]}. {control}",
    ]
    if m.trigger is not None:
        code = m.trigger.threshold_code
        fixed = "" if code is None else f" Fixed on the validation split: code {code} (value {m.trigger.threshold:g})."
        table += [
            "",
            f"`trigger` says whether `{markdown(m.trigger.output)}` of the event at `model_out` reached the "
            f"`threshold` of the clock before, both as codes.{fixed}",
        ]
    return table


def _simulation(m: Manifest) -> list[str]:
    if m.top is None or m.protocol != "pipelined":
        return []
    return [
        "## Simulate",
        "",
        "`testbench/` holds a self-checking test bench with golden vectors, for any simulator that reads "
        "SystemVerilog. With Verilator 5:",
        "",
        "```sh",
        "cd testbench",
        f"verilator --binary --timing -Wno-fatal -CFLAGS -std=c++20 --top-module tb tb.sv {_sources(m)}",
        "./obj_dir/Vtb",
        "```",
        "",
        "It prints PASS and the number of events, or the events that differ and FAIL. `golden.npz` holds the same "
        "vectors as integers: `inputs` (events, inputs) and `outputs` (events, outputs).",
        "",
    ]


def _metric(metric: Metric | None) -> str:
    return f"{metric.value:.5g} ± {metric.error:.2g}" if metric else "not measured"


def _bits(signal: InputSignal | OutputSignal) -> str:
    return "none, always 0" if signal.high_bit is None else f"`[{signal.high_bit}:{signal.low_bit}]`"


def _in_beats(m: Manifest) -> bool:
    """Whether an event comes to the RTL in several clocks."""
    return m.protocol == "started" and m.config.get("flow.transport") == "beats"


def _every(interval: int | None) -> str:
    return "" if interval in (None, 1) else f"{interval}th "


def _sources(manifest: Manifest) -> str:
    return " ".join(shell(f"../{relative_path(path)}") for path in manifest.sources)
