"""Damaged and forged files through the doors that read them: what is executed, what hangs, what ends in a traceback.

    python -m tests.security.fuzz --count 5000 --seed 1 -o fuzz.json

Each case is one file of a store, run folder, bundle, study, ONNX, ROOT, HDF5, Parquet or NumPy sample, with bits
flipped, cut, spliced or with values replaced, given to a door in a forked process. That process is watched by what it
does: an audit hook sees processes, connections, loaded libraries and writes outside of its folder; a limit of processor
time above that of the undamaged file sees hangs; what is neither read nor refused with one line is a traceback. A case
is told by its seed and number: ``--only N`` runs one again, and prints its error.
"""

from __future__ import annotations

import argparse
import faulthandler
import gzip
import importlib
import io
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from codesign.errors import CodesignError
from tests.security.strangers import bundle_in, forge, run_in

#: s of processor time above that of the undamaged file
HANG = 2
#: bytes of memory above what the process has before
_BYTES = 4 << 30
_IMPORTED = (
    "alkaid.types", "awkward", "codesign.cli", "codesign.hardware.alkaid", "codesign.handoff.apply.run",
    "codesign.handoff.proof", "codesign.physics.events.show", "codesign.report.html", "h5py", "onnxruntime",
    "pyarrow.parquet", "safetensors.torch", "uproot", "uproot.models.RNTuple", "uproot.models.TTree",
)  # fmt: skip
_WATCHED = (
    "subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork", "os.forkpty", "pty.spawn",
    "socket.connect", "ctypes.dlopen", "pickle.find_class",
)  # fmt: skip
_VALUES = (
    b"null", b"-1", b"1e999", b"NaN", b"[]", b"{}", b'""', b'"x"', b"0", b"1e300", b"9" * 5000, b"true",
    b"[" * 3000, b'"\\u0000"', b"18446744073709551616", b'"../../../etc/passwd"',
)  # fmt: skip
_WORDS = re.compile(rb'-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|"[^"\n]*"|true|false|null|(?<=: )[a-z][\w-]*')


