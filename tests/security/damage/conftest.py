"""A run and a bundle that every command reads to its end, made up but for firmware and weights; tools are replaced."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from make_run import CLASSES, FEATURES, make_run

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.figures import Fidelity, Figure
from codesign.core.records import FlowResult, Flows, Verified
from codesign.core.runfolder import RunFolder
from codesign.data.sample import Sample
from codesign.families.base import Family
from codesign.flows.settings import family_config
from codesign.handoff import write_bundle
from codesign.pipeline import trial as candidate_trial
from codesign.pipeline.parts import PARTS, splits_of, write_part
from codesign.report import page
from codesign.study.definition import load_study, parse_study
from codesign.training import export
from codesign.training.lesson import Subject
from codesign.verify import rtl
from tests.handoff.conftest import build

_EVENTS = 5200


def whole_run(path: Path) -> tuple[RunFolder, int, int]:
    """A run with all that commands read of it: one trial of its front, whole; another trial beside it."""
    from safetensors.torch import save_file

    run = make_run(path, trials=6, front=2)
    number = build(run)
    folder = run.trial(number)
    study = parse_study((path / "study.yaml").read_text(), "study.yaml")
    study = study.model_copy(update={"space": load_study("jet-tagger").space})  # so that it can be taken up again
    (path / "study.yaml").write_text(study.to_yaml())
    rng = np.random.default_rng(2)
    sample = Sample(
        rng.normal(0, 1, (_EVENTS, len(FEATURES))).astype(np.float32),
        rng.integers(0, len(CLASSES), _EVENTS),
        FEATURES,
        ("GeV",) * len(FEATURES),
        CLASSES,
    )
    for name in PARTS:
        write_part(run, sample, splits_of(study), name)
    tests = len(sample.places("test", splits_of(study)))
    arrays = {
        "names": np.array(["boosted", "a cut"]),
        "scores0": rng.random((tests, 5)),
        "scores1": rng.random((tests, 5)),
    }
    np.savez(path / "parts" / "baselines-test.npz", **arrays)
    design = Design.load(folder.path)
    family = plugins.load(Family, study.family)
    config = family.config.model_validate(family_config(folder.read_json("config.json") or {}))
    network = family.build(config, Subject.of_design(design))
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, folder.path / "weights.safetensors")
    run.write("search.json", {"name": "made-up-0123456789ab"})
    results = [FlowResult(trial=number, flow="alkaid", equal=True, events=9)]
    run.write("flows.json", Flows(study="made-up", target="vu13p-360", results=results))
    other = next(t.number for t in run.trials() if t.number != number and (t.path / "design.json").is_file())
    return run, number, other


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, int]:
    run, number, other = whole_run(tmp_path_factory.mktemp("whole") / "made-up")
    return run.path, number, other


@pytest.fixture(scope="session")
def bundle(made: tuple[Path, int, int], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(made[0], made[1], tmp_path_factory.mktemp("bundles") / "bundle")


@pytest.fixture
def without_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tool runs, and nothing is fitted."""
    replace_tools(monkeypatch)


def replace_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of what takes seconds to minutes: its result. What is read before and after is read."""
    figures = [Figure.of("lut", 9, Fidelity.SYNTHESISED, "t", "1")]
    monkeypatch.setattr(candidate_trial, "synthesisers", lambda *_: {"synthesis": lambda work: figures})
    monkeypatch.setattr(
        "codesign.pipeline.flow_comparison.synthesisers", lambda *_: {"synthesis": lambda work: figures}
    )
    verdict = Verified(exact=True, events=1000, latency_cycles=3, initiation_interval=1, tool="t", version="1")
    monkeypatch.setattr(export, "brevitas_codes", lambda network, design, codes: export.qonnx_codes(design, codes))
    monkeypatch.setattr(rtl, "verify", lambda *_, **__: verdict)
    monkeypatch.setattr("codesign.core.plugins.names", lambda kind: ["alkaid"])
    monkeypatch.setattr("plotly.offline.get_plotlyjs", lambda: "")
    environment = page.environment()
    monkeypatch.setattr(page, "environment", lambda: environment)
    dashboard: Any = ModuleType("optuna_dashboard")
    dashboard.wsgi = lambda *_, **__: None
    monkeypatch.setitem(sys.modules, "optuna_dashboard", dashboard)
    monkeypatch.setattr("codesign.search.dashboard._answer", lambda *_: None)
