"""What each record measures, its command, and the commit at which it was made.

``reports/reference/index.json`` says of each record its hash, commit and date, and the versions of the tools that it
names. A record that was made anew gets a new entry from ``python -m tests.documents``. Of records of simulated jets or
trigger events it says with which version of the simulation they were made: the record's own word where it has one, else
that of the code at its commit. The page of evidence says which are of an older one.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from codesign.data import generated
from codesign.physics.detector import simulate
from tests.documents.numbers import RECORDS
from tests.trees import ROOT

__all__ = ("INDEX", "MADE_BY", "SIMULATED", "index", "older", "outdated", "page", "unlisted")

INDEX = RECORDS / "index.json"

#: record -> what it measures, and the command that makes it
MADE_BY: dict[str, tuple[str, str]] = {
    "anomaly_rates.json": (
        "every method of the anomaly trigger at 1e-3 and below, in pairs",
        "python -m tests.benchmarks.anomaly_rates RATES RUN...",
    ),
    "bench.json": ("training steps, event rates, candidates an hour, trigger events", "make bench"),
    "calibration.json": ("how well each cheap figure foretells a dear one", "make calibration"),
    "cms_response.json": (
        "`data response` on CMS's own sample, corrections and resolution",
        "python -m tests.benchmarks.cms_response NANOAOD JSON TEXTS",
    ),
    "composition.json": (
        "offline jets' composition beside CMS's simulation, fitted on one half, judged on the other",
        "python -m codesign.physics.detector.composition_fit NANOAOD --own TTBAR --fit",
    ),
    "circuit_kinds.json": (
        "compiled and synthesised figures of small circuits of each kind",
        "python -m tests.benchmarks.circuit_kinds",
    ),
    "constituents.json": (
        "JEDI-linear on jets that nobody chose it by",
        "python -m tests.benchmarks.constituents_judged JETS",
    ),
    "constituents_bench.json": (
        "networks on constituents beside HGQ2's JEDI-linear, unrolled and folded",
        "make bench-constituents",
    ),
    "coverage.json": (
        "stated errors beside the spread over independent samples",
        "python -m tests.benchmarks.coverage",
    ),
    "detector.json": (
        "the detector simulation beside CMS's published performance",
        "python -m codesign.physics.detector.validate --dijets 900 --top-pairs 250 --zero-bias 900",
    ),
    "embedding_front.json": (
        "the anomaly trigger by an embedding beside the plain autoencoder",
        "python -m tests.benchmarks.embedding_front",
    ),
    "examples.json": ("the worked examples, each as a user runs it", "python -m tests.benchmarks.examples"),
    "families.json": ("networks and trees in one search", "python -m tests.benchmarks.families"),
    "flows.json": ("the demo's front through alkaid, FINN and hls4ml", "codesign flows runs/jet-tagger"),
    "folded_board.json": ("a folded deep set on an ULX3S", "python -m tests.benchmarks.folded_board"),
    "folding.json": ("folded and unrolled networks over items", "python -m tests.benchmarks.folding"),
    "front.json": ("the demo's front", "make demo"),
    "item_prices.json": (
        "learned precision of items with and without its prices and its start in floating point",
        "python -m tests.benchmarks.sets.prices",
    ),
    "item_studies.json": (
        "demos of the studies on items, as a user runs them",
        "python -m tests.benchmarks.item_studies",
    ),
    "full_jets.json": (
        "shapes of the ungroomed jet beside its groomed features, on published jets too",
        "python -m tests.benchmarks.full_jets JETS --events 8000 --epochs 25",
    ),
    "fuzz.json": ("damaged files given to every command", "make fuzz"),
    "handoff.json": ("rates of emulators and of apply", "python -m tests.benchmarks.handoff_record"),
    "hlt_jets.json": (
        "HLT jets uncorrected, corrected by factors, trees, a network, in pairs",
        "python -m tests.benchmarks.hlt_jets --dijets 2000 --ttbar 1500",
    ),
    "items.json": ("families on items in every domain", "python -m tests.benchmarks.item_flows"),
    "import_destinations.json": (
        "a network of each source on a board",
        "python -m tests.benchmarks.import_destinations",
    ),
    "imports.json": ("public trained networks", "python -m tests.benchmarks.imports FOLDER"),
    "imports_brevitas.json": ("usual Brevitas modules", "python -m tests.benchmarks.imports_brevitas"),
    "imports_keras.json": ("public Keras files in each domain", "python -m tests.benchmarks.imports_keras"),
    "kept.json": ("speed beside an earlier version", "make bench-kept"),
    "l1_rates.json": (
        "rates of common Level-1 seeds beside those that CMS published",
        "python -m tests.benchmarks.l1_rates --events 4000 --harder 3000",
    ),
    "label_free.json": (
        "anomaly triggers chosen without looking at signals",
        "python -m tests.benchmarks.label_free RUN",
    ),
    "largest.json": ("time and memory of the largest folded designs", "python -m tests.benchmarks.largest"),
    "learned.json": ("learned precision: fronts and choices", "python -m tests.benchmarks.learned_front"),
    "learned_ranges.json": (
        "activations that wrap, and weights with ranges of their own",
        "python -m tests.benchmarks.learned_ranges",
    ),
    "nightly.json": ("what runs at night, part by part", "make nightly"),
    "peers.json": ("beside HGQ2 and FINNAS's way", "make bench-peers"),
    "published.json": (
        "a published design rebuilt from its authors' checkpoint",
        "python -m tests.benchmarks.published CHECKPOINT",
    ),
    "random_graphs.json": ("random graphs in all domains", "python -m tests.graph.many"),
    "remade.json": ("records that were made anew, drawn by a commit", "python -m tests.documents.remade"),
    "report_page.json": ("a report of many trials in a browser", "python -m tests.benchmarks.report_page"),
    "search.json": ("samplers, workers, refused candidates", "python -m tests.benchmarks.search.samplers"),
    "search_tables.json": (
        "every candidate of four small studies, in which samplers are compared",
        "python -m tests.benchmarks.search.tables",
    ),
    "sigkills.json": ("searches that are killed at random", "python -m tests.search.sigkills"),
    "stream.json": (
        "60 s of the 40 MHz stream, alarms for what is changed on purpose, and its pace",
        "python -m tests.benchmarks.stream BUNDLE EVENTS --shifted OTHERS",
    ),
    "studies.json": ("the shipped studies", "python -m tests.benchmarks.studies STUDY"),
    "training_memory.json": ("a million jets in training", "python -m tests.benchmarks.training_memory"),
    "tree_calibration.json": (
        "how well costs of trees foretell LUTs",
        "python -m codesign.calibration.tree_fits FOLDER --output reports/reference/tree_calibration.json",
    ),
    "tree_flows.json": ("trees through our Verilog, alkaid and conifer", "python -m tests.benchmarks.tree_flows"),
    "tree_imports.json": ("model files of the libraries of trees", "python -m tests.benchmarks.tree_imports"),
    "wrappers.json": ("what each wrapper adds to a network", "python -m tests.benchmarks.wrappers"),
}

#: what is simulated -> the file in which its version stands, and the version of today
GENERATIONS: dict[str, tuple[str, int]] = {
    "events": ("codesign/physics/detector/simulate.py", simulate.GENERATION_VERSION),
    "jets": ("codesign/data/generated.py", generated.GENERATION_VERSION),
}
#: record -> what is simulated of it; the others measure what does not depend on the events, as coverage.json, which
#: has toys of its own, or take published ones
SIMULATED: dict[str, tuple[str, ...]] = {
    "anomaly_rates.json": ("events",),
    "composition.json": ("events",),
    "constituents.json": ("jets",),
    "constituents_bench.json": ("jets",),
    "detector.json": ("events",),
    "embedding_front.json": ("events",),
    "families.json": ("events", "jets"),
    "front.json": ("jets",),
    "full_jets.json": ("jets",),
    "hlt_jets.json": ("events",),
    "l1_rates.json": ("events",),
    "label_free.json": ("events",),
    "learned.json": ("jets",),
    "learned_ranges.json": ("jets",),
    "peers.json": ("jets",),
    "search.json": ("events", "jets"),
    "search_tables.json": ("events", "jets"),
    "stream.json": ("events",),
    "studies.json": ("events", "jets"),
}


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _versions(record: Any) -> dict[str, str]:
    """Of the tools that a record names, wherever in it."""
    found: dict[str, str] = {}
    if isinstance(record, dict):
        for key, value in record.items():
            if key in ("versions", "tools") and isinstance(value, dict):
                found |= {str(k): v for k, v in value.items() if isinstance(v, str)}
            if isinstance(value, dict | list):
                found = _versions(value) | found
    elif isinstance(record, list):
        for value in record[:3]:
            found = _versions(value) | found
    return found


def _commit(path: Path) -> str:
    command = ["git", "log", "-1", "--format=%h", "--", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _own_versions(record: Any) -> dict[str, int]:
    """The least version of each kind that the record says itself, wherever in it."""
    found: dict[str, int] = {}
    for value in record.values() if isinstance(record, dict) else record:
        if isinstance(value, dict | list):
            for kind, version in _own_versions(value).items():
                found[kind] = min(version, found.get(kind, version))
    if isinstance(record, dict) and isinstance(version := record.get("generation_version"), int):
        kind = "events" if record.get("origin") == "simulated" or "calibration" in record else "jets"
        found[kind] = min(version, found.get(kind, version))
    return found


def simulation_of(name: str, record: Any, commit: str) -> dict[str, int]:
    """By kind of :data:`GENERATIONS` the version of the simulation with which a record was made; today's where it says
    none and its commit is not known."""
    own, found = _own_versions(record), {}
    for kind in SIMULATED.get(name, ()):
        path, today = GENERATIONS[kind]
        command = ["git", "show", f"{commit}:{path}"]
        then = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
        said = re.search(r"(?m)^GENERATION_VERSION = (\d+)$", then)
        found[kind] = own.get(kind, int(said[1]) if said else today)
    return found


def index() -> dict[str, Any]:
    """The index as it should be: entries of records that are as they were stay."""
    kept = json.loads(INDEX.read_text(encoding="utf-8")) if INDEX.exists() else {}
    found = {}
    for path in sorted(RECORDS.glob("*.json")):
        if path == INDEX:
            continue
        own = kept.get(path.name)
        if (
            own is None
            or own["hash"] != _hash(path)
            or set(own.get("simulation", "?")) != set(SIMULATED.get(path.name, ()))
        ):
            record = json.loads(path.read_text(encoding="utf-8"))
            said = record if isinstance(record, dict) else {}
            commit = str(said.get("commit") or _commit(path))[:12]
            own = {
                "hash": _hash(path),
                "commit": commit,
                "date": str(said.get("date") or datetime.now(UTC).date())[:10],
                "simulation": simulation_of(path.name, record, commit),
                "versions": _versions(record),
            }
        found[path.name] = own
    return found


def unlisted() -> list[str]:
    """Records of which nobody says how they are made."""
    return [p.name for p in RECORDS.glob("*.json") if p != INDEX and p.name not in MADE_BY]


def outdated() -> list[str]:
    """Records that were made with another version of a tool than the locked one."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {canonicalize_name(n): v for n, v in re.findall(r"(?m)^([\w.-]+)==(\S+)$", lock)}
    found = []
    for name, entry in json.loads(INDEX.read_text(encoding="utf-8")).items():
        for tool, version in entry["versions"].items():
            now = locked.get(canonicalize_name(tool))
            if now is not None and now.partition("+")[0] != version.partition("+")[0]:
                found.append(f"{name}: made with {tool} {version}, {now} is locked: {MADE_BY[name][1]}")
    return found


