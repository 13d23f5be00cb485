"""Single files: studies, targets, cards and clusters in YAML, models, and samples of every form."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.security.fuzzing.runs import own_run, run_number, trial_in
from tests.security.fuzzing.subject import Subject, command
from tests.security.fuzzing.watch import until_a_tool

__all__ = ("SUBJECTS",)

_ROOT = Path(__file__).resolve().parents[3]


def _shipped(folder: Path, name: str) -> Path:
    return Path(shutil.copy(_ROOT / name, folder))


# ----------------------------------------------------------------------------------------------------------------- YAML
def _studies(folder: Path) -> Path:
    (folder / "studies").mkdir()
    for name in ("jet-tagger", "hlt-jet-energy", "jet-tagger-learned", "l1-anomaly-vae", "l1-tag-and-energy"):
        _shipped(folder / "studies", f"search/{name}.yaml")
    return folder / "studies"


def _resolved(root: Path) -> None:
    from codesign.search.resolve import resolve
    from codesign.study.definition import load_study

    for path in sorted(root.iterdir()):
        resolve(load_study(str(path)))


def _every(root: Path) -> list[Path]:
    return sorted(root.iterdir())


def _target(folder: Path) -> Path:
    own_run(folder)
    return _shipped(folder, "targets/ulx3s-85f.yaml")


def _loaded_target(path: Path) -> None:
    from codesign.core.targets import load_target

    load_target(str(path))


def _synthesised(path: Path) -> None:
    run = path.parent / "run"
    until_a_tool(lambda: command("synth", run, run_number(), "--target", path))


def _cards(folder: Path) -> Path:
    (folder / "cards").mkdir()
    for name in ("jets-13tev", "zero-bias"):
        _shipped(folder / "cards", f"codesign/physics/cards/{name}.yaml")
    return folder / "cards"


def _loaded_cards(root: Path) -> None:
    from codesign.physics.card import load_card, makes_events
    from codesign.physics.detector.event_card import load_event_card

    for path in sorted(root.iterdir()):
        load_event_card(str(path)) if makes_events(str(path)) else load_card(str(path))


def _cluster(folder: Path) -> Path:
    return _shipped(folder, "search/clusters/lxplus.yaml")


def _describe(path: Path) -> None:
    """A cluster is not begun: its scheduler is a server, and its jobs are tools."""
    from codesign.search.cluster import _describe

    _describe(path)


# --------------------------------------------------------------------------------------------------------------- models
def _model(folder: Path) -> Path:
    return Path(shutil.copy(trial_in(own_run(folder)).path / "model.onnx", folder / "model.onnx"))


def _graph(path: Path) -> None:
    from codesign.graph.exact import Exact
    from codesign.graph.interval import Interval, Intervals
    from codesign.graph.reader import read_graph

    graph = read_graph(path.read_bytes(), str(path))
    graph.run(np.zeros((3, 16)), Exact())
    graph.run(Interval(np.full((1, 16), -4.0), np.full((1, 16), 4.0), np.full((1, 16), 0.25)), Intervals())


def _weights(folder: Path) -> Path:
    import torch
    from safetensors.torch import save_file

    save_file({f"w{i}": torch.arange(1024.0).reshape(32, 32) + i for i in range(3)}, folder / "weights.safetensors")
    return folder / "weights.safetensors"


def _tensors(path: Path) -> None:
    from codesign.core.reading.tensor_file import tensors_of

    tensors_of(path.read_bytes(), str(path))


# -------------------------------------------------------------------------------------------------------------- samples
def _jets(folder: Path, suffix: str) -> Path:
    from codesign.data.readers.checks import CLASS_NAMES
    from codesign.data.sample import Sample
    from codesign.data.writers import write_sample
    from codesign.physics.substructure import FEATURE_NAMES, FEATURE_UNITS

    rng = np.random.default_rng(1)
    x, y = rng.uniform(1, 90, (40, 16)).astype("f4"), np.arange(40) % 5
    path = folder / f"jets{suffix}"
    if suffix == ".npz":
        np.savez(path, features=x, labels=y, class_names=np.array(CLASS_NAMES))
    elif suffix == ".h5":
        import h5py

        with h5py.File(path, "w") as file:
            file["jetFeatureNames"] = [f"j_{n}".encode() for n in (*FEATURE_NAMES, *CLASS_NAMES)]
            file.create_dataset("jets", data=np.hstack([x, np.eye(5, dtype="f4")[y]]), compression="gzip")
    elif suffix == ".arff":
        head = ["@relation jets", *(f"@attribute {n} numeric" for n in FEATURE_NAMES)]
        head += [f"@attribute class {{{','.join(CLASS_NAMES)}}}", "@data"]
        rows = [",".join([*map(str, row), CLASS_NAMES[label]]) for row, label in zip(x.tolist(), y, strict=True)]
        path.write_text("\n".join([*head, *rows]) + "\n")
    else:
        write_sample(Sample(x, y, FEATURE_NAMES, FEATURE_UNITS, CLASS_NAMES, (), {}), path)
    return path


def _events(folder: Path, suffix: str) -> Path:
    import awkward as ak
    import uproot

    jets = ak.zip({k: ak.Array([[30.0, 20.0], [], [40.0]] * 20) for k in ("pt", "eta", "phi")})
    columns: dict[str, Any] = {"run": np.ones(60, "i4"), "MET_pt": np.ones(60, "f4")}
    path = folder / f"events{suffix}"
    if suffix == ".parquet":
        ak.to_parquet(ak.zip({**columns, "Jet": ak.values_astype(jets, "f4")}, depth_limit=1), path)
        return path
    with uproot.recreate(path) as file:
        kinds = {"run": "i4", "MET_pt": "f4", "Jet": 'var * {"pt": float32, "eta": float32, "phi": float32}'}
        file.mktree("Events", kinds).extend({**columns, "Jet": ak.values_astype(jets, "f4")})
    return path


def _shown(path: Path) -> None:
    command("data", "show", path)


def _read(path: Path) -> None:
    from codesign.data.readers import read_sample

    read_sample(path)


def _sample(suffix: str, make: Any = _jets, doors: Any = (_shown, _read)) -> Subject:
    return Subject(partial(make, suffix=suffix), doors)


SUBJECTS: dict[str, Subject] = {
    "study": Subject(_studies, (_resolved,), _every),
    "target": Subject(_target, (_loaded_target, _synthesised)),
    "generator card": Subject(_cards, (_loaded_cards,), _every),
    "cluster": Subject(_cluster, (_describe,)),
    "ONNX": Subject(_model, (_graph,)),
    "safetensors": Subject(_weights, (_tensors,)),
    "ROOT jets": _sample(".root"),
    "ROOT events": _sample(".root", _events, (_shown,)),
    "HDF5": _sample(".h5"),
    "Parquet": _sample(".parquet"),
    "Parquet events": _sample(".parquet", _events, (_shown,)),
    "NumPy": _sample(".npz"),
    "ARFF": _sample(".arff"),
}
