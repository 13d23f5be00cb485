"""Does a flow keep the contract of :mod:`codesign.hardware.base`? One suite for every flow, yours included.

    import pytest
    from codesign.targets import load_target
    from codesign.testing import CASES, conforms

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_my_flow(case, tmp_path):
        conforms(MyFlow(), case, load_target("vu13p-360"), tmp_path)

A :class:`Case` is a small design at an edge of what flows meet. :func:`conforms` compiles it, compares every integer of
random, extreme, saturated, single and no events with exact arithmetic, opens the firmware again, looks at the figures,
simulates the RTL where there is some and holds the latency that is claimed against the one that is measured. A flow may
refuse a case with UnsupportedError, unless the case is ``core``.
"""

from codesign.testing.cases import CASES, Case
from codesign.testing.conformance import Nonconformity, Outcome, conforms
from codesign.testing.random import random_design

__all__ = ("CASES", "Case", "Nonconformity", "Outcome", "conforms", "random_design")