def _is_older(entry: dict[str, Any]) -> bool:
    return any(version < GENERATIONS[kind][1] for kind, version in entry["simulation"].items())


def older() -> list[str]:
    """Records that were made with an older version of the simulation than that of today."""
    rows = json.loads(INDEX.read_text(encoding="utf-8"))
    return [name for name in MADE_BY if name in rows and _is_older(rows[name])]


def _simulation(entry: dict[str, Any]) -> str:
    said = ", ".join(f"{kind} {version}" for kind, version in entry["simulation"].items())
    return f"**{said}: older**" if _is_older(entry) else said


def page() -> str:
    """The documentation's page of evidence."""
    rows = json.loads(INDEX.read_text(encoding="utf-8"))
    lines = [
        "# Evidence",
        "",
        "Every measured number of the README and of these pages comes from a record in `reports/reference`, written by",
        "a command. This page is made from the records by `make numbers`; a test fails where text and record differ.",
        "",
        "| record: what it measures | command | made: commit, date, simulation; with |",
        "|---|---|---|",
    ]
    for name, (what, command) in MADE_BY.items():
        if name not in rows:
            continue
        own = rows[name]
        tools = ", ".join(f"{tool} {version}" for tool, version in own["versions"].items())
        made = ", ".join(filter(None, (own["commit"][:7], own["date"], _simulation(own))))
        lines.append(f"| `{name}`: {what} | `{command}` | {'; '.join(filter(None, (made, tools)))} |")
    today = ", ".join(f"{kind} {version}" for kind, (_, version) in GENERATIONS.items())
    old = ", ".join(f"`{name}`" for name in older())
    lines += [
        "",
        f"Versions of the simulation today: {today}. Made with an older one, so that a new measurement may find other",
    ]
    lines += [f"numbers: {old or 'none'}."]
    lines += ["", "All were measured on two cores of x86-64 without a GPU, where a record does not say otherwise.", ""]
    return "\n".join([*lines, *_nights()])


def _nights() -> list[str]:
    """What runs at night, and when each part last ran."""
    if not (RECORDS / "nightly.json").exists():
        return []
    parts = json.loads((RECORDS / "nightly.json").read_text(encoding="utf-8"))["parts"]
    newest = max(parts.values(), key=lambda part: part["date"])["commit"]
    rows = [
        f"| {name} | {part['outcome']} | {part['seconds']} | {part['date'][:10]} | {part['commit']}"
        f"{'' if part['commit'] == newest else ' (an older one)'} |"
        for name, part in sorted(parts.items())
    ]
    said = "Too long for every change: `make nightly` runs these parts and keeps of each what became of it last."
    return ["## At night", "", said, "", "| part | outcome | s | date | commit |", "|---|---|---|---|---|", *rows, ""]
