"""A run with firmware that one user made, sealed with her key, for another to read."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import numpy as np

from codesign.core import plugins
from codesign.core.design import Design
from codesign.core.probes import probe_codes
from codesign.core.records import Front, Verified
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.core.targets import load_target
from codesign.flows import reopening as door
from codesign.flows.base import Flow
from tests.make_run import make_run

TARGET = load_target("vu13p-360")


@dataclass
class Shared:
    """A run that Ann made and Bob reads; its one trial with firmware."""

    run: RunFolder
    trial: TrialFolder
    design: Design
    flow: object

    def open(self, **how):
        return door.reopen_firmware(self.trial, self.flow, self.design, TARGET, **how)


def made_by_ann(path, design, flow_name="alkaid"):
    """A run at ``path`` whose one trial on the front has firmware of ``design`` by this flow, proven and sealed."""
    run = make_run(path, trials=3, front=1)
    study = run.path / "study.yaml"
    study.write_text(study.read_text().replace("alkaid", flow_name))
    trial = run.trial(run.read("front.json", Front).points[0].trial)
    design.save(trial.path)
    status = trial.read_json("status.json")
    trial.write("status.json", status | {"design": design.hash})
    flow = plugins.load(Flow, flow_name)
    shutil.rmtree(trial.firmware)
    firmware = flow.compile(design, TARGET, trial.firmware)
    door.seal_firmware(flow, firmware)
    codes = probe_codes(design.inputs)[-20:]
    np.savez(trial.path / "golden.npz", inputs=codes, outputs=flow.predict(firmware, codes))
    (trial.path / "weights.safetensors").write_bytes(b"stands for the weights")
    verdict = trial.read("verify.json", Verified)
    cycles = firmware.rtl.latency_cycles if firmware.rtl is not None else None
    trial.write("verify.json", verdict.model_copy(update={"exact": True, "latency_cycles": cycles}))
    door.seal_verdict(trial, firmware)
    return Shared(run, trial, design, flow)


def contents(folder):
    """The bytes of every file below a folder, by its path there."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
