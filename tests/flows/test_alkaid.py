"""The alkaid flow on trained networks: exact firmware, ports as the design says, guilty passes left out."""

import gzip

import numpy as np
import pytest
import torch
from alkaid.types import CombLogic

from codesign.core.errors import ToolError
from codesign.core.figures import Fidelity, find
from codesign.core.fixedpoint import FixedPoint, Port
from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.families.mlp.config import MLPConfig
from codesign.flows.alkaid import alkaid_passes
from codesign.flows.alkaid.alkaid_files import save_program
from codesign.flows.alkaid.flow import Alkaid
from codesign.rtl.packing import bit_range
from codesign.rtl.top_module import top_module
from codesign.training import export
from tests.families.mlp_networks import CONFIGS, network_of, quantised
from tests.flows.small_designs import TARGET, design_of


@pytest.mark.parametrize("config", CONFIGS)
def test_firmware_equals_network(config, tmp_path):
    network, design, codes = design_of(config)
    flow = Alkaid()
    firmware = flow.compile(design, TARGET, tmp_path / "fw")
    every = np.concatenate([codes, probe_codes(design.inputs)])
    assert np.array_equal(flow.predict(firmware, every), export.brevitas_codes(network, design, every))
    figures = flow.figures(firmware)
    assert {f.fidelity for f in figures} == {Fidelity.COMPILED}
    assert find(figures, "lut", Fidelity.COMPILED).value > 10
    assert find(figures, "latency_ns", Fidelity.COMPILED).value == pytest.approx(
        firmware.latency_cycles * 1000 / 360, rel=1e-4
    )
    assert all((firmware.folder / s).is_file() for s in firmware.sources)


def test_firmware_is_opened_again_and_only_for_its_design(tmp_path):
    _, design, codes = design_of(CONFIGS[0])
    _, other, _ = design_of(CONFIGS[0], seed=1)
    flow = Alkaid()
    made = flow.compile(design, TARGET, tmp_path / "fw")
    again = flow.load(design, TARGET, tmp_path / "fw")
    assert np.array_equal(flow.predict(made, codes), flow.predict(again, codes))
    with pytest.raises(ToolError, match="another design"):
        flow.load(other, TARGET, tmp_path / "fw")


def test_another_design_in_the_same_folder_is_not_taken_for_the_first(tmp_path):
    flow = Alkaid()
    for seed in (0, 1):
        network, design, codes = design_of(CONFIGS[0], seed=seed)
        firmware = flow.compile(design, TARGET, tmp_path / "fw")
        assert np.array_equal(flow.predict(firmware, codes), export.brevitas_codes(network, design, codes))


def test_deeper_pipeline_for_a_faster_clock(tmp_path):
    _, design, _ = design_of(CONFIGS[1])
    flow = Alkaid()
    slow = flow.compile(design, load_target("vu13p-240"), tmp_path / "slow")
    fast = flow.compile(design, TARGET, tmp_path / "fast")
    assert fast.latency_cycles > slow.latency_cycles


def test_pruned_inputs_and_dead_neurons(tmp_path):
    config = MLPConfig(widths=(8, 4), weight_bits=(3, 3, 3), activation_bits=(3, 3), input_bits=6)
    quantisation, x, _ = quantised(config)
    network = network_of(config, x)
    with torch.no_grad():
        network.linears[0].weight[:, 3:9] = 0  # inputs that nobody reads
        network.linears[0].weight[2] = 0
        network.linears[0].bias[2] = -1  # a neuron that is always 0
        network.linears[2].weight[4] = 0
        network.linears[2].bias[4] = 0  # an output that is always 0
    network.fold()
    design = export.export(network.eval(), quantisation, tuple("abcde"))
    flow = Alkaid()
    firmware = flow.compile(design, TARGET, tmp_path / "fw")
    codes = probe_codes(design.inputs)
    assert np.array_equal(flow.predict(firmware, codes), export.brevitas_codes(network, design, codes))
    assert design.outputs.types[4].width == 0


def test_a_pass_that_changes_an_integer_is_left_out(tmp_path, monkeypatch):
    """Plant alkaid's own fault where it was found: the flow must recover, and say so."""

    def broken(comb):
        ops = [o._replace(data=(o.data[0] + 1,)) if o.opcode == 3 and i % 3 == 0 else o for i, o in enumerate(comb.ops)]
        return comb._replace(ops=ops)

    monkeypatch.setattr(alkaid_passes, "canonicalize_msb_wraps", broken)
    network, design, codes = design_of(CONFIGS[1])
    flow = Alkaid()
    firmware = flow.compile(design, TARGET, tmp_path / "fw")
    assert firmware.notes
    assert "canonicalize_msb_wraps" in firmware.notes[0]
    assert np.array_equal(flow.predict(firmware, codes), export.brevitas_codes(network, design, codes))


def test_a_compiler_that_is_wrong_throughout_is_refused(tmp_path, monkeypatch):
    def broken(comb):
        return comb._replace(out_negs=[not n for n in comb.out_negs])

    monkeypatch.setattr(alkaid_passes, "topo_bandwidth_sort", broken)
    _, design, _ = design_of(CONFIGS[0])
    with pytest.raises(ToolError, match="miscompiles this design"):
        Alkaid().compile(design, TARGET, tmp_path / "fw")


def test_top_module_ports():
    ufix = FixedPoint(signed=False, integer_bits=2, fraction_bits=1)
    fix = FixedPoint(signed=True, integer_bits=3, fraction_bits=2)
    dead = FixedPoint(signed=False, integer_bits=0, fraction_bits=0)
    inputs = Port(name="i", types=(ufix, fix), labels=("a", "b"))
    outputs = Port(name="o", types=(fix, dead, ufix), labels=("x", "y", "z"))
    narrow = FixedPoint(signed=True, integer_bits=1, fraction_bits=1)
    text = top_module("top", "core", inputs, outputs, (dead, fix), (narrow, dead, ufix))
    assert bit_range(inputs, 1) == (8, 3)
    assert "model_inp[8:3]" in text  # only b is read
    assert "{2{core_out[2]}}" in text  # sign extended
    assert "input wire [8:0] model_inp" in text
    assert "output wire [8:0] model_out" in text
    with pytest.raises(ToolError, match="finer"):
        top_module("top", "core", inputs, Port(name="o", types=(ufix,), labels=("x",)), (dead, fix), (fix,))


def test_a_program_is_the_text_that_alkaid_writes(tmp_path):
    _, design, _ = design_of(CONFIGS[0])
    Alkaid().compile(design, TARGET, tmp_path / "fw")
    circuit = CombLogic.load(tmp_path / "fw" / "program.json.gz")
    circuit.save(tmp_path / "theirs.json")
    save_program(circuit, tmp_path / "ours.json.gz")
    save_program(circuit, tmp_path / "again.json.gz")
    assert (tmp_path / "ours.json.gz").read_bytes() == (tmp_path / "again.json.gz").read_bytes()
    text = gzip.decompress((tmp_path / "ours.json.gz").read_bytes())
    assert text == (tmp_path / "theirs.json").read_bytes()
