"""What comes of committed designs: Verilog, C++ emulator and standard ONNX, each as one hash.

``designs/<name>`` holds ``model.onnx`` and ``design.json``. ``hashes.json`` holds what was generated from each, and the
versions of the tools whose text is in it. No path, time or machine is in what is hashed.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from codesign.core.design import Design
from codesign.core.errors import UnsupportedError
from codesign.core.runfolder import write_atomically
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.handoff.emulator import write_emulator
from codesign.handoff.inference import codes_model, features_model

HERE = Path(__file__).resolve().parent
DESIGNS = HERE / "designs"
HASHES = HERE / "hashes.json"

TARGET = "vu13p-360"
#: in the place of a hash, where no exact hardware or model of the design exists
REFUSED = "refused"
#: artifact -> the package whose version is part of what it is
TOOLS = {"verilog": "alkaid", "codes.onnx": "onnx", "features.onnx": "onnx"}


def names() -> list[str]:
    """All committed designs."""
    return sorted(p.name for p in DESIGNS.iterdir() if p.is_dir())


def versions() -> dict[str, str]:
    """Of the tools that generate."""
    return {name: version(name) for name in sorted(set(TOOLS.values()))}


def _hash_of(files: Iterable[tuple[str, bytes]]) -> str:
    whole = hashlib.sha256()
    for name, content in sorted(files):
        whole.update(f"{name}\n{len(content)}\n".encode())
        whole.update(content)
    return whole.hexdigest()


def _files(folder: Path, pattern: str) -> list[tuple[str, bytes]]:
    return [(p.relative_to(folder).as_posix(), p.read_bytes()) for p in folder.rglob(pattern) if p.is_file()]


def _verilog(design: Design, folder: Path) -> list[tuple[str, bytes]]:
    return _files(Alkaid().compile(design, load_target(TARGET), folder).folder, "*.v")


def _emulator(design: Design, folder: Path) -> list[tuple[str, bytes]]:
    return _files(write_emulator(design, "replay", folder), "*")


GENERATE: dict[str, Callable[[Design, Path], list[tuple[str, bytes]]]] = {
    "verilog": _verilog,
    "emulator": _emulator,
    "codes.onnx": lambda design, folder: [("codes.onnx", codes_model(design))],
    "features.onnx": lambda design, folder: [("features.onnx", features_model(design))],
}


def generated(name: str, artifacts: Iterable[str] = tuple(GENERATE)) -> dict[str, str]:
    """Hashes (SHA-256, hex) of what comes of a committed design now, and the design's own."""
    design = Design.load(DESIGNS / name)
    found = {"design": design.hash}
    for artifact in artifacts:
        with tempfile.TemporaryDirectory() as folder:
            try:
                found[artifact] = _hash_of(GENERATE[artifact](design, Path(folder) / "made"))
            except UnsupportedError:
                found[artifact] = REFUSED
    return found


@dataclass
class Comparison:
    """How many artifacts are equal to what was kept of them, which differ, and why some cannot be compared."""

    equal: int = 0
    differing: list[str] = field(default_factory=list)
    apart: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.equal} equal, {len(self.differing)} different"]
        lines += [f"  {line}" for line in self.differing]
        lines += [f"  {n} not compared: {why}" for why, n in self.apart.items()]
        return "\n".join(lines)


def kept() -> dict[str, Any]:
    """What ``hashes.json`` holds."""
    found: dict[str, Any] = json.loads(HASHES.read_text(encoding="utf-8"))
    return found


def compare(chosen: Iterable[str], artifacts: Iterable[str] = tuple(GENERATE)) -> Comparison:
    """Generate anew and compare."""
    record, here, found = kept(), versions(), Comparison()
    artifacts = tuple(artifacts)
    comparable = []
    for artifact in artifacts:
        tool = TOOLS.get(artifact)
        if tool is None or record["versions"][tool] == here[tool]:
            comparable.append(artifact)
        else:
            why = f"{artifact} is of {tool} {record['versions'][tool]}, here is {here[tool]}"
            found.apart[why] = len(list(chosen))
    for name in chosen:
        before = record["designs"].get(name, {})
        now = generated(name, comparable)
        for artifact, content in now.items():
            if before.get(artifact) == content:
                found.equal += artifact != "design"
            else:
                found.differing.append(f"{name}: {artifact} was {before.get(artifact)}, is {content}")
    return found


def write(chosen: Iterable[str]) -> int:
    """Keep the hashes of what comes of these designs now; how many changed."""
    record = kept() if HASHES.is_file() else {"designs": {}}
    before = record["designs"]
    now = before | {name: generated(name) for name in chosen}
    now = {name: now[name] for name in names() if name in now}
    content = {"target": TARGET, "versions": versions(), "designs": now}
    write_atomically(HASHES, (json.dumps(content, indent=1) + "\n").encode())
    return sum(before.get(name, {}).get(key) != value for name, of in now.items() for key, value in of.items())
