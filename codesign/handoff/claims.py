"""What a bundle says that nobody can compute again from it: its maker's word, and named so."""

from __future__ import annotations

from collections.abc import Iterable

from codesign.core.figures import Fidelity
from codesign.core.printing import visible
from codesign.handoff.manifest import Manifest
from codesign.handoff.received import ReceivedBundle
from codesign.handoff.reference_distribution import REFERENCE
from codesign.handoff.signature import Signer
from codesign.handoff.statement import Finding, Statement

__all__ = ("FIELDS", "claims", "other_files")

#: every field of a manifest, and the statement that it stands in; what is made of none is a claim
FIELDS: dict[str, str] = {
    "format_version": "files",
    "files": "files",
    "design": "design",
    "inputs": "inputs",
    "blocks": "inputs",
    "outputs": "outputs",
    "trigger": "trigger",
    "verified": "golden vectors",
    "flow": "firmware/",
    "target": "target",
    "config": "firmware/",
    "top": "interface",
    "protocol": "interface",
    "sources": "interface",
    "latency_cycles": "interface",
    "components": "components",
    "cmssw": "cmssw/",
    "destination": "destination",
    "figures": "figures, others",
    "codesign": "maker",
    "tools": "maker",
    "parameters": "README.md",
    "study": "maker",
    "meanings": "notes",
    "description": "maker",
    "task": "maker",
    "family": "maker",
    "trial": "maker",
    "seed": "maker",
    "metrics": "metrics",
    "validation": "metrics",
    "baseline": "metrics",
    "working_points": "metrics",
    "sample": "sample",
    "notes": "notes",
    "licence": "licence",
}

#: files that codesign writes, of which nothing can be computed again without the run and its sample
_UNKNOWN = {
    "imported.json": "how the design came out of somebody else's model; the design itself is checked",
    "source/": "the model as its makers gave it, which is not run here",
    REFERENCE: "how inputs and outputs were distributed where its thresholds were fixed",
    "fastsim/": "tables that were fitted to the sample",
    "bitstream/": "made by the tools of its vendor; never load it unless you trust its maker",
}
#: files that other statements are about
_KNOWN = (
    *("model.onnx", "design.json", "golden.npz", "README.md"),
    *("firmware/", "axi/", "testbench/", "vivado/", "emulator/", "onnx/", "triton/", "cmssw/"),
)


def claims(received: ReceivedBundle, signer: Signer | None) -> list[Statement]:
    """Statements that are not computed again: the word of ``signer``, or of whoever made the bundle."""
    m = received.manifest
    words = {
        "maker": f"study {visible(m.study)}, trial {m.trial}, seed {m.seed}, task {visible(m.task)}, family "
        f"{visible(m.family)}; its description, and codesign {visible(m.codesign)} as what made it",
        "metrics": f"{_names(m.metrics)}: on the test split, on the validation split, of the baseline, and the working "
        "points",
        "verification": f"{m.verified.events:,} events in {visible(m.verified.proven)} ({visible(m.verified.tool)} "
        f"{visible(m.verified.version)}): that it was run before",
        "figures, others": _figures(m),
        "sample": f"where the events come from: {_names(m.sample)}",
        "notes": f"{len(m.notes)} of them",
        "licence": visible(m.licence),
    }
    parameters = dict.fromkeys(m.parameters, "the parameters that were trained; no file here is made from them")
    for part, meaning in (parameters | _UNKNOWN).items():
        if any(_is_of(file, part) for file in received.files):
            words[part] = meaning
    outcome = Finding.SIGNED if signer else Finding.NOT_CHECKED
    whose = f"the word of {signer.name}" if signer else "claimed by the maker"
    return [Statement(name=name, outcome=outcome, detail=f"{whose}: {said}") for name, said in words.items() if said]


def other_files(received: ReceivedBundle) -> list[str]:
    """Files that codesign does not write into a bundle."""
    made_for = received.manifest.destination
    known = (*_KNOWN, *_UNKNOWN, *received.manifest.parameters, *([f"{made_for}/"] if made_for else []))
    return sorted(file for file in received.files if not any(_is_of(file, part) for part in known))


def _is_of(file: str, part: str) -> bool:
    return file.startswith(part) if part.endswith("/") else file == part


def _figures(manifest: Manifest) -> str:
    others = [f for f in manifest.figures if f.fidelity is not Fidelity.COMPILED]
    return ", ".join(f"{f.quantity} {f.value:g} ({f.fidelity.value}, {visible(f.tool)})" for f in others)


def _names(names: Iterable[str]) -> str:
    return ", ".join(visible(name) for name in names) or "none"
