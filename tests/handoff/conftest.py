"""Makes ``make_run`` importable, and a run whose front point has real firmware and real golden vectors."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import make_run as made_up
from make_run import make_run

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.records import Front, Verified
from codesign.core.runfolder import RunFolder
from codesign.core.targets import load_target
from codesign.flows.base import Flow
from codesign.flows.reopening import seal_firmware, seal_verdict
from codesign.handoff import write_bundle
from codesign.pipeline.stages import add_figures
from codesign.rtl.provenance import count, provenance


def build(run: RunFolder) -> int:
    """Compile the smallest front point for real, and record what the flow itself says of it. Returns its number."""
    front = run.read("front.json", Front)
    folder = run.trial(front.points[0].trial)
    design = Design.load(folder.path)
    flow = plugins.load(Flow, "alkaid")
    firmware = flow.compile(design, load_target("vu13p-360"), folder.firmware)
    low, high = design.inputs.bounds
    inputs = np.random.default_rng(0).integers(low, high, (40, design.inputs.size), endpoint=True, dtype=np.int64)
    np.savez(folder.path / "golden.npz", inputs=inputs, outputs=flow.predict(firmware, inputs))
    verified = folder.read("verify.json", Verified).model_copy(
        update={"events": len(inputs), "latency_cycles": firmware.latency_cycles}
    )
    folder.write("verify.json", verified)
    add_figures(folder, [*provenance(flow.figures(firmware), firmware), *count(verified, firmware)])
    seal_firmware(flow, firmware)
    seal_verdict(folder, firmware)
    (folder.path / "weights.safetensors").write_bytes(b"stands for the weights")
    return folder.number


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "run" / "made-up", trials=12, front=3)


@pytest.fixture
def trial(run):
    return build(run)


def bundle_called(folder, features, classes, task="jet-tagging"):
    """A bundle, as hand-off writes it, whose inputs and outputs have these names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(made_up, "FEATURES", tuple(features))
        patch.setattr(made_up, "STUDY", made_up.STUDY | {"task": task, "sample": {}})
        patch.setattr(made_up, "CLASSES", tuple(classes))
        sample = {"feature_names": features, "units": ["GeV"] * len(features), "class_names": classes}
        patch.setattr(made_up, "SAMPLE", made_up.SAMPLE | sample)
        made = make_run(folder / "run" / "made-up", trials=12, front=3)
        return write_bundle(made.path, build(made), folder / "bundle")


@pytest.fixture(scope="session")
def packed(tmp_path_factory):
    """The bundle of the run above, made once: not to be touched."""
    folder = tmp_path_factory.mktemp("packed")
    made = make_run(folder / "made-up", trials=12, front=3)
    return write_bundle(made.path, build(made), folder / "bundle")


@pytest.fixture
def bundle(packed, tmp_path):
    """A copy of that bundle."""
    return Path(shutil.copytree(packed, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def names():
    """Plain names, as branches can have them."""
    return [f"f{i}" for i in range(16)]


@pytest.fixture(scope="session")
def named_bundle(tmp_path_factory, names):
    """A bundle whose inputs are called f0, f1, ...; not to be changed."""
    return bundle_called(tmp_path_factory.mktemp("named"), names, made_up.CLASSES)


def features(rows=600, seed=0):
    return np.random.default_rng(seed).normal(3, 20, (rows, 16)).astype(np.float32)


@pytest.fixture
def table(tmp_path, names):
    """Write a table of ``rows`` rows, and say where."""

    def write(name="jets.parquet", rows=60, seed=0):
        values = features(rows, seed)
        columns = {n: values[:, i] for i, n in enumerate(names)}
        pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / name)
        return tmp_path / name

    return write
