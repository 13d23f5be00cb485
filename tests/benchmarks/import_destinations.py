"""``python -m tests.benchmarks.import_destinations [SOURCE ...]``: a network of each source, as far as hardware goes.

Each is imported for an ULX3S and taken through ``codesign verify``, ``synth``, ``bitstream`` (whose simulated board
answers every golden event), ``handoff``, ``check --emulator``, ``apply`` and ``report``, by the commands themselves.
What became of each step stands in ``reports/reference/import_destinations.json``, written after each source; a source
that is there with this version's networks is not run again unless it is named. Small networks: placing takes seconds.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import torch
from torch import nn
from torch.ao.quantization import FakeQuantizeBase
from typer.testing import CliRunner

import codesign
from codesign.core.errors import CodesignError
from codesign.core.runfolder import RunFolder, write_atomically
from codesign.importing.import_report import ImportReport
from codesign.importing.keras.keras_environment import KERAS
from codesign.importing.qkeras.qkeras_environment import QKERAS
from codesign.importing.source_agreement import exact_codes
from codesign.pipeline.imported import import_run
from codesign.pipeline.trial import design_of
from codesign.study.imported_run import REPORT
from tests.benchmarks.imports_keras import DATA
from tests.importing.small import mlp, saved

__all__ = ("RECORD", "SOURCES", "destinations")

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "reports" / "reference" / "import_destinations.json"
TREES = ROOT / "tests" / "importing" / "trees" / "files"
TARGET, EVENTS, FEATURES = "ulx3s-85f", 200, 8


@dataclass(frozen=True)
class Origin:
    """``make`` gives what is imported, in a folder for its file: a path, or a module and its example."""

    make: Callable[[Path], Path | tuple[nn.Module, torch.Tensor]]
    inputs: str | None = None
    #: why it cannot be tried here; empty where it can
    lacks: Callable[[], str] = lambda: ""


def _brevitas() -> nn.Module:
    """8-6-3 with float scales and quantised biases, whose ranges have seen data."""
    import brevitas.nn as qnn
    from brevitas.quant import Int32Bias

    torch.manual_seed(3)
    module = nn.Sequential(
        qnn.QuantIdentity(bit_width=6, return_quant_tensor=True),
        qnn.QuantLinear(FEATURES, 6, bias=True, bias_quant=Int32Bias, weight_bit_width=4, return_quant_tensor=True),
        qnn.QuantReLU(bit_width=4, return_quant_tensor=True),
        qnn.QuantLinear(6, 3, bias=False, weight_bit_width=4),
    )
    module.train()
    for _ in range(4):
        module(torch.randn(64, FEATURES))
    return module.eval()


def _qcdq(folder: Path) -> Path:
    from brevitas.export import export_onnx_qcdq

    path = folder / "qcdq.onnx"
    export_onnx_qcdq(_brevitas(), args=torch.zeros(1, FEATURES), export_path=str(path), dynamo=False)
    return path


def _plain(folder: Path) -> Path:
    """torch's own layers with dyadic weights, as torch exports them."""
    torch.manual_seed(4)
    module = nn.Sequential(nn.Linear(FEATURES, 6), nn.ReLU(), nn.Linear(6, 3), nn.Softmax(dim=1))
    with torch.no_grad():
        for values in module.parameters():
            values.copy_(torch.round(values * 8) / 8)
    path = folder / "plain.onnx"
    torch.onnx.export(module.eval(), (torch.zeros(1, FEATURES),), str(path), dynamo=False, opset_version=17)
    return path


def _traced(folder: Path) -> tuple[nn.Module, torch.Tensor]:
    """A trace of torch.fx, with torch's own FakeQuantize, and a quantiser as PQuantML's are."""
    from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver, disable_observer

    torch.manual_seed(5)

    def quantiser() -> FakeQuantize:
        kind = {"quant_min": -32, "quant_max": 31, "dtype": torch.qint8, "qscheme": torch.per_tensor_symmetric}
        return FakeQuantize(observer=MovingAverageMinMaxObserver, **kind)

    module = nn.Sequential(quantiser(), nn.Linear(FEATURES, 6), nn.ReLU(), quantiser(), nn.Linear(6, 3))
    with torch.no_grad():
        for values in module.parameters():
            values.copy_(torch.round(values * 8) / 8)
        for _ in range(4):
            module(torch.randn(64, FEATURES))
    module.apply(disable_observer)
    return torch.fx.GraphModule(module, _Tracer().trace(module)).eval(), torch.zeros(1, FEATURES)


