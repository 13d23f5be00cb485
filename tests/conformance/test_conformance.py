"""Every flow that comes with codesign keeps its contract; all that it refuses is written here."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from codesign.core.probes import probe_codes
from codesign.core.targets import load_target
from codesign.flows.alkaid.flow import Alkaid
from codesign.flows.finn.environment import availability
from codesign.flows.finn.flow import Finn, FinnSettings
from codesign.flows.hls4ml.flow import Hls4ml, Hls4mlSettings
from codesign.graph.exact import Exact
from codesign.graph.quantiser import QUANT_MODES
from codesign.graph.reader import read_graph
from codesign.handoff.emulator import build_emulator, load_emulator, write_emulator
from codesign.testing import CASES, FlowTests, conforms, random_design

TARGET = load_target("vu13p-360")
INEXACT = {case.name for case in CASES if not case.exact}
MODES = {f"rounding-{mode.value.lower()}" for mode in QUANT_MODES}

#: what a flow refuses beyond what nobody can do
REFUSED = {
    "alkaid": {"constant-outputs"},
    "hls4ml": {
        *(MODES - {"rounding-round", "rounding-floor"}),
        *("signs", "squares", "family-vae", "family-autoencoder", "widths-of-their-own"),
    },
    "finn": {"constant-outputs", "squares", "family-vae", "family-autoencoder"},
}
#: firmware that is simulated in each run of the tests; that of all cases is with -m slow
SIMULATED = {"single", "dead-neurons", "family-mlp-learned"}
#: of flows whose compilers take seconds, what is compiled in each run of the tests; the others are with -m slow
USUAL = {"hls4ml": {"dead-neurons", "signed-16"}, "finn": {"dead-neurons", "signed-5"}}


def test_cases_are_what_they_say():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    design = next(case for case in CASES if case.name == "weights-7").make()
    assert design.hash == next(case for case in CASES if case.name == "weights-7").make().hash
    for case in CASES:
        if case.exact and not case.name.startswith("family"):
            made = case.make()
            outputs = read_graph(made.onnx).run(made.inputs.values(probe_codes(made.inputs)), Exact())
            assert (len(np.unique(outputs, axis=0)) > 3) == (case.name != "constant-outputs"), case


class TestAlkaid(FlowTests):
    usual, simulated, refused = None, SIMULATED, REFUSED["alkaid"]

    @pytest.fixture
    def flow(self):
        return Alkaid()


class TestHls4ml(FlowTests):
    usual, simulated, refused = INEXACT | REFUSED["hls4ml"], USUAL["hls4ml"], REFUSED["hls4ml"]

    @pytest.fixture
    def flow(self):
        return Hls4ml()

    @pytest.mark.slow
    def test_the_same_design_gives_the_same_sources(self, flow, tmp_path):
        super().test_the_same_design_gives_the_same_sources(flow, tmp_path)

    @pytest.mark.slow
    def test_what_is_proven_without_rtl_is_the_c_simulation(self, flow, tmp_path):
        made = conforms(flow, next(c for c in CASES if c.name == "single"), load_target(self.target), tmp_path)
        assert made.verified.proven == "C simulation"


@pytest.mark.slow
@pytest.mark.parametrize("case", [c for c in CASES if c.core], ids=str)
@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "resource", "reuse_factor": 2},
        {"strategy": "distributed_arithmetic"},
        {"strategy": "resource", "reuse_factor": 4, "io": "io_stream"},
        {"strategy": "distributed_arithmetic", "io": "io_stream"},
    ],
    ids=lambda s: "-".join(map(str, s.values())),
)
def test_hls4ml_strategies(case, settings, tmp_path):
    assert conforms(Hls4ml(), case, TARGET, tmp_path, Hls4mlSettings(**settings)).refused is None


@pytest.mark.skipif(not availability().available, reason=availability().reason)
class TestFinn(FlowTests):
    usual, simulated, refused = INEXACT | REFUSED["finn"], USUAL["finn"], REFUSED["finn"]
    settings = FinnSettings(initiation_interval=4)

    @pytest.fixture
    def flow(self):
        return Finn()


SEEDS = st.integers(0, 2**32 - 1)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, depth=st.integers(0, 2), per_channel=st.booleans())
def test_random_networks_through_alkaid(tmp_path_factory, seed, depth, per_channel):
    design = random_design(seed, depth, modes=QUANT_MODES, per_channel=per_channel)
    try:
        conforms(Alkaid(), design, TARGET, tmp_path_factory.mktemp("random"), simulate=False)
    except AssertionError as error:
        if "the circuit is constant" not in str(error):
            raise


@settings(max_examples=4, deadline=None)
@given(seed=SEEDS, depth=st.integers(0, 3), per_channel=st.booleans())
def test_random_networks_through_the_emulator(tmp_path_factory, seed, depth, per_channel):
    design = random_design(seed, depth, modes=QUANT_MODES, per_channel=per_channel)
    codes = probe_codes(design.inputs)
    expected = design.outputs.codes(read_graph(design.onnx).run(design.inputs.values(codes), Exact()))
    folder = tmp_path_factory.mktemp("random")
    emulator = load_emulator(build_emulator(write_emulator(design, "random", folder)))
    assert np.array_equal(emulator.predict(codes), expected)
    assert np.array_equal(emulator.predict_any(codes), expected)


def through_hls4ml(folder, seed, depth, io, strategy, reuse, per_channel):
    chosen = Hls4mlSettings(io=io, strategy=strategy, reuse_factor=reuse)
    conforms(Hls4ml(), random_design(seed, depth, per_channel=per_channel), TARGET, folder, chosen)


HLS = {
    "seed": SEEDS,
    "depth": st.integers(0, 2),
    "io": st.sampled_from(["io_parallel", "io_stream"]),
    "strategy": st.sampled_from(["latency", "resource"]),
    "reuse": st.sampled_from([1, 2, 5]),
    "per_channel": st.booleans(),
}


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(**HLS)
@example(seed=255, depth=1, io="io_parallel", strategy="latency", reuse=1, per_channel=True)  # a square matrix
def test_random_networks_through_hls4ml(tmp_path_factory, **drawn):
    through_hls4ml(tmp_path_factory.mktemp("random"), **drawn)


def through_finn(folder, seed, depth, per_channel):
    design = random_design(seed, depth, modes=QUANT_MODES, per_channel=per_channel)
    try:
        conforms(Finn(), design, TARGET, folder, FinnSettings(initiation_interval=2))
    except AssertionError as error:
        if "every output is constant" not in str(error):
            raise


FINN = {"seed": SEEDS, "depth": st.integers(0, 2), "per_channel": st.booleans()}
needs_finn = pytest.mark.skipif(not availability().available, reason=availability().reason)


@pytest.mark.slow
@needs_finn
@settings(max_examples=10, deadline=None)
@given(**FINN)
@example(seed=46776, depth=0, per_channel=False)  # no negative weight
def test_random_networks_through_finn(tmp_path_factory, **drawn):
    through_finn(tmp_path_factory.mktemp("random"), **drawn)
