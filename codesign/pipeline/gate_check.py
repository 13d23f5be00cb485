"""A trial at gate level: what Yosys made of its RTL, simulated, gives the integers of the QONNX graph."""

from __future__ import annotations

from pathlib import Path

from codesign.core.errors import InputError
from codesign.core.probes import probe_codes
from codesign.core.records import Verified
from codesign.core.runfolder import RunFolder, TrialFolder
from codesign.graph import reference
from codesign.pipeline.trial import SYNTHESIS_TIMEOUT, firmware_for, golden_codes
from codesign.tools.gates import gate_level

__all__ = ("verify_gates",)

_EVENTS = 500


def verify_gates(run: RunFolder, number: int, target_name: str | None = None, output: Path | None = None) -> Verified:
    """Synthesise a trial for a target (default: the study's) and simulate the netlist (``codesign verify --gates``).

    On golden events where the trial has them, else on random and extreme codes. Netlist and logs lie in
    ``trials/NNNN/gates-TARGET``, or with ``output`` there. InputError for RTL that is not pipelined; errors as of
    :func:`codesign.tools.gates.gate_level` and :func:`codesign.verify.rtl.verify`.
    """
    from codesign.verify.rtl import verify

    folder, firmware = firmware_for(run, number, target_name)
    if firmware.rtl is None or firmware.rtl.protocol != "pipelined":
        raise InputError("gates are simulated of pipelined RTL only, such as the flow alkaid's")
    design, work = firmware.design, output or folder.path / f"gates-{firmware.target.name}"
    work.mkdir(exist_ok=True)
    gates = gate_level(firmware, work, SYNTHESIS_TIMEOUT)
    codes = golden_codes(folder, design)
    codes = (probe_codes(design.inputs) if codes is None else codes)[:_EVENTS]
    references = {reference.reference_name(design): reference.qonnx_codes(design, codes)}
    verdict = verify(gates, codes, references, work / "simulation")
    proven = verdict.model_copy(update={"proven": "gates"})
    if output is not None:
        TrialFolder(output).write("verify.json", proven)
    return proven