def damaged(content: bytes, rng: np.random.Generator, text: bool) -> bytes:
    """A file with bits flipped, cut, spliced, or a value replaced; archives inside as well as outside."""
    if content[:4] == b"PK\x03\x04" and rng.random() < 0.6:
        return _within_zip(content, rng)
    if content[:2] == b"\x1f\x8b" and rng.random() < 0.7:
        return gzip.compress(damaged(gzip.decompress(content), rng, True), mtime=0)
    found = bytearray(content)
    kind = int(rng.integers(0, 10))
    if text and kind < 6 and (words := list(_WORDS.finditer(content))):
        for word in sorted(rng.choice(len(words), min(len(words), int(rng.integers(1, 3))), replace=False))[::-1]:
            found[words[word].start() : words[word].end()] = _VALUES[int(rng.integers(len(_VALUES)))]
        return bytes(found)
    if not found:
        return bytes(rng.bytes(int(rng.integers(1, 100))))
    if kind == 6:
        return bytes(found[: int(rng.integers(0, len(found)))])
    if kind == 7:
        start, to = (int(v) for v in rng.integers(0, len(found), 2))
        found[to : to + 64] = found[start : start + int(rng.integers(1, 4096))]
    elif kind == 8:
        at = int(rng.integers(0, len(found)))
        found[at : at + 8] = [b"\xff" * 8, b"\x7f" + b"\xff" * 7, bytes(8), b"\xff" * 3 + b"\x7f"][int(rng.integers(4))]
    else:
        reach = len(found) if rng.random() < 0.6 else min(len(found), 512)
        for at in rng.integers(0, reach, int(rng.integers(1, 9))):
            found[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(found)


def _within_zip(content: bytes, rng: np.random.Generator) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(files)[int(rng.integers(len(files)))]
    files[name] = damaged(files[name], rng, name.endswith((".json", ".yaml", ".v", ".tcl")))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for each, inner in files.items():
            archive.writestr(each, inner)
    return buffer.getvalue()


def _command(*words: object) -> None:
    """A command of the command line, in this process."""
    from codesign.cli import app

    app([str(word) for word in words], standalone_mode=False)


@dataclass
class Subject:
    """A kind of file, and the doors that read it: ``make`` writes it whole, ``mutable`` are the files to damage."""

    make: Callable[[Path], Path]
    doors: tuple[Callable[[Path], None], ...]
    mutable: Callable[[Path], list[Path]] = field(default=lambda path: [path])
    place: Callable[[Path, Path, bytes], None] = field(
        default=lambda root, path, content: path.write_bytes(content) and None
    )


def _run_files(root: Path) -> list[Path]:
    trial = root / "trials" / f"{_NUMBER[0]:04d}"
    records = [p for p in (*root.iterdir(), *(root / "trials" / "0003").iterdir()) if p.is_file()]
    # what the flow's tools alone open is not read here
    return [
        *records,
        *(p for p in trial.rglob("*") if p.is_file() and p.suffix in (".json", ".onnx", ".npz", ".gz", ".safetensors")),
    ]


_NUMBER = [0]


def _run(folder: Path) -> Path:
    path, _NUMBER[0] = run_in(folder)
    return path


def _forge(root: Path, path: Path, content: bytes) -> None:
    forge(root, path.relative_to(root).as_posix(), content) if path.name != "manifest.json" else path.write_bytes(
        content
    )


def _bundle_files(root: Path) -> list[Path]:
    read = [p for p in root.rglob("*") if p.suffix in (".json", ".onnx", ".npz")]
    return [*read, *[root / "manifest.json", root / "onnx" / "codes.onnx", root / "onnx" / "features.onnx"] * 2]


def _zipped(folder: Path) -> Path:
    from codesign.handoff.archive import pack

    pack(bundle_in(folder), folder / "b.zip", "b")
    return folder / "b.zip"


def _apply(root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tests.make_run import FEATURES

    table = pa.table({name: np.linspace(-3, 3, 50, dtype="f4") for name in FEATURES})
    pq.write_table(table, root.parent / "events.parquet")
    _command("apply", root, root.parent / "events.parquet", "-o", root.parent / "scores.parquet")


def _study(folder: Path) -> Path:
    return Path(shutil.copy(Path(__file__).parents[2] / "search" / "jet-tagger.yaml", folder / "study.yaml"))


def _parsed(path: Path) -> None:
    from codesign.study import load_study

    load_study(str(path))


def _model(folder: Path) -> Path:
    run = _run(folder)
    return Path(shutil.copy(run / "trials" / f"{_NUMBER[0]:04d}" / "model.onnx", folder / "model.onnx"))


def _graph(path: Path) -> None:
    from codesign.graph.exact import Exact
    from codesign.graph.reader import read_graph

    read_graph(path.read_bytes(), str(path)).run(np.zeros((3, 16)), Exact())


def _store(folder: Path) -> Path:
    """A store with the firmware, weights and figures of a trial."""
    from codesign import store
    from codesign.runfolder import RunFolder

    run = RunFolder(_run(folder)).trial(_NUMBER[0])
    kept = store.Store(str(folder / "store"))
    firmware = {p.relative_to(run.firmware).as_posix(): p.read_bytes() for p in run.firmware.rglob("*") if p.is_file()}
    kept.put("firmware", "f" * 64, firmware)
    kept.put("synthesis", "a" * 64, {"figures.json": json.dumps(run.read_json("figures.json")["figures"]).encode()})
    files = {name: (run.path / name).read_bytes() for name in ("model.onnx", "design.json", "weights.safetensors")}
    kept.put("weights", "b" * 64, {**files, "more.json": b"{}"})
    return folder / "store"


def _taken(root: Path) -> None:
    """What a search takes of a store: firmware, opened and run; figures; a trained network's design."""
    from codesign import plugins, store
    from codesign.candidate import kept
    from codesign.design import Design
    from codesign.runfolder import RunFolder
    from codesign.targets import load_target

    store.use(str(root))
    design = Design.load(RunFolder(root.parent / "run").trial(_NUMBER[0]).path)
    flow, target = plugins.load("flows", "alkaid"), load_target("vu13p-360")
    original, store.digest = store.digest, lambda content: ("f" if "flow" in content else "a") * 64

    def again(*_: object, **__: object) -> Any:
        raise CodesignError("made again")

    type(flow).compile = again
    try:
        low, high = design.inputs.bounds
        firmware, _ = kept.compiled(flow, design, target, root.parent / "firmware", None, low[None])
        flow.predict(firmware, np.stack([low, high]))
        flow.figures(firmware)
        kept.synthesised(firmware, 1.0, again, "synthesis")
        trial = RunFolder(root.parent / "taken").trial(0)
        if kept.trained("b" * 64, trial) is not None:
            Design.load(trial.path)
    finally:
        store.digest = original


def _jets(folder: Path, suffix: str) -> Path:
    from codesign.physics.readers.checks import CLASS_NAMES
    from codesign.physics.sample import Sample
    from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS
    from codesign.physics.writers import write_sample

    rng = np.random.default_rng(1)
    x, y = rng.uniform(1, 90, (40, 16)).astype("f4"), np.arange(40) % 5
    path = folder / f"jets{suffix}"
    if suffix == ".npz":
        np.savez(path, features=x, labels=y)
    elif suffix == ".h5":
        import h5py

        with h5py.File(path, "w") as file:
            file["jetFeatureNames"] = [f"j_{n}".encode() for n in (*FEATURE_NAMES, *CLASS_NAMES)]
            file.create_dataset("jets", data=np.hstack([x, np.eye(5, dtype="f4")[y]]), compression="gzip")
    else:
        write_sample(Sample(x, y, FEATURE_NAMES, FEATURE_UNITS, CLASS_NAMES, None, {}), path)
    return path


def _tree(folder: Path) -> Path:
    import uproot

    with uproot.recreate(folder / "events.root") as file:
        tree = file.mktree(
            "Events", {"run": "i4", "MET_pt": "f4", "Jet": 'var * {"pt": float32, "eta": float32, "phi": float32}'}
        )
        import awkward as ak

        jets = ak.zip({k: ak.Array([[30.0, 20.0], [], [40.0]] * 20) for k in ("pt", "eta", "phi")})
        tree.extend({"run": np.ones(60, "i4"), "MET_pt": np.ones(60, "f4"), "Jet": ak.values_astype(jets, "f4")})
    return folder / "events.root"


def _shown(path: Path) -> None:
    _command("data", "show", path)


def _report(root: Path) -> None:
    _command("report", root)


def _handoff(root: Path) -> None:
    _command("handoff", root, _NUMBER[0], "-o", root.parent / "out")


def _check(path: Path) -> None:
    _command("check", path)


SUBJECTS: dict[str, Subject] = {
    "store": Subject(_store, (_taken,), lambda root: sorted(root.rglob("*.zip"))),
    "run folder": Subject(_run, (_report, _handoff), _run_files),
    "bundle": Subject(bundle_in, (_check, _apply), _bundle_files, _forge),
    "bundle zip": Subject(_zipped, (_check,)),
    "study": Subject(_study, (_parsed,)),
    "ONNX": Subject(_model, (_graph,)),
    "ROOT jets": Subject(lambda folder: _jets(folder, ".root"), (_shown,)),
    "ROOT events": Subject(_tree, (_shown,)),
    "HDF5": Subject(lambda folder: _jets(folder, ".h5"), (_shown,)),
    "Parquet": Subject(lambda folder: _jets(folder, ".parquet"), (_shown,)),
    "NumPy": Subject(lambda folder: _jets(folder, ".npz"), (_shown,)),
}


def _watch(work: Path, seen: list[str]) -> None:
    inside = (str(work), "/dev/null", "/proc/self/")

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in _WATCHED:
            seen.append(f"{event} {str(args)[:200]}")
        elif event == "open" and isinstance(args[0], str | bytes | os.PathLike):
            path, (mode, flags) = os.path.abspath(os.fsdecode(args[0])), args[1:3]
            writes = (isinstance(mode, str) and set(mode) & set("wax+")) or (
                isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            )
            if writes and not path.startswith(inside):
                seen.append(f"write {path}")

    sys.addaudithook(hook)


def _in_child(work: Path, door: Callable[[Path], None], path: Path, seconds: float) -> dict[str, Any]:
    """Give a file to a door in a process of its own; what came of it."""
    read, write = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(read)
        said: dict[str, Any] = {"outcome": "read", "seen": []}
        try:
            devnull = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(devnull, stream)
            faulthandler.disable()
            os.chdir(work)
            tempfile.tempdir = str(work)
            limit = int(seconds) + 1 + HANG
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
            has = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (has + _BYTES, has + _BYTES))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            signal.alarm(180)
            _watch(work, said["seen"])
            try:
                door(path)
            except CodesignError as error:
                lines = str(error).splitlines()
                said |= {"outcome": "refused" if len(lines) == 1 else "traceback", "error": str(error)[:500]}
            except SystemExit as error:
                said["outcome"] = "read" if not error.code else "refused"
            except BaseException as error:
                said |= {"outcome": "traceback", "error": "".join(traceback.format_exception(error))[-1500:]}
            said["seconds"] = sum(os.times()[:2])
            os.write(write, json.dumps(said).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        content = stream.read()
    _, status = os.waitpid(child, 0)
    if content:
        return dict(json.loads(content))
    by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    hung = by in (signal.SIGXCPU, signal.SIGKILL, signal.SIGALRM)
    wall = round(time.monotonic() - began, 1)
    return {"outcome": "hang" if hung else "traceback", "error": f"ended by signal {by} after {wall} s", "seen": []}


def fuzz(numbers: range, seed: int, say: Callable[[str], None] = lambda text: None) -> dict[str, Any]:
    """Run cases; counts of ``executions``, ``hangs``, ``tracebacks``, ``refused`` and ``read``, and the bad ones."""
    for module in _IMPORTED:  # once, before all processes
        importlib.import_module(module)
    root = Path(tempfile.mkdtemp(prefix="codesign-fuzz-"))
    whole: dict[str, tuple[Path, Path]] = {}
    clean: dict[tuple[str, int], dict[str, Any]] = {}
    counts: dict[str, Counter[str]] = {}
    bad: list[dict[str, Any]] = []
    try:
        for number in numbers:
            name = list(SUBJECTS)[number % len(SUBJECTS)]
            subject, rng = SUBJECTS[name], np.random.default_rng([seed, number])
            if name not in whole:
                folder = root / name.replace(" ", "-")
                folder.mkdir()
                whole[name] = folder, subject.make(folder)
            folder, made = whole[name]
            which = int(rng.integers(len(subject.doors)))
            work = root / "work"
            shutil.copytree(folder, work, copy_function=os.link)
            path = work / made.relative_to(folder)
            if (name, which) not in clean:
                found = _in_child(work, subject.doors[which], path, 60)
                if found["outcome"] != "read":
                    raise AssertionError(f"{name}: the undamaged file is not read: {found}")
                clean[name, which] = found
                shutil.rmtree(work)
                shutil.copytree(folder, work, copy_function=os.link)
            files = subject.mutable(path)
            victim = files[int(rng.integers(len(files)))]
            content = victim.read_bytes()
            for linked in {victim, path / "manifest.json"}:
                if linked.is_file():  # of its own from here on
                    own = linked.read_bytes()
                    linked.unlink()
                    linked.write_bytes(own)
            subject.place(path, victim, damaged(content, rng, victim.suffix in (".json", ".yaml")))
            found = _in_child(work, subject.doors[which], path, clean[name, which]["seconds"])
            known = {re.sub(r"\W\w{8}\b", "", s) for s in clean[name, which]["seen"]}
            executed = [s for s in found["seen"] if re.sub(r"\W\w{8}\b", "", s) not in known]
            if found.get("seconds", 0) > clean[name, which]["seconds"] + HANG:
                found["outcome"] = "hang"
            counts.setdefault(name, Counter())[found["outcome"]] += 1
            if executed or found["outcome"] in ("hang", "traceback"):
                counts[name]["executed"] += bool(executed)
                bad.append(
                    {"number": number, "of": name, "file": str(victim.relative_to(work)), **found, "seen": executed}
                )
                say(f"{number}: {name}, {victim.relative_to(work)}: {found['outcome']} {executed or ''}")
            shutil.rmtree(work)
            if number % 100 == 99:
                say(f"{number + 1 - numbers.start} of {len(numbers)}: {dict(sum(counts.values(), Counter()))}")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    total = sum(counts.values(), Counter())
    names = {"executions": "executed", "hangs": "hang", "tracebacks": "traceback", "refused": "refused", "read": "read"}
    return {
        "seed": seed,
        "cases": len(numbers),
        **{key: total[name] for key, name in names.items()},
        "by kind": {name: {key: count[inner] for key, inner in names.items()} for name, count in counts.items()},
        "bad": bad,
    }


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--start", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="run this case alone")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    numbers = range(given.start, given.start + given.count) if given.only is None else range(given.only, given.only + 1)
    found = fuzz(numbers, given.seed, lambda text: print(text, file=sys.stderr, flush=True))
    text = json.dumps(found, indent=1)
    given.output.write_text(text + "\n") if given.output else print(text)
    return int(bool(found["executions"] or found["hangs"] or found["tracebacks"]))


if __name__ == "__main__":
    sys.exit(main())