class _Tracer(torch.fx.Tracer):
    """Keeps fake quantisers as modules, as prepare_qat_fx does."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, FakeQuantizeBase) or super().is_leaf_module(m, module_qualified_name)


def _pquant(folder: Path) -> tuple[nn.Module, torch.Tensor]:
    from tests.importing.torch_networks import network

    return network(1.0, 1.0, 2.0), torch.zeros(1, 3)


def _needs(environment: Any, file: Path) -> Callable[[], str]:
    def lacks() -> str:
        if not file.is_file():
            return f"there is no {file.name}"
        return "" if environment.is_set_up() else environment.how_to_get

    return lacks


_HGQ2 = DATA / "hgq_jsc_openml_530.keras"
_QKERAS = ROOT / "tests" / "importing" / "qkeras" / "jets.h5"
SOURCES: dict[str, Origin] = {
    "QONNX": Origin(lambda folder: saved(mlp(), folder / "small.onnx")),
    "plain ONNX": Origin(_plain, "fixed<6,3>"),
    "QCDQ": Origin(_qcdq),
    "Brevitas module": Origin(lambda folder: (_brevitas(), torch.zeros(1, FEATURES))),
    "Keras 3 / HGQ2": Origin(lambda folder: _HGQ2, None, _needs(KERAS, _HGQ2)),
    "QKeras": Origin(lambda folder: _QKERAS, "fixed<6,3>", _needs(QKERAS, _QKERAS)),
    "torch.fx": Origin(_traced),
    "quantisers as PQuantML's": Origin(_pquant),
    "XGBoost": Origin(lambda folder: TREES / "xgboost_five.json", "fixed<6,4>"),
    "LightGBM": Origin(lambda folder: TREES / "lightgbm_two.txt", "fixed<6,4>"),
    "scikit-learn": Origin(lambda folder: TREES / "sklearn_five.onnx", "fixed<6,4>"),
    "conifer": Origin(lambda folder: TREES / "conifer_two.json", "fixed<6,4>"),
}


def destinations(origin: Origin, work: Path) -> dict[str, Any]:
    """What became of one source, step by step; it ends with the first that fails."""
    from codesign.cli import app

    run, steps, row = work / "run", {}, {"steps": {}, "exact": None}
    row["steps"] = steps

    def step(*words: str | Path) -> str:
        start = time.monotonic()
        done = CliRunner().invoke(app, list(map(str, words)))
        seconds = round(time.monotonic() - start, 1)
        if done.exit_code:
            why = str(done.exception) if isinstance(done.exception, CodesignError) else repr(done.exception)
            steps[str(words[0])] = {"failed": " ".join(why.split())[:400], "seconds": seconds}
            raise CodesignError(why)
        lines = [line for line in done.stdout.splitlines() if line.strip()]
        steps[str(words[0])] = {"said": _cleaned(lines[-1] if lines else "", work), "seconds": seconds}
        return str(done.stdout)

    try:
        made = origin.make(work)
        if isinstance(made, Path):
            more = () if origin.inputs is None else ("--inputs", origin.inputs)
            step("import", made, *more, "--target", TARGET, "-o", run)
        else:
            start = time.monotonic()
            import_run([made[0]], run, origin.inputs, target_name=TARGET, example_input=made[1])
            steps["import"] = {"said": "codesign.import_run", "seconds": round(time.monotonic() - start, 1)}
        trial = RunFolder.open(run).trial(0)
        report, design = trial.read(REPORT, ImportReport), design_of(trial)
        assert report is not None
        row |= {
            "kind": report.source.kind,
            "file": report.source.name,
            "source": [{"runner": a.runner, "equal": a.equal, "tried": a.tried} for a in report.agreement],
        }
        step("verify", run, "0")
        verdict = json.loads((trial.path / "verify.json").read_text())
        row |= {"exact": verdict["exact"], "compared": verdict["compared"], "rtl_events": verdict["events"]}
        figures = json.loads(step("synth", run, "0", "--json"))
        steps["synth"]["said"] = ""
        row["figures"] = {
            f"{f['quantity']}, {f['fidelity']} by {f['tool']}": f["value"] for f in figures
            if f["quantity"] in ("lut", "ff", "bram", "dsp", "fmax_mhz", "latency_cycles")
        }  # fmt: skip
        step("bitstream", run, "0", "--target", TARGET)
        step("handoff", run, "0", "-o", work / "bundle.zip")
        said = step("check", work / "bundle.zip", "--emulator")
        row["checked"] = re.findall(r"\d+ [a-z]+, 0 wrong", said) or _cleaned(said.strip().splitlines()[-1], work)
        codes = np.random.default_rng(0).integers(*_ends(design), (EVENTS, design.inputs.size), endpoint=True)
        quantisation = design.input_quantisation
        x = codes * np.asarray(quantisation.step) + np.asarray(quantisation.offset)
        pandas.DataFrame(x, columns=list(quantisation.features)).to_parquet(work / "events.parquet")
        step("apply", work / "bundle.zip", work / "events.parquet", "-o", work / "scores.parquet")
        row["applied"] = _applied(pandas.read_parquet(work / "scores.parquet"), design, codes)
        step("report", run, "-o", work / "page.html")
        row["report_bytes"] = (work / "page.html").stat().st_size
    except CodesignError as error:
        row["failed"] = _cleaned(" ".join(str(error).split())[:400], work)
    return row


def _ends(design: codesign.Design) -> tuple[Any, Any]:
    return design.inputs.bounds


def _applied(scores: pandas.DataFrame, design: codesign.Design, codes: np.ndarray[Any, Any]) -> dict[str, int]:
    """Rows of a table of scores that are the design's own, of those tried."""
    truth = design.outputs.values(exact_codes(design, codes))
    columns = [next(c for c in scores.columns if c.endswith(label)) for label in design.outputs.labels]
    return {"tried": len(truth), "equal": int((scores[columns].to_numpy() == truth).all(axis=1).sum())}


def _cleaned(text: str, work: Path) -> str:
    return text.replace(f"{work}/", "").replace(f"{ROOT}/", "")


def main() -> None:
    """Run those that are named, or those that the record lacks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help=", ".join(SOURCES))
    parser.add_argument("-o", type=Path, default=RECORD)
    given = parser.parse_args()
    if unknown := set(given.sources) - set(SOURCES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    record = json.loads(given.o.read_text()) if given.o.is_file() else {"rows": {}}
    record |= {"codesign": codesign.__version__, "target": TARGET}
    for name in given.sources or [n for n in SOURCES if "failed" in record["rows"].get(n, {"failed": ""})]:
        if why := SOURCES[name].lacks():
            print(f"{name}: not tried: {why}", flush=True)
            continue
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="codesign-destinations-") as folder:
            row = destinations(SOURCES[name], Path(folder))
        record["rows"][name] = row | {"seconds": round(time.monotonic() - start, 1)}
        print(name, json.dumps(record["rows"][name]), flush=True)
        write_atomically(given.o, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
