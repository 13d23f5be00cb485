"""Fixed-point quantisers of torch libraries, known by the names of their classes: exact, or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.ao.quantization import FakeQuantize, disable_observer

import codesign
from codesign.core.errors import InputError, UnsupportedError
from codesign.core.runfolder import RunFolder
from codesign.study.imported_run import ImportedRun, origin_of
from tests.importing.torch_networks import Quantizer, network


def equal(module: nn.Module, **more: Any) -> codesign.Imported:
    imported = codesign.import_model(module, example_input=torch.zeros(1, 3), **more)
    (agreement,) = imported.report.agreement
    assert agreement.runner.startswith("torch ")
    assert agreement.equal == agreement.tried > 1000
    return imported


@pytest.mark.parametrize(
    ("overflow", "rounding"),
    [("SAT", "TRN"), ("SAT_SYM", "RND"), ("WRAP", "RND_CONV"), ("SAT", "TRN_ZERO"), ("WRAP", "RND_INF")],
)
def test_each_rounding_and_overflow_is_exact(overflow: str, rounding: str) -> None:
    kif = [1.0, 1, 0, 1], [0.0, 1, 1, 0], [2.0, 1, 0, 3]
    imported = equal(network(*kif, overflow=overflow, round_mode=rounding))
    assert imported.report.source.kind == "PQuantML module"
    assert imported.report.inputs == ("x0 to x2: fixed<5,3>",)


def test_a_trace_of_torch_fx_is_a_module() -> None:
    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
            return isinstance(m, Quantizer) or super().is_leaf_module(m, module_qualified_name)

    made = network(0, 1, 3)
    whole = torch.fx.GraphModule(made, Tracer().trace(made))
    assert equal(whole).report.source.kind == "PQuantML module"
    # traced through its quantisers, it is arithmetic, which says no type of its input
    with pytest.raises(InputError, match="does not say its type"):
        equal(torch.fx.symbolic_trace(made))
    assert equal(torch.fx.symbolic_trace(made), inputs="fixed<6,3>").report.source.kind == "torch module"


def test_torchs_own_fake_quantisers_are_exact() -> None:
    def fake(scale: float, low: int, high: int) -> FakeQuantize:
        made = FakeQuantize(quant_min=low, quant_max=high, dtype=torch.quint8 if low == 0 else torch.qint8)
        made.scale.fill_(scale)
        made.apply(disable_observer)
        return made

    made = network(0, 1, 3)
    made[0], made[3] = fake(0.25, -128, 127), fake(0.125, 0, 255)
    assert equal(made, inputs="fixed<8,6>").report.source.kind == "torch module"


@pytest.mark.parametrize(("low", "high", "zero"), [(-32, 31, 0), (-7, 7, 0), (0, 15, 0), (0, 63, 5), (-100, 27, -9)])
def test_ranges_that_torch_does_not_export_are_exact(low: int, high: int, zero: int) -> None:
    made = network(0, 1, 3)
    for place, scale in ((0, 0.25), (3, 0.125)):
        made[place] = FakeQuantize(quant_min=low, quant_max=high, dtype=torch.quint8 if low == 0 else torch.qint8)
        made[place].scale.fill_(scale)
        made[place].zero_point.fill_(zero)
        made[place].apply(disable_observer)
    equal(made)


def test_quantisation_aware_training_as_torch_sets_it_up_is_exact() -> None:
    from torch.ao import quantization

    torch.manual_seed(2)
    layers = [quantization.QuantStub(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), quantization.DeQuantStub()]
    module = nn.Sequential(*layers).train()
    module.qconfig = quantization.get_default_qat_qconfig("x86")  # fused, weights per channel
    quantization.prepare_qat(module, inplace=True)
    for _ in range(3):
        module(torch.randn(50, 3))
    with pytest.raises(UnsupportedError, match=r"its observer is on.*disable_observer.*; 1"):
        equal(module.eval())
    imported = codesign.import_model(module.apply(disable_observer), example_input=torch.zeros(1, 3))
    (agreement,) = imported.report.agreement
    assert agreement.equal + agreement.explained == agreement.tried > 1000
    module[0].activation_post_process.quant_max = 300
    with pytest.raises(UnsupportedError, match="codes from 0 to 300"):
        equal(module)


def test_a_quantiser_that_does_otherwise_than_it_says_is_found() -> None:
    made = network(0, 1, 1, round_mode="TRN")
    lying = made[3]
    honest = lying.forward

    def forward(x: torch.Tensor) -> torch.Tensor:
        return honest(x - 0.25)

    lying.forward = forward  # type: ignore[method-assign]
    with pytest.raises(InputError, match="misread"):
        codesign.import_model(made, example_input=torch.zeros(1, 3))


def test_a_module_makes_a_run(tmp_path: Path) -> None:
    front = codesign.import_run([network(0, 1, 3)], tmp_path / "mine", example_input=torch.zeros(1, 3))
    assert [p.trial for p in front.points] == [0]
    made = origin_of(RunFolder.open(tmp_path / "mine"))
    assert isinstance(made, ImportedRun)
    assert (made.name, made.models[0].name) == ("mine", "Sequential")


def test_what_has_no_counterpart_is_named_with_its_place() -> None:
    made = network(0, 1, 3)
    made[0].overflow, made[3].round_mode = "WRAP_SM", "RND_MIN_INF"
    with pytest.raises(UnsupportedError) as caught:
        codesign.import_model(made, example_input=torch.zeros(1, 3))
    assert "0 (Quantizer): its overflow WRAP_SM" in str(caught.value)
    assert "3 (Quantizer): its rounding RND_MIN_INF" in str(caught.value)
    made = network(0, 1.5, 3)
    with pytest.raises(UnsupportedError, match=r"3 \(Quantizer\): its i are no whole numbers"):
        codesign.import_model(made, example_input=torch.zeros(1, 3))


def test_a_layer_that_still_prunes_is_named() -> None:
    class PQDense(nn.Linear):
        final_compression_done = torch.tensor(False)

    PQDense.__module__ = "pquant.core.torch.layers"
    with pytest.raises(UnsupportedError, match=r"1 \(PQDense\): still prunes .* apply_final_compression"):
        codesign.import_model(nn.Sequential(Quantizer(1, 2, 2), PQDense(3, 2)), example_input=torch.zeros(1, 3))
