"""Random graphs: every domain gives the same integers, and onnxruntime, where it knows the operators, too."""

import os

import numpy as np
import onnxruntime
import pytest

from codesign.errors import UnsupportedError
from codesign.graph.reader import read_graph
from codesign.hardware.alkaid import probe_codes
from tests.graph.everywhere import QUIET, alkaid_codes, design_for, equal_everywhere
from tests.graph.random_graphs import REASONS, RandomGraph

#: graphs of the default suite; the nightly run takes CODESIGN_RANDOM_GRAPHS of them
COUNT = int(os.environ.get("CODESIGN_RANDOM_GRAPHS", "150"))
PER_TEST = 15


def tried(seed):
    """'equal', or the reason for which a random graph is refused; anything else is a fault."""
    grown = RandomGraph(seed)
    content = grown.content()
    try:
        design = design_for(content, grown.kinds)
    except UnsupportedError as error:
        return _known(error)
    codes = probe_codes(design.inputs, events=40, seed=seed)
    rng = np.random.default_rng(seed)
    codes = codes[rng.choice(len(codes), min(120, len(codes)), replace=False)]
    truth = equal_everywhere(design, codes, hardware=False, circuit=24)
    if grown.standard:
        values = design.inputs.values(codes).astype(np.float32)
        feed, start = {}, 0
        for name, shape in grown.inputs:
            size = int(np.prod(shape))
            feed[name] = values[:, start : start + size].reshape(len(values), *shape)
            start += size
        session = onnxruntime.InferenceSession(content, QUIET, providers=["CPUExecutionProvider"])
        found = np.concatenate([np.reshape(o, (len(values), -1)) for o in session.run(None, feed)], axis=1)
        assert np.array_equal(found, design.outputs.values(truth)), "onnxruntime"
    try:
        hardware = alkaid_codes(design, codes)
    except UnsupportedError as error:
        return _known(error)
    assert np.array_equal(hardware, truth), "alkaid"
    return "equal"


def _known(error):
    reasons = [r for r in REASONS if r in str(error)]
    assert reasons, f"refused for a reason that is not on the list: {error}"
    return reasons[0]


@pytest.mark.parametrize("first", range(0, COUNT, PER_TEST))
def test_random_graphs_are_equal_everywhere(first):
    outcomes = [tried(seed) for seed in range(first, min(first + PER_TEST, COUNT))]
    assert outcomes.count("equal") > len(outcomes) // 3, outcomes


def test_what_is_refused_is_refused_in_every_domain_alike():
    """A graph that intervals refuse gives no design, whatever else could compute it."""
    refused = 0
    for seed in range(60):
        grown = RandomGraph(seed)
        try:
            design_for(grown.content(), grown.kinds)
        except UnsupportedError:
            refused += 1
            read_graph(grown.content())  # it is the numbers, not the operators, that are refused
    assert refused < 40
