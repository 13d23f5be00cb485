"""JSON Schemas of the records of a run and of a bundle's manifest, made from the models and kept beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from codesign.core.errors import InputError, nearest
from codesign.core.records import SCHEMAS
from codesign.core.runfolder import IMPORT, write_atomically
from codesign.core.targets import Target
from codesign.handoff.manifest import Manifest
from codesign.handoff.reference_distribution import REFERENCE, ReferenceDistribution
from codesign.handoff.stream.stream_record import StreamRecord
from codesign.importing.import_report import ImportReport
from codesign.study.imported_run import REPORT, ImportedRun

__all__ = ("NAMES", "STUDY", "TARGET", "schema", "write_schemas")

_MODELS: dict[str, type[BaseModel]] = {
    **SCHEMAS, "manifest.json": Manifest, IMPORT: ImportedRun, REPORT: ImportReport, "stream.json": StreamRecord,
    REFERENCE: ReferenceDistribution,
}  # fmt: skip
#: a study, whose schema is of what is installed, and is not kept
STUDY = "study"
#: a target's file
TARGET = "target"
#: the records that have a schema
NAMES = tuple(sorted(_MODELS))


def schema(name: str) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a record, e.g. ``front.json``, or of a ``study``'s or a ``target``'s file."""
    if name == STUDY:
        from codesign.study.study_schema import study_schema

        return study_schema()
    known: dict[str, type[BaseModel]] = {**_MODELS, TARGET: Target}
    if name not in known:
        there = (*known, STUDY)
        raise InputError(f"no schema for '{name}'{nearest(name, there)}; there are: {', '.join(there)}")
    made = known[name].model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": name}


def write_schemas(folder: Path) -> list[Path]:
    """Write every schema into ``folder`` as ``<record>.schema.json``."""
    written = []
    for name in NAMES:
        path = Path(folder) / f"{name.removesuffix('.json')}.schema.json"
        write_atomically(path, _text(schema(name)).encode())
        written.append(path)
    return written


def _text(made: dict[str, Any]) -> str:
    """JSON with one line per property and definition's entry: short, and a change shows as one line."""
    lines = []
    for key, value in made.items():
        if key in ("properties", "$defs"):
            inner = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in value.items())
            lines.append(f" {json.dumps(key)}: {{\n{inner}\n }}")
        else:
            lines.append(f" {json.dumps(key)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
